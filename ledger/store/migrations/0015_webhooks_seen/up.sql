-- Webhooks: by which fact an endpoint's place is known again, and who may know how many are paused. See notes.md.
SET LOCAL ROLE ledger_owner;

-- The leaf of the fact at `position`; NULL: there is none, at 0.
ALTER TABLE webhooks.endpoints ADD COLUMN leaf bytea;
UPDATE webhooks.endpoints AS w SET leaf = e.leaf FROM ledger.events AS e WHERE e.position = w.position;

GRANT USAGE ON SCHEMA webhooks TO ledger_reader;
GRANT SELECT (paused_at) ON webhooks.endpoints TO ledger_reader;
RESET ROLE;
