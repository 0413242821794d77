"""`/metrics`: numbers for Prometheus, to whoever has a token for them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler
from prometheus_client import CONTENT_TYPE_LATEST

from ledger.api import metrics
from ledger.api.context import Context, Resources
from ledger.api.errors import FORBIDDEN, presented, refusal
from ledger.api.http import let_in
from ledger.api.requests import JSON, Authenticate, Incoming, RequestRefused
from ledger.api.streams import Places
from ledger.api.traffic import Traffic
from ledger.directory.scopes import Scope
from ledger.meanwhile import meanwhile

#: How often a process notes what changes without a request, in seconds.
LOOK_S = 5.0


def metrics_route(
    resources: Callable[[], Resources], authenticate: Authenticate, traffic: Traffic, places: Places
) -> HTTPRouteHandler:
    """This will make the handler of `/metrics`."""

    @get("/metrics")
    async def scraped(request: Request[Any, Any, Any]) -> Response[bytes]:
        """Give all numbers in Prometheus' text format."""
        secret = Incoming(request.scope, request.receive).secret
        try:
            viewer, _ = await let_in(secret, resources(), authenticate, traffic)
            _refuse_others(Context(viewer, resources()))
        except RequestRefused as refused:
            body = msgspec.json.encode({"errors": [presented(refused.error)]})
            return Response(body, status_code=refused.status, media_type=JSON, headers=refused.headers)
        look(resources(), traffic, places)
        async with resources().reads.connection() as connection:
            return Response(await metrics.text(connection), media_type=CONTENT_TYPE_LATEST)

    return scraped


def _refuse_others(context: Context) -> None:
    if Scope.METRICS not in context.viewer.scopes:
        context.note_forbidden("metrics")
        message = "This token may not read the metrics: it lacks the scope metrics:read."
        raise RequestRefused(403, refusal(FORBIDDEN, message))


@asynccontextmanager
async def looking(resources: Callable[[], Resources], traffic: Traffic, places: Places) -> AsyncIterator[None]:
    """This will note what changes without a request as long as the block runs, for the scrapes that other workers answer."""

    async def repeat() -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            look(resources(), traffic, places)

    async with meanwhile(repeat()):
        yield


def look(resources: Resources, traffic: Traffic, places: Places) -> None:
    """This will note what changes without a request."""
    metrics.look(traffic, resources.reads.get_stats(), places.held.total())
