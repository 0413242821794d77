"""GraphQL over HTTP: `/graphql` by POST, and by GET for queries. Nothing without a token.

Answers are `application/graphql-response+json` where that is asked for, with 4xx for a request that could not be executed; otherwise
`application/json`, with 200 as soon as the request was well-formed, as the GraphQL-over-HTTP specification has it.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
from litestar import Request, route
from litestar.enums import HttpMethod
from litestar.handlers import HTTPRouteHandler
from litestar.types import ASGIApp, Receive, Scope, Send

from ledger.api.answering import NOT_MODIFIED, Reply, Wish, answered
from ledger.api.context import Resources, Viewer
from ledger.api.errors import FORBIDDEN, UNAVAILABLE, presented, refusal
from ledger.api.observing import observed
from ledger.api.rate import Overloaded
from ledger.api.requests import (
    HEADERS,
    JSON,
    Authenticate,
    RequestRefused,
    from_body,
    from_query,
    media_type_of,
    not_knowable,
    secret_of,
    stranger,
)
from ledger.api.schema import LedgerSchema
from ledger.api.snapshot import Snapshot
from ledger.api.traffic import Traffic
from ledger.api.websocket import comes_from_allowed

PATH = "/graphql"
#: Longest that it may take to find out who asks, in seconds.
LET_IN_S = 5.0
TOO_LATE = f"Who asks could not be found out within {LET_IN_S:.0f} s. Nothing was done; try again."
METHODS = "GET, HEAD, POST, OPTIONS"
#: What a page of an allowed origin may send and see, and for how long its browser may rely on that, in seconds.
PREFLIGHT = {
    "Allow": METHODS,
    "Access-Control-Allow-Methods": METHODS,
    "Access-Control-Allow-Headers": "Authorization, Content-Type, If-None-Match",
    "Access-Control-Max-Age": "600",
}
#: An answer may be kept by whoever asked, and asked for again with its tag.
KEPT_BY_CLIENT = {"Cache-Control": "private, no-cache", "Vary": "Authorization, Accept, Origin"}
_FIXED = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items() if name != "Cache-Control"]


def graphql_routes(
    schema: LedgerSchema,
    resources: Callable[[], Resources],
    authenticate: Authenticate,
    traffic: Traffic,
    origins: frozenset[str] = frozenset(),
) -> list[HTTPRouteHandler]:
    """This will make the handlers of `/graphql`. `origins` are those, besides our own, whose pages may ask."""

    async def reply(request: Request[Any, Any, Any]) -> Reply:
        headers, is_get = request.headers, request.method != HttpMethod.POST
        media_type = JSON
        try:
            refuse_foreign(request, origins)
            if request.method == HttpMethod.OPTIONS:
                return Reply(204, b"", "", PREFLIGHT)
            with traffic.gate.entered():
                viewer, snapshot = await let_in(request, resources(), authenticate, traffic)
                media_type = media_type_of(headers.get("accept", ""))
                asked = from_query(request) if is_get else await from_body(request)
                wish = Wish(media_type, is_get, headers.get("if-none-match", "") if is_get else "")
                return await answered(schema, resources(), traffic, viewer, snapshot, asked, wish)
        except Overloaded:
            refused = RequestRefused(
                503, refusal(UNAVAILABLE, "Too much is asked at once. Try again."), Retry_After="1"
            )
        except RequestRefused as error:
            refused = error
        body = msgspec.json.encode({"errors": [presented(refused.error)]})
        return Reply(refused.status, body, media_type, refused.headers)

    @route(PATH, http_method=[HttpMethod.GET, HttpMethod.HEAD, HttpMethod.POST, HttpMethod.OPTIONS])
    async def graphql(request: Request[Any, Any, Any]) -> ASGIApp:
        """Run an operation by POST, or a query by GET."""
        with observed(request.headers) as seen:
            found = await reply(request)
            seen.status = found.status
        return _sent(found, request, origins)

    return [graphql]


def refuse_foreign(request: Request[Any, Any, Any], origins: frozenset[str]) -> None:
    """This will raise RequestRefused for a page of another origin than ours and those that are listed."""
    if not comes_from_allowed(request.headers.get("origin"), request.headers.get("host"), origins):
        raise RequestRefused(403, refusal(FORBIDDEN, "Pages of this origin may not ask here."))


async def let_in(
    request: Request[Any, Any, Any], resources: Resources, authenticate: Authenticate, traffic: Traffic
) -> tuple[Viewer, Snapshot]:
    """This will find who asks, and where everything stands now. Raises RequestRefused."""
    try:
        async with asyncio.timeout(LET_IN_S):
            found = await traffic.viewers.of(
                secret_of(request), lambda: traffic.snapshots.now(resources.reads), authenticate
            )
    except TimeoutError:
        raise RequestRefused(503, refusal(UNAVAILABLE, TOO_LATE), Retry_After="1") from None
    except Exception as error:
        raise not_knowable(error) from None
    if found is None:
        raise stranger()
    return found


def _sent(reply: Reply, request: Request[Any, Any, Any], origins: frozenset[str]) -> ASGIApp:
    """This will make what sends a reply."""
    more = dict(reply.headers)
    if reply.tag is not None and request.method != HttpMethod.POST:
        more |= {**KEPT_BY_CLIENT, "ETag": reply.tag}
    else:
        more["Cache-Control"] = HEADERS["Cache-Control"]
    if (origin := request.headers.get("origin")) is not None and origin in origins:
        more |= {"Access-Control-Allow-Origin": origin, "Access-Control-Expose-Headers": "ETag, Retry-After"}
        more.setdefault("Vary", "Origin")
    if reply.status not in (NOT_MODIFIED, 204):
        more |= {"Content-Type": f"{reply.media_type}; charset=utf-8", "Content-Length": str(len(reply.body))}
    headers = [*_FIXED, *((name.lower().encode(), value.encode()) for name, value in more.items())]
    body = b"" if request.method == HttpMethod.HEAD else reply.body

    async def send_reply(_: Scope, __: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": False})

    return send_reply
