"""Processes that read and decide lines ahead, as if the ledger had nothing of their proposals, which is nearly always so.

They have no connection: whoever asks looks up what the ledger has, and decides again where a draft was mistaken.
"""

import os
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from signal import SIGKILL
from socket import socket, socketpair
from types import TracebackType
from typing import Self

from ledger.importing.draft import Drafts, Teams, decode_drafts, encode, receive, run, send
from ledger.importing.lines import Line
from ledger.importing.ordering import Chunk

#: A smaller file is read before other processes are there.
DRAFTED_BYTES_MIN = 4 * 1024 * 1024
#: Entering what they decide keeps one process busy when there are more than these.
WORKERS_MAX = 4
#: Chunks that each process has at most, with the one that it works on.
CHUNKS_AHEAD = 2


class Drafting:
    """The other processes, as many as there are processors, from the time when they are ready until a draft was of no use."""

    def __init__(self, size_bytes: int, until: datetime) -> None:
        many = min(os.cpu_count() or 1, WORKERS_MAX)
        self._process: subprocess.Popen[bytes] | None = None
        self._workers: list[Worker] = []
        if many > 1 and size_bytes >= DRAFTED_BYTES_MIN:
            ours, theirs = zip(*[socketpair() for _ in range(many)], strict=True)
            self._process = _started(theirs)
            self._workers = [Worker(end, until) for end in ours]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """This will end the processes; what they did not finish has no drafts."""
        process, self._process = self._process, None
        workers, self._workers = self._workers, []
        if process is None:
            return
        if not all(worker.is_ready() and worker.chunks() == 0 for worker in workers):
            _kill(process)
        for worker in workers:
            worker.close()  # which ends one that has nothing to do
        process.wait()

    def ahead(self, chunks: Iterator[Chunk], teams: Callable[[], Teams]) -> Iterator[tuple[Chunk, Drafts]]:
        """This will give the chunks in order, each with the drafts of its lines. There are none until a source's team is known."""
        waiting: deque[tuple[Chunk, Future[Drafts]]] = deque()
        while True:
            while (worker := self._idlest()) and (known := teams()) and (chunk := next(chunks, None)):
                waiting.append((chunk, worker.begin(chunk.lines, known)))
            if waiting:
                chunk, drafts = waiting.popleft()
                yield chunk, finished(chunk.lines, drafts)
            elif chunk := next(chunks, None):
                yield chunk, [None] * len(chunk.lines)
            else:
                return

    def _idlest(self) -> "Worker | None":
        """This will give the process with the least to do, None if all have enough or none is ready."""
        ready = [worker for worker in self._workers if worker.is_ready() and worker.chunks() < CHUNKS_AHEAD]
        return min(ready, key=Worker.chunks, default=None)


def _started(sockets: Sequence[socket]) -> subprocess.Popen[bytes]:
    """This will start a process for each socket, all in one group of their own."""
    numbers = [end.fileno() for end in sockets]
    try:
        # Not by multiprocessing, which would run the caller's own script again in the other process.
        return subprocess.Popen(  # noqa: S603  # our own interpreter
            [sys.executable, "-c", f"from {run.__module__} import run; run()", *map(str, numbers)],
            stdin=subprocess.DEVNULL,
            pass_fds=numbers,
            process_group=0,  # Ctrl-C is for whoever asks
        )
    finally:
        for end in sockets:
            end.close()


def _kill(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:  # otherwise the others of its group find nobody to answer
        os.killpg(process.pid, SIGKILL)


class Worker:
    """One process, and the thread that hands it one chunk after the other."""

    def __init__(self, end: socket, until: datetime) -> None:
        self._until = until
        self._lines_out = end.makefile("wb")
        self._drafts_in = end.makefile("rb")
        self._end = end
        self._is_gone = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="import-draft")
        self.started = self._thread.submit(receive, self._drafts_in)
        self._begun: deque[Future[Drafts]] = deque()

    def is_ready(self) -> bool:
        """Is it there, and alive?"""
        return self.started.done() and self.started.exception() is None and not self._is_gone

    def chunks(self) -> int:
        """This will count the chunks that it has not finished."""
        while self._begun and self._begun[0].done():
            self._begun.popleft()
        return len(self._begun)

    def begin(self, lines: Sequence[Line], teams: Teams) -> Future[Drafts]:
        """This will give it lines, to be drafted after those that it was given before."""
        drafts = self._thread.submit(self._drafts, lines, teams)
        self._begun.append(drafts)
        return drafts

    def close(self) -> None:
        """This will end the thread when the process answers or is no more, and then the connection."""
        self._thread.shutdown(cancel_futures=True)
        with suppress(OSError):  # what it was not sent any more
            self._lines_out.close()
        self._drafts_in.close()
        self._end.close()

    def _drafts(self, lines: Sequence[Line], teams: Teams) -> Drafts:
        try:
            send(self._lines_out, encode((lines, teams, self._until)))
            return decode_drafts(receive(self._drafts_in))
        except (EOFError, OSError):
            self._is_gone = True
            raise


def finished(chunk: Sequence[Line], drafts: Future[Drafts]) -> Drafts:
    """This will wait for the drafts of a chunk; there are none if the process died."""
    try:
        return drafts.result()
    except (EOFError, OSError, CancelledError):
        return [None] * len(chunk)
