"""The web application around the API: its routes, its headers, and its answers to what is no GraphQL request."""

import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import msgspec
from litestar import Litestar, Request, Response
from litestar.datastructures import ResponseHeader
from litestar.exceptions import HTTPException

from ledger.api.context import Resources
from ledger.api.errors import BAD_USER_INPUT, NOT_FOUND, unexpected
from ledger.api.health import health_routes
from ledger.api.http import PATH, GraphQL
from ledger.api.metrics_route import looking, metrics_route
from ledger.api.requests import BODY_MAX, HEADERS, JSON, Authenticate
from ledger.api.schema import LedgerSchema
from ledger.api.shelf import Shelf
from ledger.api.sse import sse_route
from ledger.api.streams import Places
from ledger.api.tiles import tile_routes
from ledger.api.traffic import Traffic
from ledger.api.websocket import websocket_route

log = logging.getLogger(__name__)

_CODES = {404: NOT_FOUND}
_SENTENCES = {
    404: "There is nothing at this address. The API is at /graphql.",
    405: "This address does not take that method.",
    413: f"The body is larger than {BODY_MAX // 1024} KiB.",
}


class Web(Litestar):
    """litestar's application, with `/graphql` over HTTP before its router."""

    graphql: GraphQL
    shelf: Shelf

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["path"].rstrip("/") == PATH:
            await self.graphql(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


def web(
    schema: LedgerSchema,
    resources: Callable[[], Resources],
    authenticate: Authenticate,
    lifespan: Callable[[Litestar], AbstractAsyncContextManager[None]],
    sealed: Path | None = None,
    origins: frozenset[str] = frozenset(),
    traffic: Traffic | None = None,
) -> Litestar:
    """This will make the application.

    `resources` are those that the lifespan brings up, `sealed` the folder that the sealer keeps, `origins` those whose pages may connect,
    `traffic` what is kept and allowed for all requests.
    """
    traffic = traffic or Traffic()
    places = Places(traffic)
    found = Web(
        route_handlers=[
            sse_route(schema, resources, authenticate, places, origins),
            websocket_route(schema, resources, authenticate, places, origins),
            *health_routes(resources),
            metrics_route(resources, authenticate, traffic, places),
            *(tile_routes(sealed) if sealed else ()),
        ],
        lifespan=[lifespan, lambda _: looking(resources, traffic, places)],
        openapi_config=None,
        logging_config=None,
        request_max_body_size=BODY_MAX,
        response_headers=[ResponseHeader(name=name, value=value) for name, value in HEADERS.items()],
        exception_handlers={HTTPException: _refused, Exception: _unexpected},
    )
    found.graphql = GraphQL(schema, resources, authenticate, traffic, origins)
    found.shelf = Shelf(resources, traffic)
    return found


def _refused(_: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    status = error.status_code
    if status >= 500:  # noqa: PLR2004
        return _unexpected(_, error)
    message = _SENTENCES.get(status, "The request can't be understood.")
    return _answer(status, message, {"code": _CODES.get(status, BAD_USER_INPUT)}, error.headers or {})


def _unexpected(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    masked = unexpected(error, request.url.path)
    return _answer(500, masked.message, masked.extensions or {}, {})


def _answer(status: int, message: str, extensions: dict[str, str], headers: dict[str, str]) -> Response[bytes]:
    body = {"errors": [{"message": message, "extensions": extensions}]}
    return Response(msgspec.json.encode(body), status_code=status, media_type=JSON, headers={**HEADERS, **headers})
