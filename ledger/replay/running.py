"""A simulation's process, as the one that starts it sees it: it listens until there is a report, and ends it where it must."""

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic

import msgspec

from ledger.domain.simulation import End
from ledger.events.simulation import SimulationFailed, SimulationInterrupted
from ledger.replay.job import Request, Said
from ledger.replay.report import Report

#: How often progress is told, and it is seen whether to stop, in seconds.
POLL_S = 0.25
#: Processes run beside one another: each with one thread.
_ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


class Ended(Exception):  # noqa: N818 - named for what happened
    """A job came to an end before its report: with this fact, or (None) because somebody cancelled it."""

    def __init__(self, fact: End | None) -> None:
        super().__init__(fact)
        self.fact = fact


def run(request: Request, time_s: float, tell: Callable[[Said], None], is_stopped: Callable[[], bool]) -> Report:
    """This will run a simulation in a process of its own until it says its report. `tell` may raise Ended, as this does."""
    with subprocess.Popen(
        [sys.executable, "-m", "ledger.replay.job"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **_ENVIRONMENT},
    ) as process:
        try:
            assert process.stdin is not None  # noqa: S101 - it was asked for
            with suppress(BrokenPipeError):
                process.stdin.write(msgspec.json.encode(request) + b"\n")
                process.stdin.flush()
            return _listen(process, time_s, tell, is_stopped)
        finally:
            process.kill()


def _listen(
    process: "subprocess.Popen[bytes]", time_s: float, tell: Callable[[Said], None], is_stopped: Callable[[], bool]
) -> Report:
    lines: SimpleQueue[Said | None] = SimpleQueue()
    Thread(target=_read, args=[process, lines], daemon=True).start()
    deadline, told, last = monotonic() + time_s, 0.0, Said("Starting")
    while True:
        said: Said | None = last
        with suppress(Empty):
            said = lines.get(timeout=POLL_S)
        if said is None:
            raise Ended(SimulationFailed("Its process ended unexpectedly, perhaps for want of memory. Ask for less."))
        if said.report is not None:
            return said.report
        if said.refused:
            raise Ended(SimulationFailed(said.refused))
        last = said
        if is_stopped():
            raise Ended(SimulationInterrupted("The server was stopped while it ran. Ask again."))
        if monotonic() > deadline:
            raise Ended(
                SimulationFailed(
                    f"It took longer than {time_s:,.0f} seconds. Ask for a shorter period or fewer policies."
                )
            )
        if monotonic() - told >= POLL_S:
            told = monotonic()
            tell(said)


def _read(process: "subprocess.Popen[bytes]", lines: "SimpleQueue[Said | None]") -> None:
    assert process.stdout is not None  # noqa: S101 - it was asked for
    with suppress(OSError, ValueError, msgspec.MsgspecError):
        for line in process.stdout:
            lines.put(msgspec.json.decode(line, type=Said))
    lines.put(None)
