"""Topics: the durable name under which each type of fact is stored, its version, its upcasters, and whether a decision caused it."""

from collections.abc import Callable
from enum import StrEnum
from typing import Any, TypeVar

from msgspec import Struct

Upcaster = Callable[[dict[str, Any]], dict[str, Any]]
F = TypeVar("F", bound=type[Struct])


class Cause(StrEnum):
    """Would the fact have happened under any prioritisation (EXOGENOUS), or does it follow from a decision (ENDOGENOUS)?"""

    EXOGENOUS = "EXOGENOUS"
    ENDOGENOUS = "ENDOGENOUS"


class FactType(Struct, frozen=True):
    """One registered type of fact. `upcasters[v]` turns a stored body of version v into one of version v + 1."""

    topic: str
    type: type[Struct]
    cause: Cause
    version: int
    upcasters: dict[int, Upcaster]


#: Every type of fact, by topic.
FACT_TYPES: dict[str, FactType] = {}
#: The topic of every type of fact.
TOPICS: dict[type[Struct], str] = {}


def fact(
    topic: str, cause: Cause, *, version: int = 1, upcasters: dict[int, Upcaster] | None = None
) -> Callable[[F], F]:
    """This will register the decorated struct under a topic that outlives its name and place in the code.

    Raises ValueError for a topic that is taken, and for a version that some stored body could not be brought up to.
    """
    steps = upcasters or {}
    if topic in FACT_TYPES:
        raise ValueError(f"topic {topic} is taken by {FACT_TYPES[topic].type.__qualname__}")
    if sorted(steps) != list(range(1, version)):
        raise ValueError(f"{topic} version {version} needs an upcaster from each earlier version")

    def register(cls: F) -> F:
        FACT_TYPES[topic] = FactType(topic, cls, cause, version, steps)
        TOPICS[cls] = topic
        return cls

    return register


exogenous = Cause.EXOGENOUS
endogenous = Cause.ENDOGENOUS
