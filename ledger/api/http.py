"""GraphQL over HTTP: `/graphql` by POST, and by GET for queries. Nothing without a token.

Answers are `application/graphql-response+json` where that is asked for, with 4xx for a request that could not be executed; otherwise
`application/json`, with 200 as soon as the request was well-formed, as the GraphQL-over-HTTP specification has it.
"""

import asyncio
from collections.abc import Callable

import msgspec
from litestar.types import HTTPScope, Receive, Send

from ledger.api.answering import NOT_MODIFIED, Reply, Wish, answered
from ledger.api.context import Resources, Viewer
from ledger.api.errors import (
    BAD_USER_INPUT,
    FORBIDDEN,
    INTERNAL,
    UNAVAILABLE,
    logged,
    not_reconciled,
    presented,
    refusal,
)
from ledger.api.observing import Observation
from ledger.api.rate import Overloaded
from ledger.api.requests import (
    HEADERS,
    JSON,
    Authenticate,
    Incoming,
    RequestRefused,
    media_type_of,
    not_knowable,
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
KEPT_BY_CLIENT = {"Cache-Control": "private, no-cache", "Vary": "Authorization, Accept, Origin"}
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
        headers = _headers(reply, request, self._origins)
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
                asked = request.read(await request.asked())
                has = "" if request.is_post else request.headers.get("if-none-match", "")
                wish = Wish(media_type, not request.is_post, has)
                return await answered(self._schema, self._resources(), self._traffic, viewer, snapshot, asked, wish)
        except Overloaded:
            busy = refusal(UNAVAILABLE, "Too much is asked at once. Try again.")
            refused = RequestRefused(503, busy, Retry_After="1")
        except RequestRefused as error:
            refused = error
        except Exception as error:
            reference = logged(error, PATH)
            message = f"Something went wrong on our side. Its reference is {reference}."
            refused = RequestRefused(500, refusal(INTERNAL, message, reference=reference))
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
        async with asyncio.timeout(LET_IN_S):
            found = await traffic.viewers.of(secret, lambda: traffic.snapshots.now(resources.reads), authenticate)
    except TimeoutError:
        raise RequestRefused(503, refusal(UNAVAILABLE, TOO_LATE), Retry_After="1") from None
    except Exception as error:
        raise not_knowable(error) from None
    if found is None:
        raise stranger()
    if (fault := resources.memory.fault()) is not None:  # where everything stands may be of another ledger
        raise RequestRefused(503, not_reconciled(fault), Retry_After="5")
    return found


def _headers(reply: Reply, request: Incoming, origins: frozenset[str]) -> list[tuple[bytes, bytes]]:
    more = dict(reply.headers)
    if reply.tag is not None and not request.is_post:
        more |= {**KEPT_BY_CLIENT, "ETag": reply.tag}
    else:
        more["Cache-Control"] = HEADERS["Cache-Control"]
    if (origin := request.headers.get("origin")) is not None and origin in origins:
        more |= {"Access-Control-Allow-Origin": origin, "Access-Control-Expose-Headers": "ETag, Retry-After"}
        more.setdefault("Vary", "Origin")
    if reply.status not in (NOT_MODIFIED, 204):
        more |= {"Content-Type": f"{reply.media_type}; charset=utf-8", "Content-Length": str(len(reply.body))}
    return [*_FIXED, *((name.lower().encode(), value.encode()) for name, value in more.items())]
