"""How long a request may take for one of its parts. Every request sets two such bounds, and hardly one ever gets there."""

import asyncio
from types import TracebackType


class Deadline:
    """Ends its block with TimeoutError after so many seconds, in the task that enters it: `with Deadline(20.0): …`.

    As `asyncio.timeout`, at a third of what that takes to be set and taken back; it can't be moved. A task that is cancelled for another
    reason stays cancelled.
    """

    __slots__ = ("_cancelling", "_is_over", "_seconds", "_task", "_timer")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._is_over = False

    def __enter__(self) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("only a task can be ended in time")
        self._task = task
        self._cancelling = task.cancelling()
        self._timer = asyncio.get_running_loop().call_later(self._seconds, self._end)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        if self._is_over and self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def _end(self) -> None:
        self._is_over = True
        self._task.cancel()
