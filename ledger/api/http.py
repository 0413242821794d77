"""GraphQL over HTTP: `/graphql` by POST, and by GET for queries. Nothing without a token.

Answers are `application/graphql-response+json` where that is asked for, with 4xx for a request that could not be executed; otherwise
`application/json`, with 200 as soon as the request was well-formed, as the GraphQL-over-HTTP specification has it.
"""

from collections.abc import Callable
from http import HTTPStatus

import msgspec
from litestar.types import HTTPScope, Receive, Send

from ledger.api.answering import NOT_MODIFIED, Reply, Wish, answered
from ledger.api.context import Resources, Viewer
from ledger.api.errors import (
    BAD_USER_INPUT,
    FORBIDDEN,
    UNAVAILABLE,
    not_reconciled,
    presented,
    refusal,
    unexpected,
)
from ledger.api.observing import Observation
from ledger.api.rate import Overloaded
from ledger.api.requests import (
    GRAPHQL_JSON,
    HEADERS,
    JSON,
    Authenticate,
    Incoming,
    RequestRefused,
    media_type_of,
    not_knowable,
    stranger,
)
from ledger.api.response_cache import Repeated
from ledger.api.schema import LedgerSchema
from ledger.api.snapshot import LET_IN_S, Snapshot, digest_of
from ledger.api.tracing import is_traced
from ledger.api.traffic import Traffic
from ledger.api.websocket import comes_from_allowed

PATH = "/graphql"
TOO_LATE = f"Who asks could not be found out within {LET_IN_S:.0f} s. Nothing was done; try again."
METHODS = ("GET", "HEAD", "POST", "OPTIONS")
_ALLOWED = ", ".join(METHODS)
#: What a page of an allowed origin may send and see, and for how long its browser may rely on that, in seconds.
PREFLIGHT = {
    "Allow": _ALLOWED,
    "Access-Control-Allow-Methods": _ALLOWED,
    "Access-Control-Allow-Headers": "Authorization, Content-Type, If-None-Match",
    "Access-Control-Max-Age": "600",
}
#: An answer may be kept by whoever asked, and asked for again with its tag.
_KEPT_BY_CLIENT = ((b"cache-control", b"private, no-cache"), (b"vary", b"Authorization, Accept, Origin"))
_NOT_KEPT = ((b"cache-control", HEADERS["Cache-Control"].encode()),)
_FOR_PAGES = ((b"access-control-expose-headers", b"ETag, Retry-After"),)
_BY_ORIGIN = ((b"vary", b"Origin"),)
TYPES = {kind: f"{kind}; charset=utf-8".encode() for kind in (JSON, GRAPHQL_JSON)}
_FIXED = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items() if name != "Cache-Control"]


class GraphQL:
    """`/graphql`, an ASGI application of its own: a router and its middleware would take as long as many an answer."""

    def __init__(
        self,
        schema: LedgerSchema,
        resources: Callable[[], Resources],
        authenticate: Authenticate,
        traffic: Traffic,
        origins: frozenset[str] = frozenset(),
    ) -> None:
        """`origins` are those, besides our own, whose pages may ask."""
        self._schema, self._resources, self._authenticate = schema, resources, authenticate
        self._traffic, self._origins = traffic, origins

    async def __call__(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        request = Incoming(scope, receive)
        with Observation(request.headers) as seen:
            reply = await self._reply(request)
            seen.status = reply.status
        body = b"" if request.method == "HEAD" else reply.body
        headers = headers_of(reply, is_get=not request.is_post, origin=self._origin(request))
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": False})

    async def _reply(self, request: Incoming) -> Reply:
        media_type = JSON
        try:
            refuse_foreign(request, self._origins)
            if request.method == "OPTIONS":
                return Reply(204, b"", "", PREFLIGHT)
            with self._traffic.gate:
                viewer, snapshot = await let_in(request.secret, self._resources(), self._authenticate, self._traffic)
                media_type = media_type_of(request.headers.get("accept", ""))
                has = "" if request.is_post else request.headers.get("if-none-match", "")
                wish = Wish(media_type, await request.asked(), not request.is_post, has)
                reply = await answered(self._schema, self._resources(), self._traffic, viewer, snapshot, wish)
                if has.strip() == "*" and reply.status == HTTPStatus.OK:
                    # Whoever has any answer at all wants no other (RFC 9110, 13.1.2).
                    return Reply(NOT_MODIFIED, b"", media_type, {}, reply.tag)
                self._remember(request, wish, reply)
                return reply
        except Overloaded:
            busy = refusal(UNAVAILABLE, "Too much is asked at once. Try again.")
            refused = RequestRefused(503, busy, Retry_After="1")
        except RequestRefused as error:
            refused = error
        except Exception as error:
            refused = RequestRefused(500, unexpected(error, PATH))
        return refused_reply(refused, media_type)

    def _remember(self, request: Incoming, wish: Wish, reply: Reply) -> None:
        """This will remember a request that was answered with what is kept by all of its bytes. One that is traced is never repeated."""
        if reply.question is None or request.digest is None or request.method == "HEAD" or is_traced():
            return
        secret, origin = digest_of(request.secret), self._origin(request)
        found = Repeated(secret, reply.question, wish.media_type, wish.is_get, wish.has, origin)
        self._traffic.cache.repeat(request.digest, found)

    def _origin(self, request: Incoming) -> str | None:
        """This will give the origin of the page that asks, if it is one of those that are listed."""
        origin = request.headers.get("origin")
        return origin if origin in self._origins else None


def refused_reply(refused: RequestRefused, media_type: str) -> Reply:
    """This will make the answer to a request that is not run."""
    body = msgspec.json.encode({"errors": [presented(refused.error)]})
    return Reply(refused.status, body, media_type, refused.headers)


def refuse_foreign(request: Incoming, origins: frozenset[str]) -> None:
    """This will raise RequestRefused for a page of another origin than ours and those that are listed, and for an unknown method."""
    if request.method not in METHODS:
        message = "This address does not take that method."
        raise RequestRefused(405, refusal(BAD_USER_INPUT, message), Allow=_ALLOWED)
    if not comes_from_allowed(request.headers.get("origin"), request.headers.get("host"), origins):
        raise RequestRefused(403, refusal(FORBIDDEN, "Pages of this origin may not ask here."))


async def let_in(
    secret: str, resources: Resources, authenticate: Authenticate, traffic: Traffic
) -> tuple[Viewer, Snapshot]:
    """This will find who asks, and where everything stands now. Raises RequestRefused."""
    try:
        found = await traffic.viewers.of(secret, lambda: traffic.snapshots.now(resources.moments), authenticate)
    except Exception as error:
        raise not_let_in(error) from None
    if found is None:
        raise stranger()
    if (fault := resources.memory.fault()) is not None:  # where everything stands may be of another ledger
        raise RequestRefused(503, not_reconciled(fault), Retry_After="5")
    return found


def not_let_in(error: Exception) -> RequestRefused:
    """This will make the refusal for when it can't be found out who asks, or where everything stands."""
    if isinstance(error, TimeoutError):
        return RequestRefused(503, refusal(UNAVAILABLE, TOO_LATE), Retry_After="1")
    return not_knowable(error)


def headers_of(reply: Reply, *, is_get: bool, origin: str | None) -> list[tuple[bytes, bytes]]:
    """This will give the headers of an answer. `origin`: whose page may see it, besides our own; None: nobody's."""
    has_tag = reply.tag is not None and is_get
    headers = [*_FIXED, *(_KEPT_BY_CLIENT if has_tag else _NOT_KEPT)]
    if has_tag:
        headers.append((b"etag", str(reply.tag).encode()))
    if origin is not None:
        headers += [(b"access-control-allow-origin", origin.encode()), *_FOR_PAGES, *(() if has_tag else _BY_ORIGIN)]
    headers += ((name.lower().encode(), value.encode()) for name, value in reply.headers.items())
    if reply.status not in (NOT_MODIFIED, 204):
        headers += ((b"content-type", TYPES[reply.media_type]), (b"content-length", b"%d" % len(reply.body)))
    return headers
