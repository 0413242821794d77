"""A second process that reads and decides lines ahead, as if the ledger had nothing of their proposals, which is nearly always so.

It has no connection: whoever asks looks up what the ledger has, and decides again where the draft was mistaken.
"""

import gc
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from functools import lru_cache
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Self
from uuid import UUID

from msgspec import Struct

from ledger.domain.rejected import Rejected
from ledger.domain.source_fact import ImportingTeam
from ledger.importing.deciding_line import decided
from ledger.importing.form import read
from ledger.importing.lines import Line
from ledger.importing.naming import Names
from ledger.importing.record import record
from ledger.importing.staging import rows
from ledger.values import MemberId, ProposalId

#: A smaller file is read before a second process is there.
DRAFTED_BYTES_MIN = 4 * 1024 * 1024


class Draft(Struct, frozen=True, gc=False):
    """A line that was decided as if it were new."""

    external_id: str
    system: str
    proposal_id: ProposalId
    first_command: UUID
    earliest: datetime
    entry_count: int
    people: dict[MemberId, str]
    rows: bytes


Drafts = Sequence[Draft | None]


def draft(line: Line, teams: dict[str, ImportingTeam]) -> Draft | None:
    """This will decide a line, None if that needs the ledger at hand: it is bad, or of a source that has no team yet."""
    if line.content is None:
        return None
    try:
        form = read(line.content)
        team = teams.get(form.source.repo)
        if team is None:
            return None
        one = record(form, _names(form.source.repo))
        staged = decided(one, team, {}, [])
    except (Rejected, RecursionError):
        return None
    first = one.entries[0]
    return Draft(
        one.external_id,
        one.names.system,
        one.proposal_id,
        first.command_id,
        first.known,
        len(staged),
        one.people,
        rows(line.number, staged),
    )


class Drafting:
    """The second process, from the time when it is ready, and until a draft was of no use."""

    def __init__(self, size_bytes: int) -> None:
        self._connection: Connection | None = None
        self._ready = False
        if size_bytes < DRAFTED_BYTES_MIN:
            return
        self._connection, theirs = Pipe()
        with theirs:
            # Not by multiprocessing, which would run the caller's own script again in the second process.
            self._process = subprocess.Popen(  # noqa: S603  # our own interpreter
                [sys.executable, "-c", f"from {__name__} import run; run({theirs.fileno()})"],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """This will end the process."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
            self._process.terminate()
            self._process.wait()

    def ready(self) -> bool:
        """Can lines be given to it?"""
        if self._connection is not None and not self._ready and self._connection.poll():
            self._drafts()
            self._ready = True
        return self._ready and self._connection is not None

    def begin(self, lines: Sequence[Line], teams: dict[str, ImportingTeam]) -> None:
        """This will give it lines; `drafts` gives them back before it may have others."""
        if self._connection is not None:
            with suppress(OSError):
                self._connection.send((lines, teams))

    def drafts(self, lines: Sequence[Line]) -> Drafts:
        """This will wait for the drafts of the lines; there are none if the process died."""
        return self._drafts() or [None] * len(lines)

    def _drafts(self) -> Drafts:
        try:
            found: Drafts = [] if self._connection is None else self._connection.recv()
        except (EOFError, OSError):
            self.stop()
            return []
        return found


_names = lru_cache(maxsize=1_024)(Names)


def run(file: int) -> None:
    """This will draft what comes in on a connection until its other end is closed."""
    connection = Connection(file)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever asks decides when to end
    gc.disable()
    with suppress(EOFError, OSError):
        connection.send([])
        while True:
            lines, teams = connection.recv()
            connection.send([draft(line, teams) for line in lines])
