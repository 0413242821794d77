-- Numbers that move when the directory does, so that what was made from it can be kept until then. See notes.md.
SET LOCAL ROLE ledger_owner;

CREATE TABLE directory.revisions (
    subject  text PRIMARY KEY,
    revision bigint NOT NULL DEFAULT 0
);
INSERT INTO directory.revisions (subject) VALUES ('members'), ('access');

CREATE FUNCTION directory.moved() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE directory.revisions SET revision = revision + 1 WHERE subject = TG_ARGV[0];
    RETURN NULL;
END $$;
REVOKE EXECUTE ON FUNCTION directory.moved FROM PUBLIC;

CREATE TRIGGER moved AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON directory.members
    FOR EACH STATEMENT EXECUTE FUNCTION directory.moved('members');
CREATE TRIGGER moved AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON directory.tokens
    FOR EACH STATEMENT EXECUTE FUNCTION directory.moved('access');
CREATE TRIGGER moved AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON directory.identities
    FOR EACH STATEMENT EXECUTE FUNCTION directory.moved('access');

GRANT SELECT ON directory.revisions TO ledger_writer, ledger_reader;
RESET ROLE;
