"""A command that waits for its turn."""

from typing import NamedTuple


class Placed(NamedTuple):
    """The first three say where it stands among the others."""

    #: When it was known, in microseconds since the Unix epoch.
    known: int
    line: int
    #: Its number among the commands of its line.
    number: int
    is_first: bool
    event_count: int
    #: All of it, as `ledger.store.rendering` has it.
    rendered: bytes
