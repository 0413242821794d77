"""What must hold after every fault.

Each acknowledged command is there exactly once; positions have no gap; the root over the stored bytes is the one that was signed outside;
and the views are what a fresh replay makes them. Stored bytes are read here by themselves, and leaves, tree and order computed anew; only
the folding of views is the program's own. Each of the four parts is shown to fail in test_oracle.py.
"""

import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from struct import pack
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
from msgspec import Struct

from ledger.store.application import Ledger
from ledger.store.integrity.checkpoint import Checkpoint
from projections.projector import View
from projections.rows import Rows
from tests.integrity.independent import mth
from tests.projections.recording import contents

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ROWS = (
    """SELECT position, stream_id, version, recorded_at, command_id, meta, leaf FROM ledger.events ORDER BY position"""
)
_POSITIONS = "SELECT view, position, fault FROM views.positions"
#: Enough to see what is wrong.
SHOWN = 5


class Kept(NamedTuple):
    """What a sender was told: where its command is, and with which leaves."""

    first_position: int
    last_position: int
    leaves: tuple[bytes, ...]


class Book:
    """What the senders asked for, and what was acknowledged. Safe for many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.asked: dict[UUID, int | None] = {}
        self.kept: dict[UUID, Kept] = {}
        self.contradictions: list[str] = []

    def ask(self, command_id: UUID, events: int | None = None) -> None:
        """This will note a command before it is sent; `events` None: the sender can't know how many facts it makes."""
        with self._lock:
            self.asked[command_id] = events

    def acknowledge(self, command_id: UUID, first_position: int, last_position: int, leaves: Iterable[bytes]) -> None:
        """This will note an answer; another one for the same command must say the same."""
        told = Kept(first_position, last_position, tuple(leaves))
        with self._lock:
            before = self.kept.setdefault(command_id, told)
            if before != told:
                self.contradictions.append(f"command {command_id} was told {before[:2]} first and {told[:2]} later")


class Row(NamedTuple):
    """A fact as it is stored."""

    position: int
    stream_id: UUID
    version: int
    recorded_at: datetime
    command_id: UUID
    meta: bytes
    leaf: bytes


class Found(Struct, frozen=True):
    """What the oracle found. It holds when `faults` is empty."""

    acknowledged: int
    #: Acknowledged commands that are not there as they were told.
    lost: int
    #: Commands that are there more than once.
    repeated: int
    #: Positions that are missing.
    gaps: int
    #: Facts in the log.
    facts: int
    #: Sentences; each begins with the part that says it: `once`, `order`, `root`, `views`.
    faults: tuple[str, ...]

    @property
    def parts(self) -> set[str]:
        """The parts of the oracle that something is wrong with."""
        return {fault.split(":")[0] for fault in self.faults}


def examine(
    url: str,
    book: Book | None = None,
    *,
    checkpoint: Checkpoint | None = None,
    views: Sequence[View] = (),
    alone: bool = True,
) -> Found:
    """This will look at everything. `alone`: nobody but those in the book wrote after the ledger was founded.

    `views` are compared as they stand: let them catch up before.
    """
    with psycopg.connect(url) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        rows = [Row(*row) for row in connection.execute(_ROWS)]
        head = connection.execute("SELECT position FROM ledger.head").fetchone()
    faults: list[str] = []
    lost, repeated = _once(rows, book or Book(), faults, alone=alone and book is not None)
    gaps = _order(rows, 0 if head is None else head[0], faults)
    _root(rows, checkpoint, faults)
    if views:
        _views(url, views, faults)
    return Found(len(book.kept) if book else 0, lost, repeated, gaps, len(rows), tuple(faults))


def _once(rows: Sequence[Row], book: Book, faults: list[str], *, alone: bool) -> tuple[int, int]:
    there: dict[UUID, list[Row]] = {}
    for row in rows:
        there.setdefault(row.command_id, []).append(row)
    lost = [command for command, kept in book.kept.items() if not _is_there(there.get(command, []), kept)]
    faults += [f"once: command {c} was acknowledged at {book.kept[c][:2]} and is not there" for c in lost[:SHOWN]]
    repeated = []
    for command, found in there.items():
        asked = book.asked.get(command)
        one_run = found[-1].position - found[0].position == len(found) - 1
        if not one_run or (asked is not None and len(found) != asked):
            repeated.append(command)
    faults += [f"once: command {c} is there at {[r.position for r in there[c]][:4]}" for c in repeated[:SHOWN]]
    if alone:
        strangers = [command for command in there if command not in book.asked]
        faults += [f"once: command {c} is there, and nobody asked for it" for c in strangers[:SHOWN]]
    faults += [f"once: {sentence}" for sentence in book.contradictions[:SHOWN]]
    return len(lost), len(repeated)


def _is_there(found: Sequence[Row], kept: Kept) -> bool:
    told = dict(enumerate(kept.leaves, kept.first_position))
    stored = {row.position: row.leaf for row in found}
    return all(stored.get(position) == leaf for position, leaf in told.items()) and kept.last_position in stored


def _order(rows: Sequence[Row], head: int, faults: list[str]) -> int:
    positions = [row.position for row in rows]
    missing = sorted(set(range(1, max([head, *positions], default=0) + 1)) - set(positions))
    if missing:
        faults.append(f"order: {len(missing)} positions are missing, the first is {missing[0]}")
    if positions and positions[-1] > head:
        faults.append(f"order: the head says {head}, and there are facts up to {positions[-1]}")
    versions: Counter[UUID] = Counter()
    for before, row in zip([None, *rows], rows, strict=False):
        versions[row.stream_id] += 1
        if row.version != versions[row.stream_id]:
            faults.append(f"order: position {row.position} has version {row.version}, {versions[row.stream_id]} is due")
            break
        if before is not None and row.recorded_at < before.recorded_at:
            faults.append(f"order: position {row.position} was recorded before the one before it")
            break
    return len(missing)


def envelope(row: Row) -> bytes:
    """This will put together what a leaf is the hash of."""
    stamp = (row.recorded_at - _EPOCH) // timedelta(microseconds=1)
    return pack(">qq", row.position, stamp) + row.meta


def _root(rows: Sequence[Row], checkpoint: Checkpoint | None, faults: list[str]) -> None:
    envelopes = [envelope(row) for row in rows]
    for row, entry in zip(rows, envelopes, strict=True):
        if sha256(b"\0" + entry).digest() != row.leaf:
            faults.append(f"root: the leaf at {row.position} is not its envelope's")
            break
    if checkpoint is None:
        return
    if len(rows) < checkpoint.size:
        faults.append(f"root: {checkpoint.size} facts were signed, and {len(rows)} are there")
    elif mth(envelopes[: checkpoint.size]) != checkpoint.root:
        faults.append(f"root: the first {checkpoint.size} facts have another root than the checkpoint outside")


def _views(url: str, views: Sequence[View], faults: list[str]) -> None:
    with Ledger(url) as ledger:
        head = ledger.head()
        events = [event for after in range(0, head, 5_000) for event in ledger.read(after, 5_000)]
    with psycopg.connect(url) as connection:
        known = {name: (position, fault) for name, position, fault in connection.execute(_POSITIONS)}
    stored = contents(url, views)
    for view in views:
        position, fault = known.get(view.name, (0, "it was never made"))
        if position != head or fault is not None:
            faults.append(f"views: {view.name} stands at {position} of {head} ({fault})")
            continue
        rows = Rows(view.tables)
        view.fold(rows, events)
        for table, folded in rows.tables.items():
            versions = folded.versions + folded.fresh()
            wanted = {_comparable(_stored(table, *version)) for version in versions}
            there = {_comparable(row) for row in stored[table.name]}
            if wanted != there or len(versions) != len(stored[table.name]):
                faults.append(
                    f"views: {table.name} of {view.name} has {len(stored[table.name])} versions of rows,"
                    f" {len(there - wanted)} of them wrong; a replay has {len(versions)}, {len(wanted - there)} of them missing"
                )


def _stored(table: Any, valid_from: int, valid_to: int | None, row: Any) -> tuple[Any, ...]:
    return (*[column.value(row) for column in table.columns], valid_from, valid_to, table.encode(row))


def _comparable(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(_plain(value) for value in row)


def _plain(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return tuple(_plain(one) for one in value)
    if isinstance(value, bool | int | float | bytes | UUID | None.__class__):
        return value
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    if isinstance(value, str):
        return str(value).replace("\0", "\ufffd")
    return float(value)  # a Decimal's column holds a float8
