"""`/graphql/stream`: subscriptions as server-sent events, in the distinct connections mode of the GraphQL over SSE protocol.

Each event's id is the position up to which its reader has everything: one that sends it back as Last-Event-ID, as browsers do, goes on
without gap or repeat. A stream that ends without the event `complete` was cut off, and can be taken up again.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, suppress
from typing import Any

import msgspec
from litestar import Request, route
from litestar.handlers import HTTPRouteHandler
from litestar.types import ASGIApp, Receive, Scope, Send

from ledger.api.context import Context, Resources
from ledger.api.errors import BAD_USER_INPUT, UNAUTHENTICATED, UNAVAILABLE, presented, refusal
from ledger.api.http import PREFLIGHT, refuse_foreign
from ledger.api.rate import Overloaded
from ledger.api.requests import HEADERS, JSON, Authenticate, Incoming, RequestRefused, read, viewer_of
from ledger.api.scalars import POSITION_MAX
from ledger.api.schema import LedgerSchema
from ledger.api.streams import SEND_S, Places, Shown, StreamBroken, StreamRefused, admitted, answers, watched

log = logging.getLogger(__name__)

PATH = "/graphql/stream"
#: How often a stream in which nothing happens says so, which keeps proxies from closing it, in seconds.
KEEP_ALIVE_S = 12.0
EVENT_STREAM = "text/event-stream"
_METHODS = "GET, POST, OPTIONS"
#: What a page of an allowed origin may send here.
_PREFLIGHT = {
    **PREFLIGHT,
    "Allow": _METHODS,
    "Access-Control-Allow-Methods": _METHODS,
    "Access-Control-Allow-Headers": "Authorization, Content-Type, Last-Event-ID",
}


class ReaderTooSlow(Exception):  # noqa: N818 - named for what happened
    """The reader took nothing for too long."""


def sse_route(
    schema: LedgerSchema,
    resources: Callable[[], Resources],
    authenticate: Authenticate,
    places: Places,
    origins: frozenset[str],
) -> HTTPRouteHandler:
    """This will make the handler of `/graphql/stream`. `origins` are those, besides our own, whose pages may follow."""

    async def opened(request: Request[Any, Any, Any]) -> ASGIApp:
        incoming = Incoming(request.scope, request.receive)
        allowed = _for_pages(incoming, origins)
        try:
            refuse_foreign(incoming, origins)
            if incoming.method == "OPTIONS":
                return _answer(204, b"", {**_PREFLIGHT, **allowed})
            with places.gate:
                viewer = await viewer_of(incoming.secret, authenticate)
                asked = read(await incoming.asked(), is_get=not incoming.is_post)
                context = Context(viewer, resources(), resume_after=_resume_after(incoming))
                asked = admitted(schema, asked, context, places)
        except Overloaded:
            return _refusal(
                503,
                [presented(refusal(UNAVAILABLE, "Too much is asked at once. Try again."))],
                {"Retry-After": "1", **allowed},
            )
        except RequestRefused as refused:
            return _refusal(refused.status, [presented(refused.error)], {**refused.headers, **allowed})
        except StreamRefused as refused:
            return _refusal(refused.status, refused.errors, {**refused.headers, **allowed})

        async def stream(_: Scope, receive: Receive, send: Send) -> None:
            try:
                with places.held_by(viewer):
                    found = answers(schema, context, asked)
                    await _Stream(context, receive, send, allowed).run(found, lambda: authenticate(incoming.secret))
            except StreamRefused as refused:
                await _refusal(refused.status, refused.errors, {**refused.headers, **allowed})(_, receive, send)

        return stream

    @route(PATH, http_method=["GET", "POST", "OPTIONS"], status_code=200)
    async def follow(request: Request[Any, Any, Any]) -> ASGIApp:
        """Follow a subscription, or say what a page may send."""
        return await opened(request)

    return follow


def _for_pages(request: Incoming, origins: frozenset[str]) -> dict[str, str]:
    origin = request.headers.get("origin")
    return {"Access-Control-Allow-Origin": origin, "Vary": "Origin"} if origin is not None and origin in origins else {}


class _Stream:
    """One reader's. Headers go out at once; what the subscription refuses after that is told as its only answer."""

    def __init__(self, context: Context, receive: Receive, send: Send, allowed: dict[str, str]) -> None:
        self._context = context
        self._allowed = allowed
        self._receive = receive
        self._send = send
        self._is_over = asyncio.Event()

    async def run(self, found: AsyncGenerator[Shown, None], revive: Callable[[], Awaitable[Any]]) -> None:
        """This will send answers until there are no more, the client goes, its token ends, or it takes nothing for too long."""

        async def end() -> None:
            self._is_over.set()

        try:
            async with aclosing(found), watched(lambda: [self._context], revive, end):
                await self._start()
                await self._forward(found)
        except ReaderTooSlow:
            log.warning("a reader took nothing for %.0f s and was dropped at %s", SEND_S, self._context.resume_after)

    async def _forward(self, found: AsyncGenerator[Shown, None]) -> None:
        gone = asyncio.create_task(self._gone())
        over = asyncio.create_task(self._is_over.wait())
        following: asyncio.Future[Shown] = asyncio.ensure_future(anext(found))
        try:
            while True:
                awaited: set[asyncio.Future[Any]] = {following, gone, over}
                await asyncio.wait(awaited, timeout=KEEP_ALIVE_S, return_when=asyncio.FIRST_COMPLETED)
                if gone.done():
                    return None
                if over.done():
                    message = "The token lets nobody in any more."
                    return await self._end([presented(refusal(UNAUTHENTICATED, message))])
                if not following.done():
                    await self._write(b":\n" + self._place() + b"\n")
                    continue
                try:
                    await self._write(_event("next", following.result(), self._place()))
                except StopAsyncIteration:
                    return await self._close() if self._context.resources.feed.stopping.is_set() else await self._end()
                except StreamRefused as refused:
                    return await self._end(refused.errors)
                except StreamBroken:
                    return await self._close()
                following = asyncio.ensure_future(anext(found))
        finally:
            for task in (following, gone, over):
                task.cancel()
            with suppress(asyncio.CancelledError, StopAsyncIteration, StreamRefused, StreamBroken):
                await following

    async def _gone(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass

    def _place(self) -> bytes:
        reached = self._context.resume_after
        return b"" if reached is None else b"id: %d\n" % reached

    async def _start(self) -> None:
        headers = {**HEADERS, "Content-Type": EVENT_STREAM, "X-Accel-Buffering": "no", **self._allowed}
        await self._send({"type": "http.response.start", "status": 200, "headers": _headers(headers)})
        await self._write(b":\n\n")

    async def _end(self, errors: list[Shown] | None = None) -> None:
        if errors is not None:
            await self._write(_event("next", {"errors": errors}, b""))
        await self._write(b"event: complete\ndata:\n\n")
        await self._close()

    async def _close(self) -> None:
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _write(self, text: bytes) -> None:
        try:
            async with asyncio.timeout(SEND_S):
                await self._send({"type": "http.response.body", "body": text, "more_body": True})
        except TimeoutError:
            raise ReaderTooSlow from None


def _event(name: str, answer: Shown, place: bytes) -> bytes:
    return b"event: %s\n%sdata: %s\n\n" % (name.encode(), place, msgspec.json.encode(answer))


def _resume_after(request: Incoming) -> int | None:
    """This will read where the reader's last stream broke off; None: it says nothing, so its `after` counts."""
    text = request.headers.get("last-event-id", "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(POSITION_MAX))):
        raise RequestRefused(400, refusal(BAD_USER_INPUT, "Last-Event-ID is no position of the ledger."))
    return int(text)


def _headers(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]


def _refusal(status: int, errors: list[Shown], headers: dict[str, str]) -> ASGIApp:
    return _answer(status, msgspec.json.encode({"errors": errors}), {"Content-Type": JSON, **headers})


def _answer(status: int, body: bytes, headers: dict[str, str]) -> ASGIApp:
    shown = _headers({**HEADERS, **({"Content-Length": str(len(body))} if body else {}), **headers})

    async def answer(_: Scope, __: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": status, "headers": shown})
        await send({"type": "http.response.body", "body": body, "more_body": False})

    return answer
