"""What a token may be used for. A scope opens a way of asking; what is then seen and done is for the member's roles to decide."""

from collections.abc import Iterable
from enum import StrEnum


class Scope(StrEnum):
    """One way of asking. Without any, a token runs the queries among the trusted documents."""

    #: Send any document, and not only a trusted one by its hash.
    FREE_FORM = "graphql:free-form"
    #: Ask for the schema.
    INTROSPECT = "graphql:introspect"
    #: Run mutations.
    MUTATE = "graphql:mutate"
    #: Read the metrics of the process.
    METRICS = "metrics:read"


ALL: frozenset[str] = frozenset(Scope)
#: What a token of a person is made for unless said otherwise, and one of a portal or a robot.
OF_PERSON: frozenset[str] = ALL - {Scope.METRICS}
OF_SERVICE: frozenset[str] = frozenset({Scope.MUTATE})


def known(names: Iterable[str]) -> frozenset[str]:
    """This will give those of the names that are scopes; a provider's tokens name many others."""
    return frozenset(names) & ALL
