"""The sealer: signs what the log is, once a second or per batch, but only after it has checked it and proven that it is the same as before.

It has a key of its own, which the database never sees, and remembers what it signed in a folder outside. When it starts it checks every
fact against the kept tiles; from then on each new fact, and with every pass some old ones, so that each is looked at again and again.
"""

import logging
from collections.abc import Callable
from functools import partial
from threading import Event
from time import monotonic

from ledger.store.codec import envelope
from ledger.store.connections import Connection
from ledger.store.integrity import guard, reading
from ledger.store.integrity.checking import Fault, Joined, Kind, checked
from ledger.store.integrity.checkpoint import Checkpoint
from ledger.store.integrity.keeping import Kept
from ledger.store.integrity.note import BadNote, Signer
from ledger.store.integrity.tree import (
    EMPTY_ROOT,
    BadProof,
    consistency_proof,
    root,
    verify_consistency,
)
from ledger.store.integrity.verifying import STRETCH, against, first_other, sooner

log = logging.getLogger(__name__)

EVERY_S = 1.0
#: Old facts looked at again with each pass.
AGAIN = 2_048


class Refused(Exception):  # noqa: N818 - named for what happened
    """The sealer does not sign; `fault` says at which position, and why."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(str(fault))
        self.fault = fault


class Sealer:
    """Checks and signs one ledger. Each `seal` is one pass; it raises Refused, and then whoever runs it should look, not retry."""

    def __init__(
        self,
        connection: Connection,
        kept: Kept,
        signer: Signer,
        *,
        event_triggers: bool = True,
        progress: Callable[[int, int], None] = lambda _done, _total: None,
    ) -> None:
        self._connection = connection
        self._kept = kept
        self._signer = signer
        self._event_triggers = event_triggers
        self._progress = progress
        self._joined: Joined | None = None
        self._signed: Checkpoint | None = None
        self._again = 0
        self._guarded_at = -guard.EVERY_S

    def seal(self) -> Checkpoint | None:
        """This will check what is new, sign it, keep it outside, and give the checkpoint; None if there was nothing new.

        Raises Refused, psycopg.Error, and OSError where the folder can't be written.
        """
        self._guard()
        last = self._last()
        joined, again = self._joined, self._joined is not None
        if joined is None:
            joined = self._whole(last)
            self._kept.keep_key(self._signer.verifier)
        head = self._grow(joined, last)
        if again:
            self._look_again(joined, last.size)
        if joined.emptied - joined.redacted.keys():  # recorded since, perhaps
            head = self._grow(joined, last)
        self._refuse(joined.finish())
        self._joined = joined
        if again and head == last.size:
            return None
        found = Checkpoint(self._signer.name, head, joined.frontier.root())
        self._prove(last, found)
        if found != last or self._kept.note() is None:
            self._kept.keep(found.signed(self._signer))
        self._signed = found
        return found

    def run(
        self, stop: Event, *, every_s: float = EVERY_S, sealed: Callable[[Checkpoint], None] = lambda _: None
    ) -> None:
        """This will seal every second until it is told to stop; raises as `seal` does."""
        while not stop.is_set():
            started = monotonic()
            if (found := self.seal()) is not None:
                sealed(found)
            stop.wait(max(0.0, every_s - (monotonic() - started)))

    def _refuse(self, fault: Fault | None) -> None:
        if fault is not None:
            raise Refused(fault)

    def _guard(self) -> None:
        if monotonic() - self._guarded_at < guard.EVERY_S:
            return
        self._refuse(next(iter(guard.faults(self._connection, event_triggers=self._event_triggers)), None))
        self._guarded_at = monotonic()

    def _last(self) -> Checkpoint:
        """This will give what was signed last, by the folder's word; it must be what this process remembers."""
        try:
            last = self._kept.checkpoint(self._signer.verifier)
        except BadNote as error:
            raise Refused(Fault(Kind.CHECKPOINT, 0, f"the kept checkpoint was rewritten: {error}")) from error
        if self._signed is not None and last != self._signed:
            raise Refused(Fault(Kind.CHECKPOINT, 0, "the kept checkpoint is not the one that was signed last"))
        return last or Checkpoint(self._signer.name, 0, EMPTY_ROOT)

    def _whole(self, last: Checkpoint) -> Joined:
        """This will check all that was signed before, fact by fact, against the checkpoint and the tiles."""
        joined, leaves = Joined(), partial(reading.leaves, self._connection)
        while (after := joined.next - 1) < last.size:
            end = min(last.size, after + STRETCH)
            joined.add(checked(after + 1, reading.pages(self._connection, after, end), last.size))
            self._refuse(sooner(joined.fault, last, self._kept.tiles, leaves))
            if joined.next <= end:
                if reading.head(self._connection) < last.size:
                    break  # the tail is cut off
                self._refuse(Fault(Kind.MISSING, joined.next, "the fact is missing"))
            self._progress(end, last.size)
        self._refuse(sooner(against(joined, last, self._kept.tiles, leaves), last, self._kept.tiles, leaves))
        self._compare(last)
        self._ahead(last)
        return joined

    def _ahead(self, last: Checkpoint) -> None:
        """This will check that tiles further than the checkpoint, as a sealer leaves that was stopped in between, are of this ledger."""
        kept = self._kept.tiles.ahead(last.size)
        found = reading.leaves(self._connection, last.size, last.size + len(kept))
        for index, leaf in enumerate(kept):
            if index >= len(found) or found[index] != leaf:
                sentence = "it is not the fact of the kept tiles: an older checkpoint was put back, or the ledger was rewritten"
                raise Refused(Fault(Kind.REWRITTEN, last.size + index + 1, sentence))

    def _compare(self, last: Checkpoint) -> None:
        """This will check that the tiles themselves lead to the root that was signed."""
        try:
            if root(last.size, self._kept.tiles.node) == last.root:
                return
            wrong = "are not those that the checkpoint was signed over"
        except (FileNotFoundError, ValueError) as error:
            wrong = f"are not whole: {error}"
        raise Refused(Fault(Kind.CHECKPOINT, 0, f"the kept tiles {wrong}"))

    def _grow(self, joined: Joined, last: Checkpoint) -> int:
        """This will check and keep what the ledger has grown by, and give the position that it has grown to."""
        head = reading.head(self._connection)
        if head < joined.next - 1:
            sentence = f"the ledger ends at {head}, and {last.size} facts were signed: the tail is cut off"
            raise Refused(Fault(Kind.TAIL, head + 1, sentence))
        while (size := joined.next - 1) < head:
            end = min(head, size + STRETCH)
            pages = list(reading.pages(self._connection, size, end))
            joined.add(checked(size + 1, pages))
            self._refuse(joined.fault)
            if joined.next <= end:
                self._refuse(Fault(Kind.MISSING, joined.next, "the fact is missing"))
            rows = [row for page in pages for row in page.rows()]
            self._kept.tiles.grow(
                size, [row.leaf for row in rows], [envelope(row.position, row.recorded_at, row.meta) for row in rows]
            )
            self._progress(end, head)
        return head

    def _look_again(self, joined: Joined, size: int) -> None:
        """This will look at the next few old facts again, byte by byte and against their kept leaves."""
        start = self._again if self._again < size else 0
        end = min(size, start + AGAIN)
        found = checked(start + 1, reading.pages(self._connection, start, end))
        self._refuse(found.fault)
        if found.next <= end:
            self._refuse(Fault(Kind.MISSING, found.next, "the fact is missing"))
        position = first_other(self._kept.tiles, start, end, partial(reading.leaves, self._connection))
        if position is not None:
            self._refuse(Fault(Kind.REWRITTEN, position, "it is not the fact that was signed"))
        joined.emptied |= found.emptied
        self._again = end

    def _prove(self, last: Checkpoint, found: Checkpoint) -> None:
        """This will prove from the tiles that what was signed last is the beginning of what is to be signed now."""
        nodes = self._kept.tiles.node
        proof = consistency_proof(last.size, found.size, nodes) if last.size else []
        try:
            verify_consistency(last.size, found.size, last.root, found.root, proof)
        except BadProof as error:
            sentence = f"what was signed last is not the beginning of what is there now: {error}"
            raise Refused(Fault(Kind.CHECKPOINT, 0, sentence)) from error
