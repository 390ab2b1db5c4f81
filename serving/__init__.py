"""A bundle in, decisions out: scored, explained, decided by policy, recorded before they are answered."""
