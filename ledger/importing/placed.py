"""A command that waits for its turn."""

from msgspec import Struct


class Placed(Struct, frozen=True, order=True, array_like=True, gc=False):
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
