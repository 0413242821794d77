"""What breaks the ledger's own functions in the database, for tests that have to fail on a broken one."""

import psycopg

FUNCTIONS = ("append", "append_new")
_SOURCE = "SELECT pg_get_functiondef(to_regproc('ledger.' || %s))"

#: By what it amounts to: what stands in the functions, and what takes its place.
DOES_NOT_KNOW_ITS_COMMANDS_AGAIN = {
    "SELECT new_ids[c],": "SELECT gen_random_uuid(),",
    "SELECT command_ids[c],": "SELECT gen_random_uuid(),",
}
LETS_TIMES_RUN_BACK = {"GREATEST(h.recorded_at, clock_timestamp())": "clock_timestamp()"}
TAKES_THE_SENDERS_CLOCK = {"GREATEST(h.recorded_at, clock_timestamp())": "occurred_ats[1]"}


def rewrite(url: str, changes: dict[str, str]) -> None:
    """This will put other words into the functions that append, as only a superuser can."""
    with psycopg.connect(url, autocommit=True) as superuser:
        superuser.execute("SET ledger.migrating = 'on'")
        found = 0
        for name in FUNCTIONS:
            row = superuser.execute(_SOURCE, [name]).fetchone()
            assert row is not None
            source = row[0]
            for piece, other in changes.items():
                found += source.count(piece)
                source = source.replace(piece, other)
            superuser.execute(source)
    assert found >= len(FUNCTIONS), "the functions read otherwise now"
