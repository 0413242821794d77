"""`/graphql` over WebSocket, by the protocol graphql-transport-ws: subscriptions only, the token in `connection_init`.

Strawberry's own handler answers odd frames with a broken connection and unexpected errors with their text, and looks at a token once;
so this one checks each frame against the protocol's form, masks errors like all of the API, and ends with the token.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import AsyncExitStack, aclosing, suppress
from typing import Annotated, Any

import msgspec
from litestar import WebSocket, websocket
from litestar.exceptions import WebSocketDisconnect, WebSocketException
from litestar.handlers import WebsocketRouteHandler
from msgspec import Meta, Struct
from strawberry.http.websocket_origin import is_same_origin

from ledger.api.context import Context, Resources, Viewer
from ledger.api.requests import Asked, Authenticate, RequestRefused, viewer_of
from ledger.api.schema import LedgerSchema
from ledger.api.streams import SEND_S, Places, Shown, StreamBroken, StreamRefused, admitted, answers, watched

log = logging.getLogger(__name__)

PROTOCOL = "graphql-transport-ws"
#: How long a connection may take to say who it is, in seconds.
INIT_S = 5.0
#: Subscriptions on one connection.
SUBSCRIPTIONS_MAX = 20
ID_LENGTH_MAX = 100

# The protocol's codes for closing, and two of the WebSocket protocol itself, after which clients try again.
SERVICE_RESTART = 1012
TRY_AGAIN_LATER = 1013
BAD_REQUEST = 4400
UNAUTHORIZED = 4401
FORBIDDEN = 4403
PROTOCOL_NOT_ACCEPTABLE = 4406
INIT_TIMEOUT = 4408
ALREADY_EXISTS = 4409
TOO_MANY = 4429
INTERNAL = 4500

#: What a refused introduction is answered, by the status that a request would get.
_REFUSALS = {
    401: (FORBIDDEN, "Forbidden"),
    500: (INTERNAL, "Internal server error"),
    503: (TRY_AGAIN_LATER, "Who connects can't be found out now; try again"),
}

Identifier = Annotated[str, Meta(min_length=1, max_length=ID_LENGTH_MAX)]


class ConnectionInit(Struct, tag="connection_init", tag_field="type", frozen=True):
    """Says who connects: `payload.Authorization` is `Bearer` and the token."""

    payload: dict[str, Any] | None = None


class Ping(Struct, tag="ping", tag_field="type", frozen=True):
    """Asks whether we are there."""

    payload: dict[str, Any] | None = None


class Pong(Struct, tag="pong", tag_field="type", frozen=True):
    """Says that the client is there."""

    payload: dict[str, Any] | None = None


class Subscribe(Struct, tag="subscribe", tag_field="type", frozen=True):
    """Begins a subscription under an id of the client's."""

    id: Identifier
    payload: Asked


class Complete(Struct, tag="complete", tag_field="type", frozen=True):
    """Ends one."""

    id: Identifier


Frame = ConnectionInit | Ping | Pong | Subscribe | Complete
_decoder: msgspec.json.Decoder[Frame] = msgspec.json.Decoder(Frame)


class Closed(Exception):  # noqa: N818 - named for what happened
    """The conversation is over: the code and the reason that the client gets."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


def websocket_route(
    schema: LedgerSchema,
    resources: Callable[[], Resources],
    authenticate: Authenticate,
    places: Places,
    origins: frozenset[str],
) -> WebsocketRouteHandler:
    """This will make the handler. `origins` are those, besides our own, whose pages may connect."""

    @websocket("/graphql")
    async def converse(socket: WebSocket[Any, Any, Any]) -> None:
        if not comes_from_allowed(socket.headers.get("origin"), socket.headers.get("host"), origins):
            await socket.close(code=BAD_REQUEST)  # before accepting: the handshake is answered 403
            return
        is_spoken = PROTOCOL in socket.scope.get("subprotocols", [])
        await socket.accept(subprotocols=PROTOCOL if is_spoken else None)
        if not is_spoken:
            await socket.close(PROTOCOL_NOT_ACCEPTABLE, "Subprotocol not acceptable")
            return
        with suppress(WebSocketDisconnect):
            await Conversation(socket, schema, resources(), authenticate, places).run()

    return converse


def comes_from_allowed(origin: str | None, host: str | None, origins: frozenset[str]) -> bool:
    """This will say whether a page of that origin may connect. Only browsers name one."""
    return origin is None or origin in origins or is_same_origin(origin, host)


class Conversation:
    """One connection's: frames in, answers out, until either side ends it."""

    def __init__(
        self,
        socket: WebSocket[Any, Any, Any],
        schema: LedgerSchema,
        resources: Resources,
        authenticate: Authenticate,
        places: Places,
    ) -> None:
        self._socket = socket
        self._schema = schema
        self._resources = resources
        self._authenticate = authenticate
        self._places = places
        self._running: dict[str, asyncio.Task[None]] = {}
        #: One for each subscription that runs, and under no name the connection's own.
        self._contexts: dict[str, Context] = {}
        self._is_closing = False

    async def run(self) -> None:
        """This will converse until the client goes, or something ends it."""
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._end_all)
            try:
                viewer, secret = await self._introduced()
                stack.enter_context(self._places.held_by(viewer))
                self._contexts[""] = Context(viewer, self._resources)
                await stack.enter_async_context(
                    watched(self._contexts.values, lambda: self._authenticate(secret), self._forbidden)
                )
                stopping = asyncio.create_task(self._close_when_stopping())
                stack.callback(stopping.cancel)
                await self._send({"type": "connection_ack"})
                while True:
                    await self._take(await self._frame())
            except StreamRefused:
                await self._close(TOO_MANY, "Too many connections of this token")
            except Closed as closed:
                await self._close(closed.code, closed.reason)

    async def _introduced(self) -> tuple[Viewer, str]:
        try:
            async with asyncio.timeout(INIT_S):
                frame = await self._frame()
                while isinstance(frame, (Ping, Pong)):
                    await self._take(frame)
                    frame = await self._frame()
        except TimeoutError:
            raise Closed(INIT_TIMEOUT, "Connection initialisation timeout") from None
        if not isinstance(frame, ConnectionInit):
            raise Closed(UNAUTHORIZED, "Unauthorized")
        given = {name.lower(): value for name, value in (frame.payload or {}).items()}.get("authorization")
        scheme, _, secret = given.partition(" ") if isinstance(given, str) else ("", "", "")
        secret = secret.strip() if scheme.lower() == "bearer" else ""
        try:
            return await viewer_of(secret, self._authenticate), secret
        except RequestRefused as refused:
            raise Closed(*_REFUSALS[refused.status]) from None

    async def _frame(self) -> Frame:
        try:
            return _decoder.decode(await self._socket.receive_data("text"))
        except (msgspec.MsgspecError, RecursionError, WebSocketException, TypeError, KeyError) as error:
            if isinstance(error, WebSocketDisconnect):
                raise
            raise Closed(BAD_REQUEST, "Invalid message") from None

    async def _take(self, frame: Frame) -> None:
        match frame:
            case ConnectionInit():
                raise Closed(TOO_MANY, "Too many initialisation requests")
            case Ping():
                await self._send({"type": "pong"})
            case Pong():
                pass
            case Complete(id=name):
                if task := self._running.pop(name, None):
                    task.cancel()
            case Subscribe(id=name, payload=asked):
                if name in self._running:
                    raise Closed(ALREADY_EXISTS, f"Subscriber for {name} already exists")
                if len(self._running) >= SUBSCRIPTIONS_MAX:
                    raise Closed(TOO_MANY, "Too many subscriptions on one connection")
                self._running[name] = asyncio.create_task(self._answer(name, asked))

    async def _answer(self, name: str, asked: Asked) -> None:
        context = self._contexts[name] = Context(self._contexts[""].viewer, self._resources)
        last: Shown = {"id": name, "type": "complete"}
        try:
            asked = admitted(self._schema, asked, context, self._places)
            async with aclosing(answers(self._schema, context, asked)) as found:
                async for answer in found:
                    await self._send({"id": name, "type": "next", "payload": answer})
            if self._resources.feed.stopping.is_set():
                return
        except StreamRefused as refused:
            last = {"id": name, "type": "error", "payload": refused.errors}
        except WebSocketDisconnect:
            return
        except StreamBroken:
            await self._close(TRY_AGAIN_LATER, "The ledger can't be read now; go on from your last position")
            return
        except TimeoutError:
            log.warning("a reader took nothing for %.0f s and was dropped at %s", SEND_S, context.resume_after)
            await self._close(TOO_MANY, "Too slow; go on from your last position")
            return
        finally:
            if self._contexts.get(name) is context:  # or the client has begun another one under this id
                del self._contexts[name]
        self._running.pop(name, None)
        with suppress(WebSocketDisconnect, TimeoutError):
            await self._send(last)

    async def _send(self, frame: Shown) -> None:
        async with asyncio.timeout(SEND_S):
            await self._socket.send_data(msgspec.json.encode(frame).decode(), mode="text")

    async def _forbidden(self) -> None:
        await self._close(FORBIDDEN, "The token lets nobody in any more")

    async def _close_when_stopping(self) -> None:
        await self._resources.feed.stopping.wait()
        await self._close(SERVICE_RESTART, "Service restart")

    async def _close(self, code: int, reason: str) -> None:
        if not self._is_closing:
            self._is_closing = True
            with suppress(WebSocketDisconnect):
                await self._socket.close(code, reason)

    async def _end_all(self) -> None:
        for task in self._running.values():
            task.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)
