"""What is noticed of each request: how long it took and how it ended, for the metrics, the log and the traces. Never what it said."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from time import perf_counter

from graphql import OperationDefinitionNode

from ledger.api import metrics
from ledger.api.tracing import span

log = logging.getLogger("ledger.requests")

#: A request that takes longer is told in the log, in seconds; so is each one that failed and each mutation.
SLOW_S = 1.0


class Observation:
    """One request: its operation's name and kind as far as they are known, and how it ended."""

    __slots__ = ("client", "kind", "member", "operation", "status")

    def __init__(self) -> None:
        self.operation = ""
        self.kind = ""
        self.client = ""
        self.member = ""
        self.status = 500


_current: ContextVar[Observation | None] = ContextVar("observation", default=None)


def named(operation: OperationDefinitionNode) -> None:
    """This will say which operation the request turned out to be."""
    if (found := _current.get()) is not None:
        found.operation = operation.name.value if operation.name else ""
        found.kind = operation.operation.value


def asked_by(client: str, member: object) -> None:
    """This will say who asks: the program, and the member by id."""
    if (found := _current.get()) is not None:
        found.client, found.member = client, str(member)


@contextmanager
def observed(headers: object) -> Iterator[Observation]:
    """This will notice a request that the block answers; it sets `status`."""
    found = Observation()
    token = _current.set(found)
    began = perf_counter()
    try:
        with span(found, headers), metrics.IN_PROGRESS.track_inprogress():
            yield found
    finally:
        _current.reset(token)
        took = perf_counter() - began
        metrics.request(found.operation, found.kind, found.status, took)
        is_told = took > SLOW_S or found.status >= 400 or found.kind == "mutation"  # noqa: PLR2004
        log.log(
            logging.INFO if is_told else logging.DEBUG,
            "request",
            extra={
                "operation": found.operation[: metrics.NAME_LENGTH_MAX],
                "kind": found.kind,
                "status": found.status,
                "ms": round(took * 1_000, 1),
                "client": found.client,
                "member": found.member,
            },
        )
