-- Redaction: the words of one fact can be taken out, once a fact says who did it, why, and on what legal ground. See notes.md.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'ledger_redactor') THEN
        BEGIN
            CREATE ROLE ledger_redactor NOLOGIN;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL;
        END;
    END IF;
    -- The owner hands the function over. Two ledgers that are migrated at once may both grant; either grant will do.
    IF NOT pg_has_role('ledger_owner', 'ledger_redactor', 'MEMBER') THEN
        BEGIN
            GRANT ledger_redactor TO ledger_owner;
        EXCEPTION WHEN unique_violation OR internal_error THEN
            NULL;
        END;
    END IF;
END $$;

SET LOCAL ROLE ledger_owner;

-- The redactions of the fact at a position are a stream of their own, whose id is made of the position.
CREATE FUNCTION ledger.redaction_stream(redacted bigint) RETURNS uuid
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT ('00000000-0000-8000-8000-' || lpad(to_hex(redacted), 12, '0'))::uuid
$$;

-- What is read in place of a payload that was emptied: the fact with `Redacted` for each text, as the redaction recorded it.
CREATE FUNCTION ledger.remains(redacted bigint) RETURNS bytea
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT convert_to((convert_from(e.payload, 'UTF8')::json -> 'remains')::text, 'UTF8')
      FROM ledger.events AS e
     WHERE e.stream_id = ledger.redaction_stream(redacted) AND e.version = 1 AND e.topic = 'FactRedacted'
$$;

-- All statements are refused as before, but for an UPDATE of the events by the redactor, each row of which is looked at below.
CREATE OR REPLACE FUNCTION ledger.refuse_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND TG_TABLE_NAME = 'events' AND current_user = 'ledger_redactor' THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION 'ledger.% is append-only: % is refused', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'insufficient_privilege', HINT = 'Record a correcting fact instead.';
END $$;

CREATE FUNCTION ledger.refuse_all_but_redaction() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    OLD.payload := '';
    OLD.salt := '';
    IF current_user IS DISTINCT FROM 'ledger_redactor' OR NEW IS DISTINCT FROM OLD OR OLD.topic = 'FactRedacted'
        OR ledger.remains(OLD.position) IS NULL
    THEN
        RAISE EXCEPTION 'ledger.events is append-only: position % has no recorded redaction', OLD.position
            USING ERRCODE = 'insufficient_privilege', HINT = 'Use: decision-ledger redact';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER redaction_only BEFORE UPDATE ON ledger.events
    FOR EACH ROW EXECUTE FUNCTION ledger.refuse_all_but_redaction();
ALTER TABLE ledger.events ENABLE ALWAYS TRIGGER redaction_only;

-- Carries out what the redaction at a position says; false if it was carried out before.
CREATE FUNCTION ledger.redact(redaction bigint) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    redacted bigint;
BEGIN
    SELECT (convert_from(e.payload, 'UTF8')::json ->> 'position')::bigint INTO redacted
      FROM ledger.events AS e WHERE e.position = redaction AND e.topic = 'FactRedacted';
    IF NOT FOUND THEN
        RAISE EXCEPTION 'position % is no redaction', redaction USING ERRCODE = 'no_data_found';
    END IF;
    UPDATE ledger.events SET payload = '', salt = '' WHERE position = redacted AND payload <> '';
    RETURN FOUND;
END $$;

GRANT USAGE ON SCHEMA ledger TO ledger_redactor;
GRANT SELECT, UPDATE (payload, salt) ON ledger.events TO ledger_redactor;
REVOKE EXECUTE ON FUNCTION ledger.redact, ledger.refuse_all_but_redaction, ledger.remains, ledger.redaction_stream FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger.remains, ledger.redaction_stream TO ledger_writer, ledger_reader, ledger_redactor;
GRANT EXECUTE ON FUNCTION ledger.redact TO ledger_migrator;
GRANT CREATE ON SCHEMA ledger TO ledger_redactor;
ALTER FUNCTION ledger.redact OWNER TO ledger_redactor;
REVOKE CREATE ON SCHEMA ledger FROM ledger_redactor;
RESET ROLE;
