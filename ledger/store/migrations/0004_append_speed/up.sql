-- Appending what is new, as nearly all of it is, in three statements and without a subtransaction. See notes.md.
SET LOCAL ROLE ledger_owner;

-- The clock is fixed with the ledger, so that the row which every append reads may as well hold it.
ALTER TABLE ledger.head ADD COLUMN clock text NOT NULL DEFAULT 'wall';
UPDATE ledger.head SET clock = i.clock FROM ledger.identity AS i WHERE i.clock <> 'wall';

-- Times do not run backwards along the positions, so that the last position of an instant is found by halving.
DROP INDEX ledger.events_recorded_at;
CREATE FUNCTION ledger.position_at(instant timestamptz) RETURNS bigint
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    WITH RECURSIVE halves (low, high) AS (  -- recorded by then: all up to low, none from high on
        SELECT 0::bigint, h.position + 1 FROM ledger.head AS h
         UNION ALL
        SELECT CASE WHEN e.recorded_at <= instant THEN e.position ELSE s.low END,
               CASE WHEN e.recorded_at <= instant THEN s.high ELSE e.position END
          FROM halves AS s JOIN ledger.events AS e ON e.position = s.low + (s.high - s.low) / 2
         WHERE s.high - s.low > 1
    )
    SELECT max(low) FROM halves
$$;

-- Records a batch of commands, all of it or nothing, under the lock of ledger.head. It answers the first position given out, and the
-- time of recording of all of them; the events are recorded in order from there on.
-- Arrays per command: its id, the hash of its request, and the number of its first event in the arrays per event (from 1).
-- Arrays per event: the id of its command, and its own columns.
-- Anything that is not as new and contiguous as it should be is an error, and then append() says of each command what it is:
--   unique_violation  a command's id is known, or a version of a stream is there
--   LG001             a version does not follow the event before it in the batch, or the last that was stored
--   LG002             the ledger's clock is the story's
CREATE FUNCTION ledger.append_new(
    new_ids uuid[], request_hashes bytea[], first_events integer[],
    command_ids uuid[], stream_ids uuid[], versions integer[], topics text[], occurred_ats timestamptz[],
    salts bytea[], metas bytea[], payloads bytea[], OUT first_position bigint, OUT recorded_at timestamptz
)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    command_total integer := cardinality(new_ids);
    event_total   integer := cardinality(stream_ids);
    skipped       bigint;       -- the position of an event is this plus its number in the arrays
    latest        timestamptz;
    stamp         bytea;        -- the same as it enters the leaf: microseconds since the Unix epoch, 8 bytes
    ledger_clock  text;
    inserted      integer;
BEGIN
    -- Other arrays that are too short have no value where a column wants one.
    IF first_events[1] IS DISTINCT FROM 1 OR first_events[command_total] > event_total THEN
        RAISE EXCEPTION 'the arrays of a batch do not agree' USING ERRCODE = 'array_subscript_error';
    END IF;

    -- The lock. What follows sees all that was committed before, and nobody else appends until this commits.
    UPDATE ledger.head AS h SET position = h.position + event_total, recorded_at = GREATEST(h.recorded_at, clock_timestamp())
    RETURNING h.position - event_total, h.recorded_at, h.clock INTO STRICT skipped, latest, ledger_clock;
    IF ledger_clock <> 'wall' THEN
        RAISE EXCEPTION 'a story is told by append()' USING ERRCODE = 'LG002';
    END IF;
    stamp := int8send((extract(epoch FROM latest) * 1000000)::bigint);

    INSERT INTO ledger.commands (command_id, request_hash, first_position, event_count)
    SELECT new_ids[c], request_hashes[c], skipped + first_events[c],
           COALESCE(first_events[c + 1], event_total + 1) - first_events[c]
      FROM generate_series(1, command_total) AS c;

    IF 1 = ALL (versions) THEN
        INSERT INTO ledger.events (position, stream_id, version, topic, recorded_at, occurred_at, command_id,
                                   salt, meta, payload, leaf)
        SELECT skipped + n, stream_ids[n], versions[n], topics[n], latest, occurred_ats[n], command_ids[n],
               salts[n], metas[n], payloads[n], sha256('\x00'::bytea || int8send(skipped + n) || stamp || metas[n])
          FROM generate_series(1, event_total) AS n;
    ELSE
        INSERT INTO ledger.events (position, stream_id, version, topic, recorded_at, occurred_at, command_id,
                                   salt, meta, payload, leaf)
        SELECT skipped + n, stream_ids[n], versions[n], topics[n], latest, occurred_ats[n], command_ids[n],
               salts[n], metas[n], payloads[n], sha256('\x00'::bytea || int8send(skipped + n) || stamp || metas[n])
          FROM generate_series(1, event_total) AS n
         -- The unique index refuses a version that is there already, and this one that leaves a gap.
         WHERE versions[n] = 1
            OR (stream_ids[n - 1] = stream_ids[n] AND versions[n - 1] = versions[n] - 1)
            OR EXISTS (SELECT FROM ledger.events AS e
                       WHERE e.stream_id = stream_ids[n] AND e.version = versions[n] - 1 OFFSET 0);
        GET DIAGNOSTICS inserted = ROW_COUNT;
        IF inserted <> event_total THEN
            RAISE EXCEPTION 'a version does not follow' USING ERRCODE = 'LG001';
        END IF;
    END IF;
    first_position := skipped + 1;
    recorded_at := latest;
END $$;

REVOKE EXECUTE ON FUNCTION ledger.append_new, ledger.position_at FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger.append_new TO ledger_writer;
GRANT EXECUTE ON FUNCTION ledger.position_at TO ledger_writer, ledger_reader;
RESET ROLE;
