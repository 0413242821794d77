-- What runs as a job: how far each simulation is, and what the finished ones found. See notes.md.
CREATE SCHEMA simulations AUTHORIZATION ledger_owner;
SET LOCAL ROLE ledger_owner;

CREATE TABLE simulations.jobs (
    simulation_id uuid PRIMARY KEY,
    position      bigint NOT NULL,
    requested_at  timestamptz NOT NULL,
    requested_by  uuid NOT NULL,
    team_ids      uuid[] NOT NULL,
    state         text NOT NULL DEFAULT 'QUEUED'
                  CHECK (state IN ('QUEUED', 'RUNNING', 'COMPLETED', 'FAILED', 'CANCELLED', 'INTERRUPTED')),
    doing         text,
    done          bigint NOT NULL DEFAULT 0,
    total         bigint NOT NULL DEFAULT 0,
    reason        text,
    digest        text,
    ended_at      timestamptz,
    report        bytea
);
CREATE INDEX jobs_unfinished ON simulations.jobs (position) WHERE state IN ('QUEUED', 'RUNNING');
CREATE INDEX jobs_by_time ON simulations.jobs (position DESC);

GRANT USAGE ON SCHEMA simulations TO ledger_writer, ledger_reader;
GRANT SELECT, INSERT, UPDATE, DELETE ON simulations.jobs TO ledger_writer;
GRANT SELECT ON simulations.jobs TO ledger_reader;
RESET ROLE;
