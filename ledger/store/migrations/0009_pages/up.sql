-- Pages: thousands of new commands in one statement, for importing histories. See notes.md.
SET LOCAL ROLE ledger_owner;

-- One event on its way in. The first of a command has the hash of its request, its others have none.
CREATE TYPE ledger.incoming AS (
    command_id uuid, request_hash bytea, at timestamptz, stream_id uuid, version integer, occurred_at timestamptz,
    salt bytea, topic text, meta bytea, payload bytea
);

-- Records a page of commands, all of them or none, under the lock of ledger.head as ledger.append() does.
-- `page` counts from 1 in a session: one that does not follow the last recorded one is refused, so that nothing overtakes what was refused
-- or failed before it. Answers the first position, and the time of recording, and no row if the page is refused: something in it is known
-- already or does not follow, or the ledger has a story's clock. Then nothing happened, and ledger.append() can tell what of it is at fault.
CREATE FUNCTION ledger.append_page(page bigint, events ledger.incoming[])
RETURNS TABLE (first_position bigint, recorded_at timestamptz)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
-- As for ledger.append(): planned once a session, and by its index even while a new ledger's tables are still empty.
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    total    integer := cardinality(events);
    skipped  bigint;  -- the position of an event is this plus its number in the array
    latest   timestamptz;
    stamp    bytea;   -- the time of recording as it enters the leaf: microseconds since the Unix epoch, 8 bytes
    violated text;
BEGIN
    IF total = 0 OR events[1].request_hash IS NULL OR page <> COALESCE(NULLIF(current_setting('ledger.page', true), ''), '0')::bigint + 1 THEN
        RETURN;
    END IF;

    UPDATE ledger.head AS h SET position = h.position + total, recorded_at = GREATEST(h.recorded_at, clock_timestamp())
     WHERE h.clock = 'wall' RETURNING h.position - total, h.recorded_at INTO skipped, latest;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    stamp := int8send((extract(epoch FROM latest) * 1000000)::bigint);

    WITH incoming AS MATERIALIZED (
        SELECT * FROM unnest(events) WITH ORDINALITY
            AS e (command_id, request_hash, at, stream_id, version, occurred_at, salt, topic, meta, payload, n)
    ), commands AS (
        INSERT INTO ledger.commands (command_id, request_hash, first_position, event_count)
        SELECT command_id, request_hash, skipped + n, lead(n, 1, total + 1::bigint) OVER (ORDER BY n) - n
          FROM incoming WHERE request_hash IS NOT NULL
    )
    INSERT INTO ledger.events (position, stream_id, version, topic, recorded_at, occurred_at, command_id, salt, meta, payload, leaf)
    SELECT skipped + n, stream_id, version, topic, latest, occurred_at, command_id, salt, meta, payload,
           sha256('\x00'::bytea || int8send(skipped + n) || stamp || meta)
      FROM incoming
     -- An event without a hash is of the same command as the one before it.
     WHERE request_hash IS NOT NULL OR command_id = events[(n - 1)::integer].command_id;

    -- The unique indexes have refused what was there already. What is there now has its predecessor before it.
    IF (SELECT count(*) FROM ledger.events AS e
         WHERE e.position > skipped AND e.position <= skipped + total
           AND (e.version = 1 OR EXISTS (
               SELECT FROM ledger.events AS b
                WHERE b.stream_id = e.stream_id AND b.version = e.version - 1 AND b.position < e.position OFFSET 0))
       ) <> total
    THEN
        RAISE EXCEPTION 'a version does not follow' USING ERRCODE = 'LG001';
    END IF;
    PERFORM set_config('ledger.page', page::text, false);
    first_position := skipped + 1;
    recorded_at := latest;
    RETURN NEXT;
EXCEPTION
    WHEN unique_violation THEN
        GET STACKED DIAGNOSTICS violated = CONSTRAINT_NAME;
        -- A position that is taken means that the head was tampered with: nothing may be appended to that.
        IF violated = 'events_pkey' THEN
            RAISE;
        END IF;
    WHEN SQLSTATE 'LG001' THEN
        NULL;
END $$;

REVOKE EXECUTE ON FUNCTION ledger.append_page FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger.append_page TO ledger_writer;
RESET ROLE;
