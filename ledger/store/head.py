"""Word from the writer thread that the log has grown, so that readers in the same process need not ask the database."""

from threading import Condition
from time import monotonic


class Head:
    """The highest position that this process has seen recorded; 0 while it has seen none. It may lag behind other processes."""

    def __init__(self) -> None:
        self._grown = Condition()
        self._waiting = 0
        self.position = 0

    def advance(self, position: int) -> None:
        """This will wake whoever waits for a position up to this one."""
        self.position = max(position, self.position)  # only the writer thread calls this
        if self._waiting:
            with self._grown:
                self._grown.notify_all()

    def wait_past(self, position: int, timeout_s: float) -> bool:
        """This will wait until this process has recorded something after the position; False if that took too long."""
        deadline = monotonic() + timeout_s
        with self._grown:
            self._waiting += 1
            try:
                while self.position <= position:
                    remaining_s = deadline - monotonic()
                    if remaining_s <= 0:
                        return False
                    self._grown.wait(remaining_s)
            finally:
                self._waiting -= 1
        return True
