"""The interpreter's search for cycles, set aside for a while."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_collector() -> Iterator[None]:
    """This will keep the garbage collector out of the block, for work that makes a great many objects and no cycles among them.

    It would walk through them again and again: an eighth of an import's time. What is garbage by then is found after the block.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
