-- Identity: what a token may be used for, who an identity provider's people are, machines, and a record of who was refused. See notes.md.
SET LOCAL ROLE ledger_owner;

ALTER TABLE directory.members
    ADD COLUMN kind text NOT NULL DEFAULT 'PERSON' CHECK (kind IN ('PERSON', 'SERVICE'));

-- Tokens from before may do what they could do; one that says nothing from now on may do nothing of this.
ALTER TABLE directory.tokens
    ADD COLUMN scopes text[] NOT NULL DEFAULT '{graphql:free-form,graphql:introspect,graphql:mutate}';
ALTER TABLE directory.tokens ALTER COLUMN scopes SET DEFAULT '{}';

-- Whom an identity provider's subject is here. A subject is personal data: the row goes when its member is erased.
CREATE TABLE directory.identities (
    issuer    text NOT NULL,
    subject   text NOT NULL,
    member_id uuid NOT NULL REFERENCES directory.members,
    linked_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (issuer, subject)
);
CREATE INDEX identities_member ON directory.identities (member_id);

-- What was refused, exported, and changed about tokens: counted, so that a flood is a few rows.
CREATE TABLE directory.access (
    access_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    kind        text NOT NULL,
    subject     text NOT NULL,
    member_id   uuid,
    client      text,
    token_id    uuid,
    acted_by    uuid,
    count       bigint NOT NULL DEFAULT 1 CHECK (count > 0),
    first_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_at     timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE FUNCTION directory.access_kept_days() RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE AS 'SELECT 400';

CREATE FUNCTION directory.refuse_access_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP = 'DELETE' AND OLD.recorded_at < clock_timestamp() - make_interval(days => directory.access_kept_days()) THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'directory.access is append-only for % days: % is refused', directory.access_kept_days(), TG_OP
        USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON directory.access
    FOR EACH ROW EXECUTE FUNCTION directory.refuse_access_change();
CREATE TRIGGER never_truncated BEFORE TRUNCATE ON directory.access
    FOR EACH STATEMENT EXECUTE FUNCTION directory.refuse_access_change();
ALTER TABLE directory.access ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE directory.access ENABLE ALWAYS TRIGGER never_truncated;

REVOKE EXECUTE ON FUNCTION directory.refuse_access_change FROM PUBLIC;
GRANT SELECT, INSERT, DELETE ON directory.identities TO ledger_writer;
GRANT SELECT, DELETE, INSERT (kind, subject, member_id, client, token_id, acted_by, count, first_at, last_at)
    ON directory.access TO ledger_writer;
GRANT SELECT ON directory.access TO ledger_reader;
RESET ROLE;
