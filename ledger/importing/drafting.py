"""Processes that read and decide lines ahead, as if the ledger had nothing of their proposals, which is nearly always so.

They have no connection: whoever asks looks up what the ledger has, and decides again where a draft was mistaken.
"""

import gc
import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from functools import lru_cache
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Self
from uuid import UUID

import msgspec
from msgspec import Struct

from ledger.domain.rejected import Rejected
from ledger.domain.source_fact import ImportingTeam
from ledger.importing.deciding_line import decided
from ledger.importing.form import read
from ledger.importing.lines import Line
from ledger.importing.naming import Names
from ledger.importing.record import record
from ledger.importing.runs import Placed
from ledger.values import MemberId, ProposalId

#: A smaller file is read before other processes are there.
DRAFTED_BYTES_MIN = 4 * 1024 * 1024
#: Entering what they decide keeps one process busy when there are more than these.
WORKERS_MAX = 4
#: Chunks that each process has at most, with the one that it works on.
CHUNKS_AHEAD = 2


class Draft(Struct, frozen=True, array_like=True, gc=False):
    """A line that was decided as if it were new."""

    external_id: str
    system: str
    proposal_id: ProposalId
    first_command: UUID
    earliest: datetime
    people: list[tuple[MemberId, str]]
    rows: list[Placed]
    size_bytes: int


Drafts = Sequence[Draft | None]
Teams = Mapping[str, ImportingTeam]


def draft(line: Line, teams: Teams) -> Draft | None:
    """This will decide a line, None if that needs the ledger at hand: it is bad, or of a source that has no team yet."""
    if line.content is None:
        return None
    try:
        form = read(line.content)
        team = teams.get(form.source.repo)
        if team is None:
            return None
        one = record(form, _names(form.source.repo))
        rows = decided(one, line.number, team, {}, [])
    except (Rejected, RecursionError):
        return None
    first = one.entries[0]
    return Draft(
        one.external_id,
        one.names.system,
        one.proposal_id,
        first.command_id,
        first.known,
        list(one.people.items()),
        rows,
        sum([len(row.rendered) for row in rows]),
    )


class Drafting:
    """The other processes, as many as there are processors, from the time when they are ready until a draft was of no use."""

    def __init__(self, size_bytes: int) -> None:
        many = min(os.cpu_count() or 1, WORKERS_MAX)
        self._workers = [Worker() for _ in range(many)] if many > 1 and size_bytes >= DRAFTED_BYTES_MIN else []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """This will end the processes; what they did not finish has no drafts."""
        workers, self._workers = self._workers, []
        for worker in workers:
            worker.stop()

    def ahead(self, chunks: Iterator[list[Line]], teams: Callable[[], Teams]) -> Iterator[tuple[list[Line], Drafts]]:
        """This will give the chunks in order, each with the drafts of its lines. There are none until a source's team is known."""
        waiting: deque[tuple[list[Line], Future[Drafts]]] = deque()
        while True:
            while (worker := self._idlest()) and (known := teams()) and (chunk := next(chunks, None)):
                waiting.append((chunk, worker.begin(chunk, known)))
            if waiting:
                chunk, drafts = waiting.popleft()
                yield chunk, finished(chunk, drafts)
            elif chunk := next(chunks, None):
                yield chunk, [None] * len(chunk)
            else:
                return

    def _idlest(self) -> "Worker | None":
        """This will give the process with the least to do, None if all have enough or none is ready."""
        ready = [worker for worker in self._workers if worker.is_ready() and worker.chunks() < CHUNKS_AHEAD]
        return min(ready, key=Worker.chunks, default=None)


class Worker:
    """One process, and the thread that hands it one chunk after the other."""

    def __init__(self) -> None:
        self._connection, theirs = Pipe()
        with theirs:
            # Not by multiprocessing, which would run the caller's own script again in the other process.
            self.process = subprocess.Popen(  # noqa: S603  # our own interpreter
                [sys.executable, "-c", f"from {__name__} import run; run({theirs.fileno()})"],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
            )
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="import-draft")
        self.started = self._thread.submit(self._connection.recv_bytes)
        self._begun: deque[Future[Drafts]] = deque()

    def is_ready(self) -> bool:
        """Is it there, and alive?"""
        return self.started.done() and self.started.exception() is None and self.process.poll() is None

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

    def stop(self) -> None:
        """This will end the process, and the thread that waits for it."""
        self.process.kill()
        self.process.wait()
        self._thread.shutdown(cancel_futures=True)
        self._connection.close()

    def _drafts(self, lines: Sequence[Line], teams: Teams) -> Drafts:
        self._connection.send_bytes(_encode((lines, teams)))
        return _decode_drafts(self._connection.recv_bytes())


def finished(chunk: Sequence[Line], drafts: Future[Drafts]) -> Drafts:
    """This will wait for the drafts of a chunk; there are none if the process died."""
    try:
        return drafts.result()
    except (EOFError, OSError, CancelledError):
        return [None] * len(chunk)


_encode = msgspec.msgpack.Encoder(uuid_format="bytes").encode
_decode_lines = msgspec.msgpack.Decoder(tuple[list[Line], dict[str, ImportingTeam]]).decode
_decode_drafts = msgspec.msgpack.Decoder(list[Draft | None]).decode
_names = lru_cache(maxsize=1_024)(Names)


def run(file: int) -> None:
    """This will draft what comes in on a connection until its other end is closed."""
    connection = Connection(file)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever asks decides when to end
    gc.disable()
    with suppress(EOFError, OSError):
        connection.send_bytes(b"")
        while True:
            lines, teams = _decode_lines(connection.recv_bytes())
            connection.send_bytes(_encode([draft(line, teams) for line in lines]))
