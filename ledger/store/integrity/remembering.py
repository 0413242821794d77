"""What a process has seen of the ledger, so that an older state that is put in its place underneath is noticed.

Every second, and on each fresh connection by which an answer is read, the ledger is compared with the last fact that was seen there, and
with the last checkpoint outside. From then on nothing is read or recorded by this process until what was lost is back.
"""

import logging
from contextlib import suppress
from threading import Lock

import psycopg

from ledger.meanwhile import Background
from ledger.store.connections import STATEMENT_TIMEOUT_MS, AsyncConnection, Connection, is_quiet, reader_connection
from ledger.store.faults import NotReconciled
from ledger.store.integrity import reading
from ledger.store.integrity.checkpoint import Checkpoint
from ledger.store.integrity.keeping import Kept
from ledger.store.integrity.reconciling import signed

log = logging.getLogger(__name__)

EVERY_S = 1.0

#: Where the ledger ends, the leaf there, and the leaf at a position that was seen before.
_LOOK = """
SELECT h.position, last.leaf, seen.leaf FROM ledger.head AS h LEFT JOIN ledger.events AS last ON last.position = h.position
  LEFT JOIN ledger.events AS seen ON seen.position = %s"""
_MEND = "Bring back what is missing; or, if it is lost for good, start every server anew, and seal anew."


class Memory(Background):
    """One process's. `kept`: the folder outside, where it can be read."""

    def __init__(self, url: str, kept: Kept | None = None, *, every_s: float = EVERY_S) -> None:
        super().__init__("ledger-memory")
        self._url, self._kept, self._every_s = url, kept, every_s
        self._seen: tuple[int, bytes] = (0, b"")
        self._fault: NotReconciled | None = None
        self._noting = Lock()
        self._connection: Connection | None = None

    def fault(self) -> NotReconciled | None:
        """This will say why nothing may be read or recorded; None: the ledger is the one that was seen."""
        return self._fault

    def refuse(self) -> None:
        """This will raise NotReconciled where something is wrong."""
        if self._fault is not None:
            raise self._fault

    def start(self) -> None:
        """This will look once before it returns, and then go on by itself. Raises psycopg.Error."""
        self.look()
        super().start()

    def stop(self) -> None:
        """This will end the thread and its connection."""
        super().stop()
        if self._connection is not None:
            self._connection.close()

    def look(self) -> None:
        """This will compare now; a ledger that is the same again is forgiven. Raises psycopg.Error. Not for several threads at once."""
        connection = self._ready()
        seen, checkpoint, fault = self._seen, None, None
        try:
            checkpoint = None if self._kept is None else signed(self._kept)
        except NotReconciled:
            fault = "the checkpoint outside does not hold"
        head, last, then = connection.execute(_LOOK, [seen[0]]).fetchone() or (0, None, None)
        fault = fault or _other(seen, head, then) or self._unsigned(connection, head, checkpoint)
        if fault is not None:
            self._note(fault)
        elif self._fault is not None:
            self._fault = None
            log.warning("the ledger is again the one that this server has seen: it is served")
        self._see(head, last)

    async def recognise(self, connection: AsyncConnection) -> None:
        """This will compare on a fresh connection, before anything is read by it."""
        seen = self._seen
        head, last, then = await (await connection.execute(_LOOK, [seen[0]])).fetchone() or (0, None, None)
        if (fault := _other(seen, head, then)) is not None:
            self._note(fault)
        self._see(head, last)

    def _note(self, fault: str) -> None:
        with self._noting:
            if self._fault is None:
                log.critical("nothing is served any more: %s. %s", fault, _MEND)
            self._fault = NotReconciled(f"{fault[0].upper()}{fault[1:]}.")

    def _see(self, head: int, leaf: bytes | None) -> None:
        with self._noting:
            if self._fault is None and leaf is not None and head > self._seen[0]:
                self._seen = (head, leaf)

    def _unsigned(self, connection: Connection, head: int, checkpoint: Checkpoint | None) -> str | None:
        """This will say how the ledger is not what was signed: by its length and the last leaf; `verify` and the sealer look at all."""
        if checkpoint is None or self._kept is None or checkpoint.size == 0:
            return None
        if head < checkpoint.size:
            return f"the ledger ends at {head}, and {checkpoint.size} facts were signed: an older state was restored"
        with suppress(FileNotFoundError, ValueError):  # the sealer may be writing them; what can't be read says nothing
            wanted = self._kept.tiles.leaves(checkpoint.size - 1, checkpoint.size)
            if reading.leaves(connection, checkpoint.size - 1, checkpoint.size) != wanted:
                return f"the fact at {checkpoint.size} is not the one that was signed: another state was restored"
        return None

    def _ready(self) -> Connection:
        connection = self._connection
        if connection is not None and not connection.closed and is_quiet(connection):
            return connection
        if connection is not None:
            connection.close()
        self._connection = reader_connection(self._url, STATEMENT_TIMEOUT_MS)
        return self._connection

    def _run(self) -> None:
        while not self._stopping.wait(self._every_s):
            with suppress(psycopg.Error):  # whoever asks meanwhile is told that the database is away
                self.look()


def _other(seen: tuple[int, bytes], head: int, leaf: bytes | None) -> str | None:
    """This will say how the ledger is not the one that was seen."""
    position, wanted = seen
    if head < position:
        return f"the ledger ends at {head}, and {position} facts were seen here: an older state was restored"
    if position and leaf != wanted:
        return f"the fact at {position} is not the one that was seen here: another state was restored"
    return None
