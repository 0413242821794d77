"""Work that goes on beside a block and ends with it."""

import asyncio
import threading
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any, Self


@asynccontextmanager
async def meanwhile(work: Coroutine[Any, Any, None]) -> AsyncGenerator[None, None]:
    """This will do the work while the block runs; what of it is not done then is cancelled. Raises what made the work end by itself."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


class Background(ABC):
    """Work in a thread of its own, from `start()` to `stop()`, or as long as a block.

    `end_s_max`: how long `stop()` waits for it to end, in seconds; None: as long as that takes.
    """

    def __init__(self, name: str, end_s_max: float | None = None) -> None:
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._end_s_max = end_s_max

    def start(self) -> None:
        """This will begin the work, once."""
        self._thread.start()

    def stop(self) -> None:
        """This will have the work end after what it is at; nothing happens if it has ended."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(self._end_s_max)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @abstractmethod
    def _run(self) -> None:
        """This will do the work until `_stopping` is set."""
