"""Raw tables in, one row of numbers per (customer, as_of) out: the same call for a request and for millions."""
