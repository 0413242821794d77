-- Webhooks: who is told of what, how far each has been told, and what could not be told. See notes.md.
CREATE SCHEMA webhooks AUTHORIZATION ledger_owner;
SET LOCAL ROLE ledger_owner;

CREATE TABLE webhooks.endpoints (
    endpoint_id     uuid PRIMARY KEY,
    url             text NOT NULL CHECK (length(url) <= 2000),
    types           text[] NOT NULL CHECK (cardinality(types) > 0),
    -- Only of this team; NULL: of every team.
    team_id         uuid,
    -- Encrypted under the pepper, which the database does not know.
    secret          bytea NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- It has been told of every fact up to here.
    position        bigint NOT NULL CHECK (position >= 0),
    -- Attempts that failed in a row, and those of them in which the message at hand was refused.
    failures        integer NOT NULL DEFAULT 0,
    refusals        integer NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- Why the last attempt failed; NULL: it did not.
    fault           text,
    -- Since when nothing is sent any more; NULL: it is.
    paused_at       timestamptz
);

-- What time alone brings about is told once: of which decision, and what.
CREATE TABLE webhooks.told (
    endpoint_id uuid NOT NULL REFERENCES webhooks.endpoints ON DELETE CASCADE,
    message_id  text NOT NULL,
    told_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (endpoint_id, message_id)
);

-- What an endpoint refused for good.
CREATE TABLE webhooks.dead_letters (
    endpoint_id uuid NOT NULL REFERENCES webhooks.endpoints ON DELETE CASCADE,
    message_id  text NOT NULL,
    type        text NOT NULL,
    position    bigint,
    body        bytea NOT NULL,
    attempts    integer NOT NULL,
    fault       text NOT NULL,
    died_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (endpoint_id, message_id)
);

GRANT USAGE ON SCHEMA webhooks TO ledger_writer;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA webhooks TO ledger_writer;
RESET ROLE;
