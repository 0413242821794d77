"""An export back into an empty ledger: the same positions, times, leaves and root."""

from datetime import datetime
from pathlib import Path

from msgspec import Struct

from ledger.store.connections import Connection, patient_connection
from ledger.store.integrity.checking import Joined, checked
from ledger.store.integrity.export import Unfit, pages
from ledger.store.integrity.rows import Page, Row
from ledger.store.integrity.verifying import Progress

#: Who may insert at chosen positions: the owner, by the migrator.
MIGRATOR = "ledger_migrator"

_EVENTS = (
    "COPY ledger.events (position, recorded_at, stream_id, version, topic, occurred_at, command_id, salt, meta, payload, leaf)"
    " FROM STDIN"
)
_COMMANDS = "COPY ledger.commands (command_id, request_hash, first_position, event_count) FROM STDIN"


class NotEmpty(Exception):  # noqa: N818 - named for what it is
    """The ledger has facts already."""


class Restored(Struct, frozen=True):
    """What was put back."""

    facts: int
    root: bytes


class _Command(Struct):
    command_id: str
    request_hash: bytes
    first_position: int
    event_count: int


def restore(url: str, path: Path, progress: Progress = lambda _done, _total: None) -> Restored:
    """This will fill an empty, migrated ledger from an export, all or nothing. Progress is in bytes.

    Raises NotEmpty, and Unfit for the first fact that does not hold.
    """
    total = path.stat().st_size
    joined = Joined()
    commands: list[_Command] = []
    last_at: datetime | None = None
    with patient_connection(url) as connection, connection.transaction(), path.open("rb") as file:
        _take(connection)
        with connection.cursor() as cursor, cursor.copy(_EVENTS) as copy:
            for page in pages(file):
                rows = [row for row, _ in page]
                if fault := joined.add(checked(joined.next, [Page.of(rows)])):
                    raise Unfit(fault)
                for row, request_hash in page:
                    copy.write_row(row)
                    _count(commands, row, request_hash)
                last_at = rows[-1].recorded_at if rows else last_at
                progress(file.tell(), total)
        if fault := joined.finish():
            raise Unfit(fault)
        with connection.cursor() as cursor, cursor.copy(_COMMANDS) as copy:
            for command in commands:
                copy.write_row((command.command_id, command.request_hash, command.first_position, command.event_count))
        if last_at is not None:
            connection.execute("UPDATE ledger.head SET position = %s, recorded_at = %s", [joined.next - 1, last_at])
    return Restored(joined.next - 1, joined.frontier.root())


def _take(connection: Connection) -> None:
    connection.execute(f"SET ROLE {MIGRATOR}")
    row = connection.execute("SELECT position FROM ledger.head FOR UPDATE").fetchone()
    if row != (0,):
        raise NotEmpty("this ledger has facts already; an export goes into an empty one")


def _count(commands: list[_Command], row: Row, request_hash: bytes | None) -> None:
    if request_hash is not None:
        commands.append(_Command(row.command_id, request_hash, row.position, 1))
    elif commands and commands[-1].command_id == row.command_id:
        commands[-1].event_count += 1
