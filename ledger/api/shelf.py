"""Requests that came before word for word: they are answered without being read again.

What a request means, all of it but the moment, is a function of its bytes: of its first line, its headers, with the token among them, and
its body. So it is found by all of them, and nothing that matters can be left out of the key. What is not in the bytes is looked at each
time, at a moment after the request came: whether the token still lets in the same viewer with the same roles, where the views are, and how
many points are left. Whatever can't be answered from what is kept goes the ordinary way (`ledger.api.http`), as if it had just come.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import NamedTuple

from ledger.api.answering import Reply, Wish, kept_reply
from ledger.api.context import Resources
from ledger.api.http import headers_of, not_let_in, refused_reply
from ledger.api.observing import Observation
from ledger.api.requests import RequestRefused
from ledger.api.response_cache import Repeated
from ledger.api.snapshot import Snapshot
from ledger.api.traffic import Traffic


class Answer(NamedTuple):
    """A finished answer."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


#: What is done with an answer; None: there is none, and the request must go the ordinary way.
Done = Callable[[Answer | None], None]


class Shelf:
    """One process's. Everything is done on the event loop."""

    def __init__(self, resources: Callable[[], Resources], traffic: Traffic) -> None:
        self._resources, self._traffic = resources, traffic
        #: Answers that were given from here.
        self.given = 0

    def find(self, digest: bytes) -> Repeated | None:
        """This will find a request by the digest of all of its bytes; None: it is not known, or too much is asked at once."""
        return None if self._traffic.gate.is_full else self._traffic.cache.repeated.get(digest)

    def answer(self, request: Repeated, done: Done) -> None:
        """This will answer a request that was found and came just now, as soon as it is known how everything stands."""
        moment = self._traffic.snapshots.wanted(self._resources().moments)
        self._traffic.gate.__enter__()
        moment.add_done_callback(partial(self._answered, request, done, perf_counter()))

    def _answered(self, request: Repeated, done: Done, began: float, moment: "asyncio.Future[Snapshot]") -> None:
        self._traffic.gate.__exit__()
        try:
            reply = self._reply(request, moment)
        except RequestRefused as refused:
            reply = refused_reply(refused, request.media_type)
        except Exception:  # the ordinary way comes upon it too, and says what it is
            reply = None
        if reply is None:
            done(None)
            return
        self.given += 1
        _note(request, reply.status, perf_counter() - began)
        done(Answer(reply.status, headers_of(reply, is_get=request.is_get, origin=request.origin), reply.body))

    def _reply(self, request: Repeated, moment: "asyncio.Future[Snapshot]") -> Reply | None:
        try:
            snapshot = moment.result()
        except Exception as error:
            raise not_let_in(error) from None
        if not self._traffic.viewers.are(request.question.viewer, request.secret, snapshot):
            return None
        if self._resources().memory.fault() is not None:
            return None
        wish = Wish(request.media_type, b"", request.is_get, request.has)
        return kept_reply(self._traffic, request.question, snapshot, wish)


def _note(request: Repeated, status: int, took: float) -> None:
    """This will have the request noticed like any other."""
    seen, question = Observation({}), request.question
    seen.operation, seen.kind, seen.status = question.operation, question.kind, status
    seen.client, seen.member = question.viewer.client, question.viewer.member_id
    seen.note(took)
