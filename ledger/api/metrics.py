"""Numbers for Prometheus, of this process and, with several workers, of all of them together."""

import os
from collections.abc import Awaitable, Callable
from functools import cache, lru_cache
from time import perf_counter
from typing import TYPE_CHECKING, Any

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from ledger.api.standing import Connection, standings
from ledger.webhooks import endpoints

if TYPE_CHECKING:
    from ledger.api.traffic import Traffic

#: Operations that have numbers of their own; what comes after them counts as others, so that names can't fill the memory.
NAMES_MAX = 200
NAME_LENGTH_MAX = 60
OTHERS, ANONYMOUS = "(others)", "(anonymous)"
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

REQUESTS = Counter("ledger_requests", "Requests to /graphql.", ["operation", "kind", "status"])
SECONDS = Histogram("ledger_request_seconds", "How long they took.", ["operation", "kind"], buckets=BUCKETS)
IN_PROGRESS = Gauge("ledger_requests_in_progress", "Requests under way.", multiprocess_mode="livesum")
COMMANDS = Counter("ledger_commands", "Commands by how they ended.", ["command", "outcome"])
COMMAND_SECONDS = Histogram(
    "ledger_command_seconds", "From a command to its facts in the log: load, decide, append.", buckets=BUCKETS
)
STREAMS = Gauge("ledger_streams", "Subscriptions that are open.", multiprocess_mode="livesum")
POOL = Gauge("ledger_pool_connections", "Connections that read, by state.", ["state"], multiprocess_mode="livesum")
POOL_WAITING = Gauge("ledger_pool_waiting", "Requests that wait for one.", multiprocess_mode="livesum")
CACHE_BYTES = Gauge(
    "ledger_response_cache_bytes", "Bytes of kept answers and remembered requests.", multiprocess_mode="livesum"
)
CACHE_ANSWERS = Gauge("ledger_response_cache_answers", "Kept answers.", multiprocess_mode="livesum")
CACHE = Counter("ledger_response_cache_lookups", "Look-ups by result: hit, miss, unchanged (304).", ["result"])
REFUSED = Counter("ledger_requests_refused", "Requests turned away: limited (429), shed (503).", ["why"])

_names: set[str] = set()
_seen: dict[str, int] = {}


def request(operation: str, kind: str, status: int, seconds: float) -> None:
    """This will count a request that was answered."""
    count, times = _numbers(operation, kind, status)
    count.inc()
    times.observe(seconds)


@lru_cache(maxsize=NAMES_MAX)
def _numbers(operation: str, kind: str, status: int) -> tuple[Counter, Histogram]:
    name = _bounded(operation)
    return REQUESTS.labels(name, kind, str(status)), SECONDS.labels(name, kind)


def counted(handle: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """This will give a handler of commands that counts them by how they end, and how long they take."""

    def handling(issued: Any) -> Any:
        began = perf_counter()
        try:
            return _recorded(issued, handle(issued), began)
        except Exception as error:
            _raised(issued, error)
            raise

    return handling


def counted_at_once(handle: Callable[[Any, int], Awaitable[Any]]) -> Callable[[Any, int], Awaitable[Any]]:
    """This will do the same for a task. What it leaves to the other handler, with None, that one counts."""

    async def handling(issued: Any, head: int) -> Any:
        began = perf_counter()
        try:
            return _recorded(issued, await handle(issued, head), began)
        except Exception as error:
            _raised(issued, error)
            raise

    return handling


def _recorded(issued: Any, outcome: Any, began: float) -> Any:
    """This will count an outcome and give it back; None is counted by whoever is asked next."""
    if outcome is not None:
        _commands(type(issued.command).__name__, "repeated" if outcome.repeated else "recorded").inc()
        COMMAND_SECONDS.observe(perf_counter() - began)
    return outcome


def _raised(issued: Any, error: Exception) -> None:
    """This will count why nothing came of a command, or nothing that is known."""
    _commands(type(issued.command).__name__, str(getattr(error, "code", type(error).__name__))).inc()


@cache
def _commands(command: str, outcome: str) -> Counter:
    return COMMANDS.labels(command, outcome)


def look(traffic: "Traffic", pool_stats: dict[str, int], streams: int) -> None:
    """This will read what is counted elsewhere in the process."""
    size, available = pool_stats.get("pool_size", 0), pool_stats.get("pool_available", 0)
    POOL.labels("idle").set(available)
    POOL.labels("used").set(size - available)
    POOL_WAITING.set(pool_stats.get("requests_waiting", 0))
    IN_PROGRESS.set(traffic.gate.inside)
    STREAMS.set(streams)
    CACHE_BYTES.set(traffic.cache.bytes_held)
    CACHE_ANSWERS.set(len(traffic.cache.answers))
    _grown(CACHE.labels("hit"), "hit", traffic.cache.hits)
    _grown(CACHE.labels("miss"), "miss", traffic.cache.misses)
    _grown(CACHE.labels("unchanged"), "unchanged", traffic.cache.unchanged)
    _grown(REFUSED.labels("limited"), "limited", traffic.rates.limited)
    _grown(REFUSED.labels("shed"), "shed", traffic.gate.shed)


async def text(connection: Connection) -> bytes:
    """This will give all numbers in Prometheus' text format, with where the views stand now."""
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    else:
        registry = REGISTRY
    return generate_latest(registry) + generate_latest(await _standing(connection))


async def _standing(connection: Connection) -> CollectorRegistry:
    found = await standings(connection)
    registry = CollectorRegistry()
    Gauge("ledger_head_position", "The last position of the ledger.", registry=registry).set(found.head)
    position = Gauge("ledger_view_position", "How far a view is.", ["view"], registry=registry)
    lag = Gauge("ledger_view_lag_seconds", "How old the first fact is that it lacks.", ["view"], registry=registry)
    stopped = Gauge("ledger_view_stopped", "1: it has stopped at a fact.", ["view"], registry=registry)
    for name, view in found.views.items():
        position.labels(name).set(view.position)
        lag.labels(name).set(view.lag_ms / 1_000)
        stopped.labels(name).set(view.fault is not None)
    paused = Gauge("ledger_webhooks_paused", "Endpoints that are told nothing until somebody looks.", registry=registry)
    paused.set(await endpoints.paused(connection))
    return registry


def _bounded(operation: str) -> str:
    if not operation:
        return ANONYMOUS
    if operation not in _names:
        if len(_names) >= NAMES_MAX or len(operation) > NAME_LENGTH_MAX:
            return OTHERS
        _names.add(operation)
    return operation


def _grown(counter: Counter, name: str, total: int) -> None:
    counter.inc(max(0, total - _seen.get(name, 0)))
    _seen[name] = total
