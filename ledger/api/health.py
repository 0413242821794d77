"""Is the process alive, and can it do its work? Open to everybody, so it says little."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import msgspec
from litestar import Response, get
from litestar.handlers import HTTPRouteHandler

from ledger.api.context import Resources
from ledger.api.standing import Standings, standings
from ledger.webhooks import endpoints
from projections.catalogue import VIEWS

log = logging.getLogger(__name__)

#: Views that are further behind than this do not count as ready.
LAG_MS_MAX = 10_000
DATABASE_S = 3.0


def health_routes(resources: Callable[[], Resources]) -> list[HTTPRouteHandler]:
    """This will make the handlers of `/health/live` and `/health/ready`."""

    @get("/health/live")
    async def live() -> Response[bytes]:
        """Say that the process answers."""
        return _answer(200, {"live": True})

    @get("/health/ready")
    async def ready() -> Response[bytes]:
        """Say whether the database answers, is the one that was seen, and the views are up to date: 200, or 503.

        A webhook that is paused is said too; the server can do its work all the same.
        """
        database, views, webhooks = await _state(resources())
        fault = resources().memory.fault()
        ledger = "ok" if fault is None else str(fault)
        is_ready = (database, views, ledger) == ("ok", "ok", "ok")
        state = {"ready": is_ready, "database": database, "views": views, "ledger": ledger, "webhooks": webhooks}
        return _answer(200 if is_ready else 503, state)

    return [live, ready]


async def _state(resources: Resources) -> tuple[str, str, str]:
    """This will say how the database is, the views, and the webhooks."""
    try:
        async with asyncio.timeout(DATABASE_S), resources.reads.connection(DATABASE_S) as connection:
            found, paused = await standings(connection), await endpoints.paused(connection)
    except Exception as error:
        log.warning("not ready: %s", type(error).__name__)
        return "unreachable", "unknown", "unknown"
    return "ok", _of_views(found), f"{paused} paused" if paused else "ok"


def _of_views(found: Standings) -> str:
    if any(view.fault for view in found.views.values()):
        return "stopped"
    if any(view.position > found.head for view in found.views.values()):  # of an older state that was put back
        return "ahead"
    if found.head and (len(found.views) < len(VIEWS) or any(view.lag_ms > LAG_MS_MAX for view in found.views.values())):
        return "behind"
    return "ok"


def _answer(status: int, body: dict[str, Any]) -> Response[bytes]:
    return Response(msgspec.json.encode(body), status_code=status, media_type="application/json")
