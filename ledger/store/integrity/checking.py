"""What must hold of each recorded fact by itself and beside its neighbours, checked from the stored bytes alone.

A `Stretch` is a run of facts that were checked together; stretches are joined in order, so that they may be checked in parallel.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import NamedTuple

import msgspec
from msgspec import Struct

from ledger.store.codec import leaf
from ledger.store.integrity.tree import Frontier

#: The topic of the fact that says why another one has no words any more.
REDACTION_TOPIC = "FactRedacted"


class Kind(StrEnum):
    """What can be wrong with a ledger."""

    MISSING = "MISSING"
    COLUMN = "COLUMN"
    META = "META"
    PAYLOAD = "PAYLOAD"
    LEAF = "LEAF"
    TIME = "TIME"
    VERSION = "VERSION"
    REDACTION = "REDACTION"
    COMMAND = "COMMAND"
    HEAD = "HEAD"
    TAIL = "TAIL"
    REWRITTEN = "REWRITTEN"
    CHECKPOINT = "CHECKPOINT"
    GUARD = "GUARD"


class Fault(Struct, frozen=True):
    """One thing that is wrong, at a position; 0: it is about the whole."""

    kind: Kind
    position: int
    message: str

    def __str__(self) -> str:
        return f"Position {self.position}: {self.message}" if self.position else self.message


#: A recorded fact as it is stored: position, recorded_at, stream_id, version, topic, occurred_at, command_id, salt, meta, payload, leaf.
Values = tuple[int, datetime, str, int, str, datetime, str, bytes, bytes, bytes, bytes]


class Row(NamedTuple):
    """The same with names; ids as text."""

    position: int
    recorded_at: datetime
    stream_id: str
    version: int
    topic: str
    occurred_at: datetime
    command_id: str
    salt: bytes
    meta: bytes
    payload: bytes
    leaf: bytes


class _Claims(Struct, frozen=True, gc=False):
    """What the meta says that the columns and the payload must agree with."""

    stream_id: str
    version: int
    topic: str
    occurred_at: datetime
    command_id: str
    payload_sha256: str


class Redaction(Struct, frozen=True):
    """What a `FactRedacted` says of another fact."""

    position: int


_claims = msgspec.json.Decoder(_Claims).decode
_redaction = msgspec.json.Decoder(Redaction).decode


class Stretch(Struct):
    """What is left to compare of a run of good facts: from `first` on, up to before `next`."""

    first: int
    next: int
    #: The complete nodes of the tree that they make, with their levels.
    nodes: list[tuple[int, bytes]]
    #: Those up to the mark, where it lies inside.
    nodes_to_mark: list[tuple[int, bytes]] | None = None
    first_at: datetime | None = None
    last_at: datetime | None = None
    #: First version, its position, and last version of each stream.
    streams: dict[str, tuple[int, int, int]] = {}
    #: Positions without words; and those that a redaction names, each with the redaction's own position.
    emptied: set[int] = set()
    redacted: dict[int, int] = {}
    fault: Fault | None = None


def checked(first: int, pages: Iterable[Sequence[Values]], mark: int = 0) -> Stretch:
    """This will check facts that must begin at a position and have no gap, and stop at the first that is wrong.

    `mark`: a position up to which the nodes of the tree are wanted as well.
    """
    found = Stretch(first, first, [], streams={}, emptied=set(), redacted={})
    leaves: list[bytes] = []
    for page in pages:
        for values in page:
            found.fault = None if _holds(values, found.next) else _wrong(Row(*values), found.next)
            found.fault = found.fault or _follow(found, values)
            if found.fault is not None:
                return found
            leaves.append(values[10])
            found.next += 1
    found.nodes = complete(first - 1, leaves)
    if first <= mark < found.next:
        found.nodes_to_mark = complete(first - 1, leaves[: mark - first + 1])
    return found


def complete(index: int, leaves: Sequence[bytes]) -> list[tuple[int, bytes]]:
    """This will give the complete nodes, with their levels, that leaves from an index on add to a tree, in order."""
    nodes = []
    start = 0
    while start < len(leaves):
        fits = (index + start) & -(index + start) or len(leaves)
        frontier = Frontier()
        frontier.extend(leaves[start : start + fits])
        nodes += frontier.edge()
        start += fits
    return nodes


def _holds(values: Values, due: int) -> bool:
    """This will say whether a fact by itself is as it was recorded: quickly, since nearly all are."""
    position, recorded_at, stream_id, version, topic, occurred_at, command_id, salt, meta, payload, stored = values
    try:
        claims = _claims(meta)
    except msgspec.DecodeError:
        return False
    return (
        position == due
        and leaf(position, recorded_at, meta) == stored
        and claims.stream_id == stream_id
        and claims.version == version
        and claims.topic == topic
        and claims.occurred_at == occurred_at
        and claims.command_id == command_id
        and (sha256(salt + payload).hexdigest() == claims.payload_sha256 or payload == b"" == salt)
    )


def _wrong(row: Row, due: int) -> Fault:
    """This will name what is wrong with a fact by itself."""
    if row.position < due:
        return Fault(Kind.MISSING, due, f"position {row.position} stands where this one belongs")
    if row.position > due:
        last = row.position - 1
        return Fault(Kind.MISSING, due, "the fact is missing" if last == due else f"the facts up to {last} are missing")
    try:
        claims = _claims(row.meta)
    except msgspec.DecodeError as error:
        return Fault(Kind.META, due, f"its envelope can't be read: {error}")
    if leaf(due, row.recorded_at, row.meta) != row.leaf:
        return Fault(Kind.LEAF, due, "its leaf is not the hash of its position, time and envelope")
    said = (claims.stream_id, claims.version, claims.topic, claims.occurred_at, claims.command_id)
    if said != row[2:7]:
        return _column(row, said)
    return Fault(Kind.PAYLOAD, due, "its payload is not the one that its envelope commits to")


def _follow(found: Stretch, values: Values) -> Fault | None:
    """This will take a good fact in, or say how it does not follow those before it."""
    position, recorded_at, stream_id, version, topic, payload = *values[:5], values[9]
    if not payload:
        found.emptied.add(position)
    elif topic == REDACTION_TOPIC:
        found.redacted.setdefault(_redaction(payload).position, position)
    last_at = found.last_at
    if last_at is None:
        found.first_at = recorded_at
    elif recorded_at < last_at:
        return _backwards(position, recorded_at, last_at)
    found.last_at = recorded_at
    known = found.streams.get(stream_id)
    if known is None:
        found.streams[stream_id] = (version, position, version)
        return None
    if version != known[2] + 1:
        return _version(position, version, known[2] + 1)
    found.streams[stream_id] = (known[0], known[1], version)
    return None


def _column(row: Row, said: tuple[object, ...]) -> Fault:
    names = Row._fields[2:7]
    name, stored, claimed = next(one for one in zip(names, row[2:7], said, strict=True) if one[1] != one[2])
    return Fault(Kind.COLUMN, row.position, f"the column {name} says {stored}, and its envelope says {claimed}")


def _backwards(position: int, at: datetime, before: datetime) -> Fault:
    return Fault(
        Kind.TIME, position, f"it was recorded at {at.isoformat()}, and the one before it at {before.isoformat()}"
    )


def _version(position: int, version: int, due: int) -> Fault:
    return Fault(Kind.VERSION, position, f"it has version {version} of its stream, where version {due} is due")


class Joined:
    """Stretches put together in order. `fault` is the first thing that is wrong, if anything is."""

    def __init__(self) -> None:
        self.frontier = Frontier()
        self.root_at_mark: bytes | None = None
        self.next = 1
        self.fault: Fault | None = None
        self.emptied: set[int] = set()
        self.redacted: dict[int, int] = {}
        self._streams: dict[str, int] = {}
        self._last_at: datetime | None = None

    def add(self, stretch: Stretch) -> Fault | None:
        """This will add the next stretch, and give what is wrong with it or with how it follows the others."""
        self.fault = self.fault or self._joint(stretch) or stretch.fault
        if self.fault is not None:
            return self.fault
        if stretch.nodes_to_mark is not None:
            marked = Frontier(self.frontier.edge())
            for level, node in stretch.nodes_to_mark:
                marked.extend([node], level)
            self.root_at_mark = marked.root()
        for level, node in stretch.nodes:
            self.frontier.extend([node], level)
        self.next = stretch.next
        self.emptied |= stretch.emptied
        self.redacted = stretch.redacted | self.redacted
        self._last_at = stretch.last_at or self._last_at
        for stream_id, (_, _, last) in stretch.streams.items():
            self._streams[stream_id] = last
        return None

    def finish(self) -> Fault | None:
        """This will say what is wrong with the whole, once all is there: a fact without words that no redaction accounts for."""
        if self.fault is None and (unsaid := self.emptied - self.redacted.keys()):
            self.fault = Fault(Kind.REDACTION, min(unsaid), "its payload is gone, and no redaction was recorded for it")
        return self.fault

    @property
    def unfinished(self) -> list[int]:
        """This will give the positions that a redaction names, and whose words are still there."""
        return sorted(position for position in self.redacted if position not in self.emptied)

    def _joint(self, stretch: Stretch) -> Fault | None:
        """This will say what is wrong where a stretch begins; a fault inside it comes after whatever its good facts show."""
        if stretch.first != self.next:
            raise ValueError(f"a stretch from {stretch.first} does not follow {self.next - 1}")
        if self._last_at is not None and stretch.first_at is not None and stretch.first_at < self._last_at:
            return _backwards(stretch.first, stretch.first_at, self._last_at)
        wrong = [
            _version(position, first, due)
            for stream_id, (first, position, _) in stretch.streams.items()
            # A stream starts at 1, or at 0 as some of the library's own do.
            if first != (due := self._streams.get(stream_id, 0) + 1)
            and (first, stream_id in self._streams) != (0, False)
        ]
        return min(wrong, key=lambda fault: fault.position, default=None)
