"""A PostgreSQL of a test's own, with all that makes it durable switched on, to be killed without warning."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg

from ledger.store.embedded import EmbeddedPostgres

WAIT_S = 60


def until(condition: Callable[[], object], *, seconds: float = WAIT_S, what: str = "it") -> float:
    """This will wait until it is so and say how long that took, in seconds; too long fails the test."""
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() - begun < seconds, f"{what} took longer than {seconds} s"
        time.sleep(0.005)
    return time.monotonic() - begun


def children(pid: int) -> list[int]:
    """This will give the processes that a process has started."""
    found: list[int] = []
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += map(int, (task / "children").read_text().split())
    return found


class Cluster:
    """A server on a folder of its own. It is started again after a kill, as a supervisor would."""

    def __init__(self, server: EmbeddedPostgres) -> None:
        self.server = server
        self.url = server.url

    def kill(self) -> None:
        """This will end every process of the server at once, as a power cut would, but for what the kernel has taken over."""
        pid = self.server.pid
        assert pid is not None
        for each in (pid, *children(pid)):
            with suppress(ProcessLookupError):
                os.kill(each, signal.SIGKILL)

    def answers(self) -> bool:
        """This will say whether the server takes connections."""
        with suppress(psycopg.OperationalError), psycopg.connect(self.url, connect_timeout=2):
            return True
        return False


@contextmanager
def running(folder: Path, settings: Mapping[str, str] | None = None) -> Iterator[Cluster]:
    """This will have a server running on a folder inside the block."""
    with EmbeddedPostgres.start(folder, settings=settings) as server:
        yield Cluster(server)


def copied(seed: Path, to: Path) -> Path:
    """This will copy the folder of a stopped server."""
    subprocess.run(["cp", "-a", str(seed), str(to)], check=True)
    return to
