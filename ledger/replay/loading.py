"""Reads the log once into columns, keeps them in a file, and reads only what is new the next time."""

import os
import sys
import zipfile
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, LiteralString
from uuid import UUID

import msgspec
import numpy as np
from msgspec import Struct

from ledger.collector import without_collector
from ledger.events import FACT_TYPES, TOPICS
from ledger.events.proposal import ProposalSubmitted
from ledger.events.redaction import FactRedacted
from ledger.events.team import TeamFormed
from ledger.ranking import Formula
from ledger.replay.history import COLUMNS, EPOCH, UNSAID, History, Names, micros, ordered
from ledger.replay.kinds import READINGS, TOPICS_READ, WIDTH
from ledger.store.codec import PAYLOAD, decode
from ledger.store.connections import Connection, patient_connection
from ledger.values import Source

#: Moves when the columns mean something else: an older file is then read anew from the log.
FORMAT = 2
PAGE = 20_000
#: The folder for the files, under the data folder.
CACHE = "replay"
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


_SUBMITTED, _FORMED = TOPICS[ProposalSubmitted], TOPICS[TeamFormed]
_TOPICS = [*TOPICS_READ, TOPICS[FactRedacted]]
_meta = msgspec.json.Decoder(_Provenance).decode


@dataclass
class _Named:
    """The numbers that were given so far."""

    proposals: dict[bytes, int] = field(default_factory=dict)
    titles: dict[int, str] = field(default_factory=dict)
    areas: dict[int, str] = field(default_factory=dict)
    teams: dict[bytes, int] = field(default_factory=dict)
    team_names: dict[int, str] = field(default_factory=dict)
    reviews: dict[bytes, int] = field(default_factory=dict)
    policies: dict[bytes, int] = field(default_factory=dict)
    formulas: list[Formula] = field(default_factory=list)
    open_concerns: set[bytes] = field(default_factory=set)

    def proposal(self, stream_id: UUID) -> int:
        return self.proposals.setdefault(stream_id.bytes, len(self.proposals))

    def team(self, stream_id: UUID) -> int:
        return self.teams.setdefault(stream_id.bytes, len(self.teams))

    def review(self, stream_id: UUID) -> int:
        return self.reviews.setdefault(stream_id.bytes, len(self.reviews))

    def policy(self, stream_id: UUID) -> int:
        return self.policies.setdefault(stream_id.bytes, len(self.policies))

    def formula(self, formula: Formula) -> int:
        self.formulas.append(formula)
        return len(self.formulas) - 1

    def redact(self, fact: FactRedacted) -> None:
        """This will put what remains of a name in the place of the name: the file may have been written before it was redacted."""
        key = fact.stream_id.bytes
        if fact.topic == _SUBMITTED and key in self.proposals:
            self.titles[self.proposals[key]] = fact.remains.get("title", "")
            self.areas[self.proposals[key]] = fact.remains.get("area") or ""
        elif fact.topic == _FORMED and key in self.teams:
            self.team_names[self.teams[key]] = fact.remains.get("name", "")

    def blocking(self, concern_id: UUID, *, raised: bool) -> bool:
        if raised:
            self.open_concerns.add(concern_id.bytes)
            return True
        known = concern_id.bytes in self.open_concerns
        self.open_concerns.discard(concern_id.bytes)
        return known

    def names(self) -> Names:
        return Names(
            _ids(self.proposals),
            tuple(self.titles.get(number, "") for number in range(len(self.proposals))),
            _ids(self.teams),
            tuple(self.team_names.get(number, "") for number in range(len(self.teams))),
            _ids(self.reviews),
            _ids(self.policies),
            tuple(self.formulas),
            tuple(self.areas.get(number, "") for number in range(len(self.proposals))),
        )


class _Kept(Struct):
    """What the file holds beside its columns."""

    format: int
    ledger_id: UUID
    position: int
    #: The leaf of the last position: another log under the same id is found by it.
    leaf: bytes
    proposals: list[bytes]
    titles: list[str]
    areas: list[str]
    teams: list[bytes]
    team_names: list[str]
    reviews: list[bytes]
    policies: list[bytes]
    formulas: list[Formula]
    open_concerns: list[bytes]


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
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        connection.execute("SET ROLE ledger_reader") if _may_be_reader(connection) else None
        ledger_id, head = connection.execute(_HEAD).fetchone()  # type: ignore[misc]
        path = None if cache is None or upto is not None else cache / f"history-{ledger_id}.npz"
        head = head if upto is None else min(head, upto)
        kept = None if path is None else _open(path, ledger_id, head, connection)
        named, columns, after = (_Named(), _EMPTY, 0) if kept is None else kept
        if after < head:
            with without_collector():
                columns = _extended(columns, _rows(connection, after, head, progress), named)
            if path is not None:
                _keep(path, ledger_id, head, _leaf(connection, head), named, columns)
    progress(head, head)
    return ordered(ledger_id, head, names=named.names(), **columns)


def forget(cache: Path) -> None:
    """This will remove the files of a folder: what is redacted must not stay in them until somebody replays again."""
    for path in [*cache.glob("history-*.npz"), *cache.glob(".history-*.npz.*")]:
        path.unlink(missing_ok=True)


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


def _extended(columns: dict[str, Any], pages: Iterator[list[tuple[Any, ...]]], named: _Named) -> dict[str, Any]:
    parts = [columns, *(_columns(page, named) for page in pages)]
    return {name: np.concatenate([part[name] for part in parts]) for name in COLUMNS}


def _columns(page: list[tuple[Any, ...]], named: _Named) -> dict[str, Any]:
    kinds, imported = bytearray(), bytearray()
    subjects, positions, known, figures = array("i"), array("q"), array("q"), array("d")
    recorded, occurred = bytearray(), bytearray()
    blank = tuple([float("nan")] * WIDTH)
    streams = {
        "proposal": named.proposals,
        "team": named.teams,
        "review": named.reviews,
        "policy": named.policies,
    }
    for position, stream, topic, recorded_at, occurred_at, meta, payload in page:
        provenance = _meta(meta)
        fact = _fact(topic, provenance, meta, payload)
        if isinstance(fact, FactRedacted):
            named.redact(fact)
            continue
        reading = READINGS[type(fact)]
        numbers = streams[reading.stream]
        own = numbers.setdefault(stream, len(numbers))
        found = reading.figures(fact, named)
        if found is None:
            continue
        if isinstance(fact, ProposalSubmitted):
            named.titles[own] = fact.title
            named.areas[own] = sys.intern(fact.area or "")
        elif isinstance(fact, TeamFormed):
            named.team_names[own] = fact.name
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


def _ids(numbers: dict[bytes, int]) -> Any:
    return np.frombuffer(b"".join(numbers), np.uint8).reshape(-1, 16)


def _open(path: Path, ledger_id: UUID, head: int, connection: Connection) -> tuple[_Named, dict[str, Any], int] | None:
    """This will read what was kept; None where there is nothing, or nothing that belongs to this log."""
    try:
        with (
            path.open("rb") as file,
            np.load(file, allow_pickle=False) as stored,
        ):  # it leaves its own open on a broken file
            columns = {name: stored[name] for name in COLUMNS}
            about = stored["about"].tobytes()
            if (
                sha256(about + b"".join(columns[name].tobytes() for name in COLUMNS)).digest()
                != stored["seal"].tobytes()
            ):
                return None
        kept = msgspec.msgpack.decode(about, type=_Kept)
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile, msgspec.MsgspecError):
        return None
    if kept.format != FORMAT or kept.ledger_id != ledger_id or kept.position > head:
        return None
    if kept.leaf != _leaf(connection, kept.position):
        return None
    named = _Named(
        {key: number for number, key in enumerate(kept.proposals)},
        dict(enumerate(kept.titles)),
        dict(enumerate(map(sys.intern, kept.areas))),
        {key: number for number, key in enumerate(kept.teams)},
        dict(enumerate(kept.team_names)),
        {key: number for number, key in enumerate(kept.reviews)},
        {key: number for number, key in enumerate(kept.policies)},
        kept.formulas,
        set(kept.open_concerns),
    )
    return named, columns, kept.position


def _keep(path: Path, ledger_id: UUID, head: int, leaf: bytes, named: _Named, columns: dict[str, Any]) -> None:
    """This will write the file whole or not at all."""
    names = named.names()
    about = msgspec.msgpack.encode(
        _Kept(
            FORMAT,
            ledger_id,
            head,
            leaf,
            list(named.proposals),
            list(names.titles),
            list(names.areas),
            list(named.teams),
            list(names.team_names),
            list(named.reviews),
            list(named.policies),
            named.formulas,
            sorted(named.open_concerns),
        )
    )
    seal = sha256(about + b"".join(columns[name].tobytes() for name in COLUMNS)).digest()
    path.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as draft:
        try:
            np.savez(
                draft,
                allow_pickle=False,
                about=np.frombuffer(about, np.uint8),
                seal=np.frombuffer(seal, np.uint8),
                **columns,
            )
            draft.flush()
            os.replace(draft.name, path)
        except BaseException:
            os.unlink(draft.name)
            raise
