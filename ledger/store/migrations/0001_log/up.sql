-- The log: what was recorded, in one order, by one function, never changed. See notes.md.

-- Roles are cluster-wide and several ledgers may share a cluster, so each may be there already or come up at this moment.
DO $$
DECLARE
    role_name text;
BEGIN
    FOREACH role_name IN ARRAY ARRAY['ledger_owner', 'ledger_migrator', 'ledger_writer', 'ledger_reader'] LOOP
        CONTINUE WHEN EXISTS (SELECT FROM pg_roles WHERE rolname = role_name);
        BEGIN
            EXECUTE format('CREATE ROLE %I NOLOGIN', role_name);
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL;
        END;
    END LOOP;
    -- Two ledgers that are created at once may both grant; either grant will do.
    IF NOT pg_has_role('ledger_migrator', 'ledger_owner', 'MEMBER') THEN
        BEGIN
            GRANT ledger_owner TO ledger_migrator;
        EXCEPTION WHEN unique_violation OR internal_error THEN
            NULL;
        END;
    END IF;
    -- Whoever migrates without being a superuser must be able to hand the tables to their owner.
    IF NOT pg_has_role(CURRENT_USER, 'ledger_owner', 'SET') THEN
        EXECUTE format('GRANT ledger_owner TO %I', CURRENT_USER);
    END IF;
END $$;

CREATE SCHEMA ledger AUTHORIZATION ledger_owner;
SET LOCAL ROLE ledger_owner;

CREATE TABLE ledger.migrations (
    name       text PRIMARY KEY,
    sha256     text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE ledger.identity (
    one_row    boolean PRIMARY KEY DEFAULT true CHECK (one_row),
    ledger_id  uuid NOT NULL DEFAULT gen_random_uuid(),
    clock      text NOT NULL CHECK (clock IN ('wall', 'story')),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
INSERT INTO ledger.identity (clock) VALUES (COALESCE(NULLIF(current_setting('ledger.clock', true), ''), 'wall'));

-- Every append updates this row and so waits its turn: that makes positions gapless and puts them in commit order.
-- A nearly empty page leaves room for the row's next versions, so that no index or second page is ever touched. (No CHECK here nor on
-- events: each is compiled again for every batch, and append() refuses a second row and lets no such version in.)
CREATE TABLE ledger.head (
    one_row     boolean PRIMARY KEY DEFAULT true,
    position    bigint NOT NULL,
    recorded_at timestamptz NOT NULL
) WITH (fillfactor = 10, autovacuum_vacuum_threshold = 10000, autovacuum_vacuum_scale_factor = 0);
INSERT INTO ledger.head (position, recorded_at) VALUES (0, '-infinity');

CREATE TABLE ledger.commands (
    command_id     uuid PRIMARY KEY,
    request_hash   bytea NOT NULL,
    first_position bigint NOT NULL,
    event_count    integer NOT NULL CHECK (event_count > 0)
);

CREATE TABLE ledger.events (
    position    bigint PRIMARY KEY,
    stream_id   uuid NOT NULL,
    version     integer NOT NULL,
    topic       text NOT NULL,
    recorded_at timestamptz NOT NULL,
    occurred_at timestamptz NOT NULL,
    command_id  uuid NOT NULL,
    salt        bytea NOT NULL,
    meta        bytea NOT NULL,
    payload     bytea NOT NULL,
    leaf        bytea NOT NULL,
    UNIQUE (stream_id, version)
);
-- For "as of an instant": the last position recorded by then.
CREATE INDEX events_recorded_at ON ledger.events (recorded_at, position);

CREATE FUNCTION ledger.refuse_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'ledger.% is append-only: % is refused', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'insufficient_privilege', HINT = 'Record a correcting fact instead.';
END $$;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.events
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.commands
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.identity
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.migrations
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER append_only BEFORE DELETE OR TRUNCATE ON ledger.head
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
-- ALWAYS: a session that calls itself a replica is refused too.
ALTER TABLE ledger.events ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE ledger.commands ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE ledger.identity ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE ledger.migrations ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE ledger.head ENABLE ALWAYS TRIGGER append_only;

-- Records a batch of commands, each whole or not at all, under the lock of ledger.head.
-- Arrays per command: its id, the hash of its request, its own time (used by a story ledger), and the number of its last
-- event in the arrays per event (so the first command's events are 1 to last_events[1], the second's follow, and so on).
-- Answers one row for the batch (command 0: status is the ledger's clock, first_position the first position given out, recorded_at
-- the ledger's time), then one for each command, by its number from 1, that was NOT recorded:
--   repeated   the id is known with the same request: first_position and event_count of its first outcome
--   reused     the id is known with another request
--   backwards  a story's time would run backwards: recorded_at is the ledger's
--   conflict   a version does not follow the stream's last: stream_id, and the version that the stream is at (NULL: no such stream)
-- The commands without a row of their own were recorded, in order, from first_position on.
CREATE FUNCTION ledger.append(
    command_ids uuid[], request_hashes bytea[], instants timestamptz[], last_events integer[],
    stream_ids uuid[], versions integer[], topics text[], occurred_ats timestamptz[],
    salts bytea[], metas bytea[], payloads bytea[]
) RETURNS TABLE (
    command integer, status text, first_position bigint, event_count integer, recorded_at timestamptz,
    stream_id uuid, version integer
)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
-- Each statement is planned once a session, and by its index even while a new ledger's tables are still empty.
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
-- The planner expects a thousand commands of a thousand events; compiling for that would take longer than the batch.
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    command_total integer := cardinality(command_ids);
    event_total   integer := last_events[command_total];
    ledger_clock  text;
    skipped       bigint;       -- the position of an event is this plus its number in the arrays
    latest        timestamptz;  -- the last recorded_at, never to be undercut
    stamp         bytea;        -- the same as it enters the leaf: microseconds since the Unix epoch, 8 bytes
    from_command  integer := 1; -- the commands now tried: first all at once and, if that fails, one at a time
    to_command    integer := command_total;
    from_event    integer;
    to_event      integer;
    refused       boolean;
    refused_together boolean := false;
    violated      text;
    inserted      integer;
    known         ledger.commands%ROWTYPE;
BEGIN
    IF command_total = 0 OR event_total IS NULL
        OR (cardinality(request_hashes), cardinality(instants), cardinality(last_events))
            IS DISTINCT FROM (command_total, command_total, command_total)
        OR (cardinality(stream_ids), cardinality(versions), cardinality(topics), cardinality(occurred_ats),
            cardinality(salts), cardinality(metas), cardinality(payloads))
            IS DISTINCT FROM (event_total, event_total, event_total, event_total, event_total, event_total, event_total)
    THEN
        RAISE EXCEPTION 'the arrays of a batch do not agree' USING ERRCODE = 'array_subscript_error';
    END IF;

    -- The lock. What follows sees all that was committed before, and nobody else appends until this commits.
    UPDATE ledger.head AS h
       SET position = h.position + event_total,
           recorded_at = CASE i.clock WHEN 'wall' THEN GREATEST(h.recorded_at, clock_timestamp()) ELSE h.recorded_at END
      FROM ledger.identity AS i
    RETURNING h.position - event_total, h.recorded_at, i.clock INTO STRICT skipped, latest, ledger_clock;
    command := 0;
    status := ledger_clock;
    first_position := skipped + 1;
    recorded_at := NULLIF(latest, '-infinity');
    RETURN NEXT;
    IF ledger_clock = 'wall' THEN
        stamp := int8send((extract(epoch FROM latest) * 1000000)::bigint);
    END IF;

    WHILE from_command <= command_total LOOP
        from_event := COALESCE(last_events[from_command - 1], 0) + 1;
        to_event := last_events[to_command];
        refused := false;

        IF refused_together THEN
            SELECT * INTO known FROM ledger.commands AS c WHERE c.command_id = command_ids[from_command];
            IF FOUND THEN
                refused := true;
                RETURN QUERY SELECT from_command,
                    CASE WHEN known.request_hash = request_hashes[from_command] THEN 'repeated' ELSE 'reused' END,
                    known.first_position, known.event_count, NULL::timestamptz, NULL::uuid, NULL::integer;
            END IF;
        END IF;

        IF NOT refused AND ledger_clock = 'story' AND EXISTS (
            SELECT FROM generate_series(from_command, to_command) AS c
             WHERE instants[c] IS NULL OR instants[c] < CASE WHEN c = from_command THEN latest ELSE instants[c - 1] END
        ) THEN
            refused := true;
            IF refused_together THEN
                RETURN QUERY SELECT from_command, 'backwards', NULL::bigint, NULL::integer, latest, NULL::uuid, NULL::integer;
            END IF;
        END IF;

        IF NOT refused THEN
            BEGIN
                INSERT INTO ledger.commands (command_id, request_hash, first_position, event_count)
                SELECT command_ids[c], request_hashes[c], skipped + 1 + COALESCE(last_events[c - 1], 0),
                       last_events[c] - COALESCE(last_events[c - 1], 0)
                  FROM generate_series(from_command, to_command) AS c;

                INSERT INTO ledger.events (position, stream_id, version, topic, recorded_at, occurred_at, command_id,
                                           salt, meta, payload, leaf)
                SELECT skipped + n, stream_ids[n], versions[n], topics[n],
                       CASE ledger_clock WHEN 'wall' THEN latest ELSE instants[c] END,
                       occurred_ats[n], command_ids[c], salts[n], metas[n], payloads[n],
                       sha256('\x00'::bytea || int8send(skipped + n)
                           || CASE ledger_clock WHEN 'wall' THEN stamp
                                   ELSE int8send((extract(epoch FROM instants[c]) * 1000000)::bigint) END
                           || metas[n])
                  FROM generate_series(from_command, to_command) AS c,
                       generate_series(COALESCE(last_events[c - 1], 0) + 1, last_events[c]) AS n
                 -- The unique index refuses a version that is there already, and this one that leaves a gap: the version before
                 -- it is the event before it, or is stored, or comes earlier in the batch. (OFFSET 0 keeps the look-up a look-up:
                 -- without it a plan may hash all that is stored.)
                 WHERE versions[n] IN (0, 1)
                    OR (n > from_event AND stream_ids[n - 1] = stream_ids[n] AND versions[n - 1] = versions[n] - 1)
                    OR EXISTS (SELECT FROM ledger.events AS e
                               WHERE e.stream_id = stream_ids[n] AND e.version = versions[n] - 1 OFFSET 0)
                    OR versions[n] - 1 = versions[((
                           -- Once for the batch, and only if an event comes as far as here: which event of its stream is before each.
                           SELECT array_agg(COALESCE(last, 0) ORDER BY m)
                             FROM (SELECT m, lag(m) OVER (PARTITION BY stream_ids[m] ORDER BY m) AS last
                                     FROM generate_series(from_event, to_event) AS m) AS w
                       ))[n - from_event + 1]];
                GET DIAGNOSTICS inserted = ROW_COUNT;
                -- A stream starts at 1, or at 0 as some of the library's own do; then nothing of it may be there.
                IF inserted <> to_event - from_event + 1 OR 0 = ANY (versions) AND EXISTS (
                    SELECT FROM generate_series(from_event, to_event) AS n
                      JOIN ledger.events AS e ON e.stream_id = stream_ids[n] AND e.position < skipped + n
                     WHERE versions[n] = 0
                ) THEN
                    RAISE EXCEPTION 'a version does not follow' USING ERRCODE = 'LG001';
                END IF;
                latest := CASE ledger_clock WHEN 'wall' THEN latest ELSE instants[to_command] END;
            EXCEPTION
                WHEN unique_violation THEN
                    GET STACKED DIAGNOSTICS violated = CONSTRAINT_NAME;
                    -- A position that is taken means that the head was tampered with: nothing may be appended to that.
                    IF violated = 'events_pkey' THEN
                        RAISE;
                    END IF;
                    refused := true;
                WHEN SQLSTATE 'LG001' THEN
                    refused := true;
            END;
            IF refused AND refused_together THEN
                RETURN QUERY
                SELECT from_command, 'conflict', NULL::bigint, NULL::integer, NULL::timestamptz, stream_ids[n], last.version
                  FROM generate_series(from_event, to_event) AS n
                  LEFT JOIN LATERAL (
                      SELECT e.version FROM ledger.events AS e WHERE e.stream_id = stream_ids[n] ORDER BY e.version DESC LIMIT 1
                  ) AS last ON true,
                  LATERAL (
                      SELECT count(*) - 1 AS earlier, (array_agg(versions[m] ORDER BY m))[1] AS first_version
                        FROM generate_series(from_event, n) AS m WHERE stream_ids[m] = stream_ids[n]
                  ) AS own
                 WHERE versions[n] <> COALESCE(last.version + 1, CASE own.first_version WHEN 0 THEN 0 ELSE 1 END) + own.earlier
                 ORDER BY n LIMIT 1;
                IF NOT FOUND THEN
                    RAISE EXCEPTION 'command % is refused, yet its versions follow', from_command USING ERRCODE = 'internal_error';
                END IF;
            END IF;
        END IF;

        IF refused AND NOT refused_together THEN
            -- Something in the batch is not as new and contiguous as most: find out which, one command after the other.
            refused_together := true;
            to_command := 1;
            CONTINUE;
        END IF;
        IF refused THEN
            skipped := skipped - (to_event - from_event + 1);
        END IF;
        from_command := to_command + 1;
        to_command := from_command;
    END LOOP;

    IF refused_together OR ledger_clock = 'story' THEN
        UPDATE ledger.head SET position = skipped + event_total, recorded_at = latest;
    END IF;
END $$;

GRANT USAGE ON SCHEMA ledger TO ledger_writer, ledger_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA ledger TO ledger_writer, ledger_reader;
REVOKE EXECUTE ON FUNCTION ledger.append FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger.append TO ledger_writer;
REVOKE EXECUTE ON FUNCTION ledger.refuse_change FROM PUBLIC;

RESET ROLE;
-- Only a superuser may create event triggers. Without them the log rests on its roles, grants and table triggers.
DO $guard$
BEGIN
    IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = CURRENT_USER) THEN
        RAISE WARNING 'only a superuser may create the event triggers that refuse DROP and ALTER on the log: they are not there';
        RETURN;
    END IF;
    -- In a schema of its own, so that dropping `ledger` does not first take away what refuses it; and not the owner's to drop.
    CREATE SCHEMA ledger_guard;
    CREATE FUNCTION ledger_guard.refuse_ddl() RETURNS event_trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
    DECLARE
        changed text;
    BEGIN
        -- A migration says so; it must be allowed to own the log besides.
        IF current_setting('ledger.migrating', true) = 'on' THEN
            RETURN;
        END IF;
        IF TG_EVENT = 'sql_drop' THEN
            SELECT object_identity INTO changed FROM pg_event_trigger_dropped_objects()
             WHERE schema_name IN ('ledger', 'ledger_guard')
                OR (object_type = 'schema' AND object_name IN ('ledger', 'ledger_guard')) LIMIT 1;
        ELSE
            SELECT object_identity INTO changed FROM pg_event_trigger_ddl_commands()
             WHERE (schema_name IN ('ledger', 'ledger_guard')
                OR (object_type = 'schema' AND object_identity IN ('ledger', 'ledger_guard')))
               AND command_tag NOT IN ('REINDEX', 'COMMENT') LIMIT 1;
        END IF;
        IF changed IS NOT NULL THEN
            RAISE EXCEPTION 'the log is append-only: % of % is refused', TG_TAG, changed
                USING ERRCODE = 'insufficient_privilege', HINT = 'Change the schema by a migration.';
        END IF;
    END $$;
    CREATE EVENT TRIGGER ledger_refuse_alter ON ddl_command_end EXECUTE FUNCTION ledger_guard.refuse_ddl();
    CREATE EVENT TRIGGER ledger_refuse_drop ON sql_drop EXECUTE FUNCTION ledger_guard.refuse_ddl();
    ALTER EVENT TRIGGER ledger_refuse_alter ENABLE ALWAYS;
    ALTER EVENT TRIGGER ledger_refuse_drop ENABLE ALWAYS;
END $guard$;
