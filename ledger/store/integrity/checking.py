"""What must hold of each recorded fact by itself and beside its neighbours, checked from the stored bytes alone.

A `Stretch` is a run of facts that were checked together; stretches are joined in order, so that they may be checked in parallel.
"""

import struct
from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from hashlib import sha256

import msgspec
from msgspec import Struct
from msgspec.structs import astuple

from ledger.store.codec import leaf, leaves_at
from ledger.store.integrity.rows import Page, Row, instant
from ledger.store.integrity.tree import Frontier
from ledger.values import instant_text

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


class _Claims(Struct, frozen=True, gc=False):
    """What the meta says that the columns and the payload must agree with, in their order."""

    stream_id: str
    version: int
    topic: str
    occurred_at: datetime
    command_id: str
    payload_sha256: str


class Redaction(Struct, frozen=True):
    """What a `FactRedacted` says of another fact."""

    position: int


#: What reading bytes raises that are no JSON of the wanted form; the last is for a hundred thousand brackets.
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
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
    #: When the first and the last of them were recorded, in microseconds since the Unix epoch.
    first_at: int | None = None
    last_at: int | None = None
    #: By stream: the first version with its position, and the last version.
    begun: dict[str, tuple[int, int]] = {}
    versions: dict[str, int] = {}
    #: Positions without words; and those that a redaction names, each with the redaction's own position.
    emptied: set[int] = set()
    redacted: dict[int, int] = {}
    fault: Fault | None = None


def checked(first: int, pages: Iterable[Page], mark: int = 0) -> Stretch:
    """This will check facts that must begin at a position and have no gap, and stop at the first that is wrong.

    `mark`: a position up to which the nodes of the tree are wanted as well.
    """
    found = Stretch(first, first, [], begun={}, versions={}, emptied=set(), redacted={})
    leaves: list[bytes] = []
    for page in pages:
        holds = _hold(page, found.next)
        for part in [page] if holds else page.one_by_one():
            if not holds and not _hold(part, found.next):
                found.fault = _wrong(part.rows()[0], found.next)
            else:
                found.fault = _follow(found, part)
            if found.fault is not None:
                return found
        leaves += page.leaf
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


def _hold(page: Page, due: int) -> bool:
    """This will say whether facts by themselves are as they were recorded, and stand where they are due."""
    try:
        claims = [*map(_claims, page.meta)]
        leaves = leaves_at(page.position, page.recorded, page.meta)
        commitments = _commitments(page, claims)
    # No envelope, a time that none can have, or a column without a value.
    except (*UNREADABLE, struct.error, TypeError):
        return False
    columns = zip(page.stream_id, page.version, page.topic, page.occurred_at, page.command_id, commitments, strict=True)
    return (
        [*page.position] == [*range(due, due + len(claims))]
        and leaves == [*page.leaf]
        and [*map(astuple, claims)] == [*columns]
    )


def _commitments(page: Page, claims: Sequence[_Claims]) -> list[str]:
    """This will give what each envelope must commit to; one whose words are gone may say what it likes. Raises TypeError."""
    return [
        sha256(salt + payload).hexdigest() if salt != b"" or payload != b"" else said.payload_sha256
        for salt, payload, said in zip(page.salt, page.payload, claims, strict=True)
    ]


def _wrong(row: Row, due: int) -> Fault:
    """This will name what is wrong with a fact by itself."""
    if row.position < due:
        return Fault(Kind.MISSING, due, f"position {row.position} stands where this one belongs")
    if None in row:
        return Fault(Kind.COLUMN, due, f"the column {Row._fields[row.index(None)]} is empty")
    if row.position > due:
        last = row.position - 1
        return Fault(Kind.MISSING, due, "the fact is missing" if last == due else f"the facts up to {last} are missing")
    try:
        claims = _claims(row.meta)
    except UNREADABLE as error:
        return Fault(Kind.META, due, f"its envelope can't be read: {error}")
    if leaf(due, row.recorded_at, row.meta) != row.leaf:
        return Fault(Kind.LEAF, due, "its leaf is not the hash of its position, time and envelope")
    said = (claims.stream_id, claims.version, claims.topic, claims.occurred_at, claims.command_id)
    if said != row[2:7]:
        return _column(row, said)
    return Fault(Kind.PAYLOAD, due, "its payload is not the one that its envelope commits to")


def _follow(found: Stretch, page: Page) -> Fault | None:
    """This will take good facts in, or say how the first that does not follow those before it doesn't."""
    odd = _redactions(found, page) if b"" in page.payload or REDACTION_TOPIC in page.topic else None
    versions, before, fault, position = found.versions, found.last_at, None, found.next - 1
    for position, at, stream_id, version in zip(
        page.position, page.recorded, page.stream_id, page.version, strict=True
    ):
        if before is None:
            found.first_at = at
        elif at < before:
            fault = _backwards(position, at, before)
            break
        before = at
        last = versions.get(stream_id)
        if last is None:
            found.begun[stream_id] = (version, position)
        elif version != last + 1:
            fault = _version(position, version, last + 1)
            break
        versions[stream_id] = version
    else:
        position += 1
    if odd is not None and (fault is None or odd.position < fault.position):
        fault, position = odd, odd.position
    found.next, found.last_at = position, before
    return fault


def _redactions(found: Stretch, page: Page) -> Fault | None:
    """This will note what is redacted and by what, or say which redaction names nothing."""
    for position, topic, payload in zip(page.position, page.topic, page.payload, strict=True):
        if not payload:
            found.emptied.add(position)
        elif topic == REDACTION_TOPIC:
            try:
                found.redacted.setdefault(_redaction(payload).position, position)
            except UNREADABLE:
                return Fault(Kind.PAYLOAD, position, "it is a redaction, and its payload names no position")
    return None


def _column(row: Row, said: tuple[object, ...]) -> Fault:
    names = Row._fields[2:7]
    name, stored, claimed = next(one for one in zip(names, row[2:7], said, strict=True) if one[1] != one[2])
    return Fault(Kind.COLUMN, row.position, f"the column {name} says {stored}, and its envelope says {claimed}")


def unaccounted(position: int) -> Fault:
    """This will make the fault of a fact without words that no redaction accounts for."""
    return Fault(Kind.REDACTION, position, "its payload is gone, and no redaction was recorded for it")


def _backwards(position: int, at: int, before: int) -> Fault:
    times = f"it was recorded at {instant_text(instant(at))}, and the one before it at {instant_text(instant(before))}"
    return Fault(Kind.TIME, position, times)


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
        self._last_at: int | None = None

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
        self._last_at = self._last_at if stretch.last_at is None else stretch.last_at
        self._streams |= stretch.versions
        return None

    def finish(self) -> Fault | None:
        """This will say what is wrong with the whole, once all is there: a fact without words that no redaction accounts for."""
        if self.fault is None and (unsaid := self.emptied - self.redacted.keys()):
            self.fault = unaccounted(min(unsaid))
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
            for stream_id, (first, position) in stretch.begun.items()
            # A stream starts at 1, or at 0 as some of the library's own do.
            if first != (due := self._streams.get(stream_id, 0) + 1)
            and (first, stream_id in self._streams) != (0, False)
        ]
        return min(wrong, key=lambda fault: fault.position, default=None)
