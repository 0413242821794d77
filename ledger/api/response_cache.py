"""Answers that are kept: a view is a pure function of the ledger, so an answer is valid until the view's position moves.

An answer is found by its document, its variables, what the viewer may see, and what the ledger and the names were: so it is never another
viewer's, and never out of date. Only root fields whose answer is a function of just that are kept.
"""

from collections import OrderedDict
from hashlib import sha256
from typing import Any

import msgspec
from msgspec import Struct

from ledger.api.context import Viewer

#: Bytes of all kept answers of a process, and of one.
BYTES_MAX = 64 * 1024 * 1024
ANSWER_BYTES_MAX = 1024 * 1024
#: What an answer takes besides its text.
OVERHEAD_BYTES = 500

#: Root fields that show nothing but the views, at their positions, to whoever has these roles: no clock, nothing of the viewer alone.
PURE = frozenset(
    {
        "__typename",
        "agenda",
        "appeals",
        "area",
        "areas",
        "backlog",
        "compareVersions",
        "concerns",
        "policies",
        "policyInForce",
        "proposal",
        "proposals",
        "reasonCodes",
        "review",
        "reviews",
        "team",
        "teams",
        "timeline",
    }
)


class Kept(Struct, frozen=True):
    """An answer without errors: the JSON of its data, and where the views were that it was read from."""

    data: bytes
    position: str
    views: tuple[str, ...]
    nodes: int


class ResponseCache:
    """One process's, bounded in bytes; what was not asked for longest goes first."""

    def __init__(self, bytes_max: int = BYTES_MAX) -> None:
        self.bytes_max = bytes_max
        self.bytes_held = 0
        self.hits = 0
        self.misses = 0
        #: Conditional requests that were answered 304.
        self.unchanged = 0
        self.evicted = 0
        self._kept: OrderedDict[bytes, Kept] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: bytes) -> Kept | None:
        """This will find an answer, and count whether it was there."""
        found = self._kept.get(key)
        if found is None:
            self.misses += 1
            return None
        self.hits += 1
        self._kept.move_to_end(key)
        return found

    def put(self, key: bytes, answer: Kept) -> None:
        """This will keep an answer, unless it is too large, and drop others to make room."""
        size = len(answer.data) + OVERHEAD_BYTES
        if size > min(ANSWER_BYTES_MAX, self.bytes_max):
            return
        former = self._kept.pop(key, None)
        if former is not None:
            self.bytes_held -= len(former.data) + OVERHEAD_BYTES
        self._kept[key] = answer
        self.bytes_held += size
        while self.bytes_held > self.bytes_max:
            _, dropped = self._kept.popitem(last=False)
            self.bytes_held -= len(dropped.data) + OVERHEAD_BYTES
            self.evicted += 1


def key_of(
    document: str, operation: str | None, variables: dict[str, Any] | None, viewer: Viewer, fingerprint: bytes
) -> bytes:
    """This will give the key of an answer. `document`: its hash; `fingerprint`: of the moment (`Snapshot`)."""
    seen = sorted((str(team), sorted(held)) for team, held in viewer.roles.items())
    asked = msgspec.json.encode([document, operation, variables or None, seen], order="deterministic")
    return sha256(fingerprint + asked).digest()
