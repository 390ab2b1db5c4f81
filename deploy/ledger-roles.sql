-- Who may do what in the ledger's database. Run once by its owner, after creditloop made the tables, which it does the
-- first time the owner opens the ledger: creditloop decisions verify, with the owner's URL in [stores] ledger.
-- The triggers refuse UPDATE, DELETE and TRUNCATE of records to everybody; these grants let the service not even try.
CREATE ROLE creditloop_service NOLOGIN;
GRANT SELECT, INSERT ON records TO creditloop_service;
GRANT SELECT, INSERT ON customer_keys TO creditloop_service;

-- Erasing a customer deletes that customer's key: for the few who may say `creditloop decisions erase`.
CREATE ROLE creditloop_eraser NOLOGIN;
GRANT creditloop_service TO creditloop_eraser;
GRANT DELETE ON customer_keys TO creditloop_eraser;

-- An auditor reads, and cannot open a sealed record without ledger.key.
CREATE ROLE creditloop_auditor NOLOGIN;
GRANT SELECT ON records TO creditloop_auditor;

-- Then, with passwords of your own:
--   CREATE ROLE service_a LOGIN PASSWORD '...' IN ROLE creditloop_service;
