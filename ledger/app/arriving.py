"""What may come over one connection before it is a request: so many bytes, in so much time, and on so many connections at once.

uvicorn waits for a request's head for as long as a client likes and keeps whatever comes of it, so that anybody could fill the memory, or
hold every connection, without a token. Here a head is bounded, a request has to come whole in time, and what is no HTTP is told so in JSON.
"""

import logging
import re
from asyncio import TimerHandle
from resource import RLIMIT_NOFILE, getrlimit
from typing import Any

import msgspec

from ledger.api.errors import BAD_USER_INPUT, UNAVAILABLE
from ledger.api.requests import BODY_S, HEADERS, JSON
from ledger.app.gathering import GatheringProtocol

log = logging.getLogger(__name__)

#: Longest head: a document of 16,000 characters in an address, each written as three, leaves room for the rest.
HEAD_MAX = 64 * 1024
#: How long a whole request may take to come, in seconds. A body that is waited for is refused before that, with its own answer.
ARRIVAL_S = BODY_S + 5.0
#: Most connections of a process, and the share of the files that it may open which they may take: the database's are among the rest.
CONNECTIONS_MAX = 2_000
FILES_SHARE = 0.75
#: Headers that a request has once or not at all: of two, whoever stands in between may have looked at the other one.
SINGLE = (b"host", b"authorization", b"content-type", b"content-encoding", b"origin")

#: An offer to go on in HTTP/2, as Java's client makes it with each request. It is not taken up (RFC 9110, 7.8).
_OFFER = re.compile(rb"\r\nupgrade:[ \t]*h2c[ \t]*(?=\r\n)", re.IGNORECASE)
_BODY = frozenset({b"content-length", b"transfer-encoding"})
_STATUS = {400: b"400 Bad Request", 408: b"408 Request Timeout", 431: b"431 Request Header Fields Too Large"}
_FIXED = b"".join(b"%s: %s\r\n" % (name.lower().encode(), value.encode()) for name, value in HEADERS.items())


class HeadRefused(Exception):  # noqa: N818 - named for what happened
    """A head that leaves open what is meant."""


class ArrivingProtocol(GatheringProtocol):
    """uvicorn's HTTP with these bounds. A connection is awaited from its first moment, and again once its next request begins."""

    _arrival: TimerHandle | None = None
    #: Bytes of a head that has not ended, besides the piece in which the request before it did.
    _head_bytes = 0
    _in_head = True
    #: Has all that came by now been whole requests?
    _is_whole = True

    def connection_made(self, transport: Any) -> None:
        """This will take a connection, unless there are too many."""
        super().connection_made(transport)
        self._await()
        if len(self.connections) > connections_max():
            message = "Too many connections. Try again."
            self._refuse(b"503 Service Unavailable\r\nretry-after: 1", message, UNAVAILABLE)

    def connection_lost(self, exc: Exception | None) -> None:
        """This will let a connection go."""
        self._arrived()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """This will take what comes, and refuse a head that is too long. Most requests are one piece, and are not timed."""
        if self.transport.is_closing():
            return
        if self._in_head:
            self._head_bytes += len(data)
            if b"h2c" in data:
                data = _without_offer(data)
        self._is_whole = False
        super().data_received(data)
        if self._is_whole:
            return
        self._await()
        if self._in_head and self._head_bytes > HEAD_MAX:
            message = f"The head of the request is larger than {HEAD_MAX // 1024} KiB."
            self._refuse(_STATUS[431], message)

    def on_headers_complete(self) -> None:
        """This will begin a request whose head is whole. Raises HeadRefused, which uvicorn takes for what is no HTTP."""
        names = dict(self.headers)
        if len(names) < len(self.headers):
            given = [name for name, _ in self.headers]
            if any(given.count(name) > 1 for name in SINGLE):
                raise HeadRefused
        if b"host" not in names and self.parser.get_http_version() == "1.1":
            raise HeadRefused
        if self.parser.should_upgrade() and not self._should_upgrade() and not _BODY.isdisjoint(names):
            raise HeadRefused  # the parser would lose the body, and take what comes of it later for a request
        self._in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """This will note that a request has come whole."""
        self._arrived()
        self._in_head, self._head_bytes, self._is_whole = True, 0, True
        super().on_message_complete()

    def on_message_begin(self) -> None:
        """This will note that the next request begins."""
        self._is_whole = False
        super().on_message_begin()

    def handle_websocket_upgrade(self) -> None:
        """This will turn the connection into a WebSocket, which has limits of its own."""
        self._arrived()
        super().handle_websocket_upgrade()

    def send_400_response(self, msg: str) -> None:
        """This will answer what is no HTTP, and close."""
        self._refuse(_STATUS[400], "This is no HTTP request that can be understood.")

    def _await(self) -> None:
        if self._arrival is None:
            self._arrival = self.loop.call_later(ARRIVAL_S, self._too_late)

    def _arrived(self) -> None:
        if self._arrival is not None:
            self._arrival.cancel()
            self._arrival = None

    def _too_late(self) -> None:
        self._arrival = None
        if self._in_head and self._head_bytes:
            self._refuse(_STATUS[408], f"The request took longer than {ARRIVAL_S:.0f} s to come.")
        else:  # nothing ever came, or what its body would have been answered to is answered already
            self.transport.close()

    def _refuse(self, status: bytes, message: str, code: str = BAD_USER_INPUT) -> None:
        body = msgspec.json.encode({"errors": [{"message": message, "extensions": {"code": code}}]})
        head = b"HTTP/1.1 %s\r\n%scontent-type: %s\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
        if self.transport.is_closing():
            return
        self.transport.write(head % (status, _FIXED, JSON.encode(), len(body)) + body)
        self.transport.close()


def _without_offer(data: bytes) -> bytes:
    """This will leave an offer of HTTP/2 out of a head: the parser would take what follows it for that, and lose the body."""
    head, end, rest = data.partition(b"\r\n\r\n")
    return _OFFER.sub(b"", head + end) + rest


def connections_max() -> int:
    """This will say how many connections a process takes at once."""
    return min(CONNECTIONS_MAX, int(getrlimit(RLIMIT_NOFILE)[0] * FILES_SHARE))
