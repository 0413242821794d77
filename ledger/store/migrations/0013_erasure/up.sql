-- Whoever erases a name must be able to sweep it off the disk too. See notes.md.
SET LOCAL ROLE ledger_owner;
GRANT MAINTAIN ON directory.members, directory.identities TO ledger_writer;
RESET ROLE;
