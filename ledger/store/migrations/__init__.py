"""Forward-only migrations of the schemas `ledger` and `directory`: a folder each with `up.sql`, `check.sql` and `notes.md`.

The views are not here: they can always be built again from the facts, so the projections create their own tables.
"""

import hashlib
import logging
from pathlib import Path
from typing import Literal, NamedTuple

from psycopg.errors import Diagnostic

from ledger.store.connections import Connection, own_connection, patient_connection
from ledger.store.faults import ClockIsFixed, MigrationChanged, MigrationFailed

log = logging.getLogger(__name__)

Clock = Literal["wall", "story"]

#: The advisory lock, one per database, that migrating processes take in turn: "ledger" in ASCII.
LOCK = int.from_bytes(b"ledger")


class Migration(NamedTuple):
    """One step: its name, its SQL, and the query that must answer true when it is done."""

    name: str
    sql: str
    check: str

    @property
    def sha256(self) -> str:
        """This will give the hash, hexadecimal, by which a changed text is known."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def migrations(folder: Path = Path(__file__).parent) -> list[Migration]:
    """This will read the migrations of a folder, in the order in which they apply."""
    return [
        Migration(up.parent.name, up.read_text("utf-8"), (up.parent / "check.sql").read_text("utf-8"))
        for up in sorted(folder.glob("[0-9]*/up.sql"))
    ]


def migrate(url: str, *, clock: Clock | None = None, folder: Path = Path(__file__).parent) -> list[str]:
    """This will bring the database up to date and name the migrations it applied, each in a transaction of its own.

    It may run any number of times and in many processes at once. `clock` counts when the ledger is made (None: wall) and is
    fixed from then on. Raises ClockIsFixed for another clock than the ledger has, MigrationChanged if the text of an applied
    migration is not what it was, and MigrationFailed if a check does not hold.
    """
    steps = migrations(folder)
    applied: list[str] = []
    with own_connection(url, None) as connection:  # a large table may take longer than anybody would wait
        connection.add_notice_handler(_tell)
        connection.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        done = _recorded(connection)
        _refuse_changed(steps, done)
        for step in steps:
            if step.name not in done:
                _apply(connection, step, clock or "wall")
                applied.append(step.name)
        row = connection.execute("SELECT clock FROM ledger.identity").fetchone()
        if clock is not None and row != (clock,):
            raise ClockIsFixed(
                f"This ledger was made with the clock {row and row[0]}, for good. Make another one for the clock {clock}."
            )
    return applied


def pending(url: str) -> list[str]:
    """This will name the migrations that the database lacks; it changes nothing and raises MigrationChanged as `migrate` does."""
    steps = migrations()
    with patient_connection(url) as connection:
        done = _recorded(connection)
    _refuse_changed(steps, done)
    return [step.name for step in steps if step.name not in done]


def _tell(notice: Diagnostic) -> None:
    if notice.severity_nonlocalized == "WARNING":
        log.warning("%s", notice.message_primary)


def _recorded(connection: Connection) -> dict[str, str]:
    found = connection.execute("SELECT to_regclass('ledger.migrations')").fetchone()
    if found == (None,):
        return {}
    rows = connection.execute("SELECT name, sha256 FROM ledger.migrations").fetchall()
    return dict(rows)


def _refuse_changed(steps: list[Migration], done: dict[str, str]) -> None:
    known = {step.name: step.sha256 for step in steps}
    for name, sha256 in done.items():
        if name not in known:
            raise MigrationChanged(
                f"{name} was applied to this database but is not in this version of the program: upgrade it"
            )
        if known[name] != sha256:
            raise MigrationChanged(
                f"the text of {name} has changed since it was applied: write a new migration instead"
            )


def _apply(connection: Connection, step: Migration, clock: Clock) -> None:
    with connection.transaction():
        connection.execute(
            "SELECT set_config('ledger.migrating', 'on', true), set_config('ledger.clock', %s, true)", [clock]
        )
        connection.execute(step.sql)
        connection.execute("RESET ROLE")
        if connection.execute(step.check).fetchone() != (True,):
            raise MigrationFailed(f"{step.name} ran but its check does not hold: nothing of it was kept")
        connection.execute("INSERT INTO ledger.migrations (name, sha256) VALUES (%s, %s)", [step.name, step.sha256])
