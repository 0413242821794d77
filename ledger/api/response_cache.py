"""Answers that are kept: a view is a pure function of the ledger, so an answer is valid until the view's position moves.

An answer is found by its document, its variables, what the viewer may see, and what the ledger and the names were: so it is never another
viewer's, and never out of date. Only root fields whose answer is a function of just that are kept. What a request means, all of that but
the moment, is remembered by its very text, so that a request that comes again is neither read nor looked up in documents; and by all of
its bytes, head and all, so that one that comes again word for word is not even parsed (`shelf`).
"""

import base64
from collections import OrderedDict
from collections.abc import Hashable
from hashlib import sha256
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Struct

from ledger.api.context import Viewer

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

#: Bytes of all kept answers of a process, and of one.
BYTES_MAX = 64 * 1024 * 1024
ANSWER_BYTES_MAX = 1024 * 1024
#: Bytes of all remembered requests.
QUESTIONS_BYTES_MAX = 8 * 1024 * 1024
#: Bytes of all requests that are known by all of their bytes.
REPEATED_BYTES_MAX = 8 * 1024 * 1024
#: What an answer, or a request, takes besides its text.
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


class Bounded(Generic[K, V]):
    """What is kept in memory up to so many bytes; what was not asked for longest goes first."""

    def __init__(self, bytes_max: int) -> None:
        self.bytes_max = bytes_max
        self.bytes_held = 0
        self.evicted = 0
        self._kept: OrderedDict[K, tuple[V, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: K) -> V | None:
        """This will find what is kept; None: nothing is."""
        found = self._kept.get(key)
        if found is None:
            return None
        self._kept.move_to_end(key)
        return found[0]

    def put(self, key: K, value: V, size: int) -> None:
        """This will keep a value of so many bytes, unless it is too large, and drop others to make room."""
        size += OVERHEAD_BYTES
        if size > min(ANSWER_BYTES_MAX, self.bytes_max):
            return
        _, former = self._kept.pop(key, (None, 0))
        self._kept[key] = value, size
        self.bytes_held += size - former
        while self.bytes_held > self.bytes_max:
            _, (_, freed) = self._kept.popitem(last=False)
            self.bytes_held -= freed
            self.evicted += 1


class Question(Struct, frozen=True):
    """What a request of a viewer turned out to mean: all that its answer depends on but the moment."""

    viewer: Viewer
    #: The document, the operation, the variables and what the viewer may see.
    text: bytes
    operation: str
    kind: str

    def key(self, fingerprint: bytes) -> bytes:
        """This will give the key of the answer at a moment (`Snapshot.fingerprint`)."""
        return sha256(fingerprint + self.text).digest()


class Repeated(Struct, frozen=True):
    """A request that may come again word for word: its question, by which token, and what its answer besides depends on."""

    #: SHA-256 of the token.
    secret: bytes
    question: Question
    media_type: str
    is_get: bool
    #: The tags of answers that the client has.
    has: str
    #: Whose page asks, if that is one of the origins that are let in besides our own.
    origin: str | None


class ResponseCache:
    """One process's: answers by their keys, what requests mean by who sent which text, and by the SHA-256 of all of their bytes."""

    def __init__(
        self,
        bytes_max: int = BYTES_MAX,
        questions_bytes_max: int = QUESTIONS_BYTES_MAX,
        repeated_bytes_max: int = REPEATED_BYTES_MAX,
    ) -> None:
        self.answers: Bounded[bytes, Kept] = Bounded(bytes_max)
        self.questions: Bounded[tuple[int, bool, bytes], Question] = Bounded(questions_bytes_max)
        self.repeated: Bounded[bytes, Repeated] = Bounded(repeated_bytes_max)
        self.hits = 0
        self.misses = 0
        #: Conditional requests that were answered 304.
        self.unchanged = 0

    @property
    def bytes_held(self) -> int:
        """This will give the bytes of all that is kept and remembered."""
        return self.answers.bytes_held + self.questions.bytes_held + self.repeated.bytes_held

    def question(self, viewer: Viewer, is_get: bool, text: bytes) -> Question | None:
        """This will say what a request means; None: it has not come before from this viewer, as the viewer is now."""
        return self.questions.get((id(viewer), is_get, text))

    def remember(self, question: Question, is_get: bool, text: bytes) -> None:
        """This will remember what a request means."""
        # The question holds on to its viewer: no other one can come to have this id meanwhile.
        self.questions.put((id(question.viewer), is_get, text), question, len(text) + len(question.text))

    def repeat(self, digest: bytes, request: Repeated) -> None:
        """This will remember a request by the digest of all of its bytes."""
        # Its question may be held by nothing else any more.
        self.repeated.put(digest, request, len(request.question.text) + len(request.has) + len(request.origin or ""))

    def get(self, key: bytes) -> Kept | None:
        """This will find an answer, and count whether it was there."""
        found = self.answers.get(key)
        if found is None:
            self.misses += 1
        else:
            self.hits += 1
        return found

    def put(self, key: bytes, answer: Kept) -> None:
        """This will keep an answer."""
        self.answers.put(key, answer, len(answer.data))


def question_of(document: str, operation: str | None, variables: dict[str, Any] | None, viewer: Viewer) -> bytes:
    """This will say all that an answer depends on but the moment. `document`: its hash."""
    seen = sorted((str(team), sorted(held)) for team, held in viewer.roles.items())
    return msgspec.json.encode([document, operation, variables or None, seen], order="deterministic")


def tag_of(key: bytes) -> str:
    """This will give the tag of an answer, which a client sends back to ask whether it is still the same."""
    return f'W/"{base64.urlsafe_b64encode(key[:15]).decode()}"'
