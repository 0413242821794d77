"""Reads the log once into columns, keeps them in a file, and reads only what is new the next time."""

from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, LiteralString
from uuid import UUID

import msgspec
import numpy as np
from msgspec import Struct

from ledger.collector import without_collector
from ledger.events import FACT_TYPES, TOPICS
from ledger.events.redaction import FactRedacted
from ledger.replay import keeping
from ledger.replay.history import COLUMNS, EPOCH, UNSAID, History, micros, ordered
from ledger.replay.keeping import Kept
from ledger.replay.kinds import READINGS, TOPICS_READ, WIDTH
from ledger.replay.numbers import Numbers
from ledger.store.codec import PAYLOAD, decode
from ledger.store.connections import ONE_STATE, Connection, patient_connection
from ledger.values import Source

PAGE = 20_000
#: Microseconds between PostgreSQL's epoch (2000) and 1970.
_POSTGRES_EPOCH_US = 946_684_800_000_000

Progress = Callable[[int, int], None]

_PAGE: LiteralString = f"""
SELECT position, uuid_send(stream_id), topic, timestamptz_send(recorded_at), timestamptz_send(occurred_at), meta, {PAYLOAD}
  FROM ledger.events WHERE position > %s AND position <= %s AND topic = ANY(%s) ORDER BY position"""  # noqa: S608 - literal pieces
_HEAD: LiteralString = "SELECT i.ledger_id, h.position FROM ledger.identity AS i, ledger.head AS h"
_LEAF: LiteralString = "SELECT leaf FROM ledger.events WHERE position = %s"


class _Provenance(Struct, frozen=True):
    """What a replay reads of an envelope."""

    class_version: int
    source: Source | None = None


_TOPICS = [*TOPICS_READ, TOPICS[FactRedacted]]
_meta = msgspec.json.Decoder(_Provenance).decode
_EMPTY: dict[str, Any] = {
    "kind": np.empty(0, np.uint8),
    "subject": np.empty(0, np.int32),
    "positions": np.empty(0, np.int64),
    "known": np.empty(0, np.int64),
    "occurred": np.empty(0, np.int64),
    "imported": np.empty(0, np.bool_),
    "figures": np.empty((0, WIDTH), np.float64),
}


def load(
    database_url: str,
    cache: Path | None = None,
    progress: Progress = lambda done, total: None,
    *,
    upto: int | None = None,
) -> History:
    """This will give the log as columns. With a folder, what was read before comes from a file there, and the file is extended.

    `upto`: only the facts up to this position, so that a report can be made again on a ledger that has grown; the file is left alone then.

    A file that is damaged, of another ledger, or of a log that has since been restored to something else is read anew. The database is
    read in one snapshot. Raises psycopg.OperationalError when it can't be reached.
    """
    with patient_connection(database_url) as connection, connection.transaction():
        connection.execute(ONE_STATE)
        connection.execute("SET ROLE ledger_reader") if _may_be_reader(connection) else None
        ledger_id, head = connection.execute(_HEAD).fetchone()  # type: ignore[misc]
        path = None if cache is None or upto is not None else keeping.file_of(cache, ledger_id)
        head = head if upto is None else min(head, upto)
        kept = None if path is None else _kept(path, ledger_id, head, connection)
        numbers, columns, after = (Numbers(), _EMPTY, 0) if kept is None else kept
        if after < head:
            with without_collector():
                columns = _extended(columns, _rows(connection, after, head, progress), numbers)
            if path is not None:
                keeping.keep(path, Kept(ledger_id, head, _leaf(connection, head), numbers), columns)
    progress(head, head)
    return ordered(ledger_id, head, names=numbers.names(), **columns)


def _kept(path: Path, ledger_id: UUID, head: int, connection: Connection) -> tuple[Numbers, dict[str, Any], int] | None:
    """This will give what was kept, and up to where; None where there is nothing, or nothing that belongs to this log."""
    if (found := keeping.opened(path)) is None:
        return None
    kept, columns = found
    if kept.ledger_id != ledger_id or kept.position > head or kept.leaf != _leaf(connection, kept.position):
        return None
    return kept.numbers, columns, kept.position


def _may_be_reader(connection: Connection) -> bool:
    found = connection.execute(
        "SELECT 1 FROM pg_roles WHERE rolname = 'ledger_reader' AND pg_has_role(oid, 'SET')"
    ).fetchone()
    return found is not None


def _leaf(connection: Connection, position: int) -> bytes:
    found = connection.execute(_LEAF, [position]).fetchone()
    return b"" if found is None else bytes(found[0])


def _rows(connection: Connection, after: int, head: int, progress: Progress) -> Iterator[list[tuple[Any, ...]]]:
    with connection.cursor(binary=True) as cursor:
        while after < head:
            upto = min(after + PAGE, head)
            yield cursor.execute(_PAGE, [after, upto, _TOPICS], prepare=True).fetchall()
            after = upto
            progress(after, head)


def _extended(columns: dict[str, Any], pages: Iterator[list[tuple[Any, ...]]], numbers: Numbers) -> dict[str, Any]:
    parts = [columns, *(_columns(page, numbers) for page in pages)]
    return {name: np.concatenate([part[name] for part in parts]) for name in COLUMNS}


def _columns(page: list[tuple[Any, ...]], numbers: Numbers) -> dict[str, Any]:
    kinds, imported = bytearray(), bytearray()
    subjects, positions, known, figures = array("i"), array("q"), array("q"), array("d")
    recorded, occurred = bytearray(), bytearray()
    blank = tuple([float("nan")] * WIDTH)
    streams = {
        "proposal": numbers.proposals,
        "team": numbers.teams,
        "review": numbers.reviews,
        "policy": numbers.policies,
    }
    for position, stream, topic, recorded_at, occurred_at, meta, payload in page:
        provenance = _meta(meta)
        fact = _fact(topic, provenance, meta, payload)
        if isinstance(fact, FactRedacted):
            numbers.redact(fact)
            continue
        reading = READINGS[type(fact)]
        given = streams[reading.stream]
        own = given.setdefault(stream, len(given))
        found = reading.figures(fact, numbers)
        if found is None:
            continue
        numbers.call(own, fact)
        kinds.append(reading.kind)
        subjects.append(own)
        positions.append(position)
        source = provenance.source
        imported.append(source is not None)
        known.append(0 if source is None else UNSAID if source.known_at is None else micros(source.known_at))
        recorded += recorded_at
        occurred += occurred_at
        figures.extend(found + blank[len(found) :])
    is_imported = np.frombuffer(bytes(imported), np.bool_)
    return {
        "kind": np.frombuffer(bytes(kinds), np.uint8),
        "subject": np.array(subjects, np.int32),
        "positions": np.array(positions, np.int64),
        "known": np.where(is_imported, np.array(known, np.int64), _instants(recorded)),
        "occurred": _instants(occurred),
        "imported": is_imported,
        "figures": np.array(figures, np.float64).reshape(-1, WIDTH),
    }


def _instants(sent: bytearray) -> Any:
    return np.frombuffer(bytes(sent), ">i8").astype(np.int64) + _POSTGRES_EPOCH_US


_decoders: dict[str, tuple[int, Callable[[bytes], Struct]]] = {}


def _fact(topic: str, provenance: _Provenance, meta: bytes, payload: bytes) -> Struct:
    """This will read a payload; one of an earlier version goes through the codec, which knows how to bring it up."""
    known = _decoders.get(topic)
    if known is None:
        found = FACT_TYPES[topic]
        known = _decoders[topic] = (found.version, msgspec.json.Decoder(found.type).decode)
    version, read = known
    if provenance.class_version != version:
        return decode(0, EPOCH, topic, meta, payload).fact
    return read(payload)
