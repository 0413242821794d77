-- The directory: who the ids in the facts are, and the tokens that let them in. Mutable and erasable, unlike the log.
CREATE SCHEMA directory AUTHORIZATION ledger_owner;
SET LOCAL ROLE ledger_owner;

CREATE TABLE directory.members (
    member_id  uuid PRIMARY KEY,
    name       text,
    address    text,
    created_at timestamptz NOT NULL DEFAULT now(),
    erased_at  timestamptz
);

CREATE TABLE directory.tokens (
    token_id     uuid PRIMARY KEY,
    member_id    uuid NOT NULL REFERENCES directory.members,
    client       text NOT NULL,
    mac          bytea NOT NULL UNIQUE,
    hint         text NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz,
    last_used_at timestamptz,
    revoked_at   timestamptz
);
CREATE INDEX tokens_member ON directory.tokens (member_id);

GRANT USAGE ON SCHEMA directory TO ledger_writer, ledger_reader;
GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA directory TO ledger_writer;
GRANT SELECT ON directory.members TO ledger_reader;
RESET ROLE;
