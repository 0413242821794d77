"""What is noticed of each request: how long it took and how it ended, for the metrics, the log and the traces. Never what it said."""

import logging
from collections.abc import Mapping
from contextvars import ContextVar
from time import perf_counter
from typing import Any, Self
from uuid import UUID

from ledger.api import metrics
from ledger.api.tracing import span

log = logging.getLogger("ledger.requests")

#: A request that takes longer is told in the log, in seconds; so is each one that failed and each mutation.
SLOW_S = 1.0


class Observation:
    """One request: its operation's name and kind as far as they are known, who asks, and how it ended.

    It is noticed while the block runs: `with Observation(headers) as seen: …; seen.status = 200`.
    """

    __slots__ = ("_began", "_former", "_span", "client", "kind", "member", "operation", "status")

    def __init__(self, headers: Mapping[str, str]) -> None:
        self.operation = ""
        self.kind = ""
        self.client = ""
        self.member: UUID | None = None
        self.status = 500
        self._span = span(self, headers)

    def __enter__(self) -> Self:
        self._former = _current.set(self)
        self._began = perf_counter()
        self._span.__enter__()
        return self

    def __exit__(self, *raised: Any) -> None:
        self._span.__exit__(*raised)
        _current.reset(self._former)
        self.note(perf_counter() - self._began)

    def note(self, took: float) -> None:
        """This will count the request, which took so many seconds, and tell the log of it."""
        metrics.request(self.operation, self.kind, self.status, took)
        is_told = took > SLOW_S or self.status >= 400 or self.kind == "mutation"  # noqa: PLR2004
        level = logging.INFO if is_told else logging.DEBUG
        if log.isEnabledFor(level):
            self._tell(level, took)

    def _tell(self, level: int, took: float) -> None:
        log.log(
            level,
            "request",
            extra={
                "operation": self.operation[: metrics.NAME_LENGTH_MAX],
                "kind": self.kind,
                "status": self.status,
                "ms": round(took * 1_000, 1),
                "client": self.client,
                "member": str(self.member or ""),
            },
        )


_current: ContextVar[Observation | None] = ContextVar("observation", default=None)


def named(operation: str, kind: str) -> None:
    """This will say which operation the request turned out to be."""
    if (found := _current.get()) is not None:
        found.operation, found.kind = operation, kind


def asked_by(client: str, member: UUID) -> None:
    """This will say who asks: the program, and the member by id."""
    if (found := _current.get()) is not None:
        found.client, found.member = client, member
