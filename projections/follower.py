"""The one loop that keeps the views up to date: batches of whole commands, the views' rows and their positions in one transaction.

Views that stand at the same position go on together; where that fails each goes on alone, so that a fault stops one view only.

Any number of followers may run on one database; the one that holds the advisory lock leads and the others are hot spares. The lock
belongs to the connection that writes, so that a follower that has lost it can't write either.
"""

import logging
import threading
from collections.abc import Sequence
from time import monotonic
from typing import Any

import psycopg
from psycopg import Connection

from ledger.events.envelope import Event
from ledger.meanwhile import Background
from ledger.store.connections import own_connection
from projections import schema
from projections.building import Cancelled
from projections.log import Log, commands
from projections.projector import PoisonFact, View
from projections.rebuild import rebuild
from projections.storing import Storing

log = logging.getLogger(__name__)

#: Most facts of one transaction, unless one command alone has more.
BATCH = 2_000
#: How long to wait for word of new facts before looking, for the leader's place, and after a fault of the database, in seconds.
POLL_S = 0.03
SPARE_S = 0.25
BACKOFF_S = (0.1, 5.0)
HEARTBEAT_S = 2.0
#: Longest wait for an answer before the database is taken for gone, in seconds: a batch takes far less.
ANSWER_S = 20.0
#: A new view with more facts than this before it is built, which is faster than following from the first.
BUILD_FACTS = 20_000

_BEAT = """
INSERT INTO views.leader (backend, since, beat_at) VALUES (pg_backend_pid(), clock_timestamp(), clock_timestamp())
ON CONFLICT (one_row) DO UPDATE SET beat_at = EXCLUDED.beat_at, backend = EXCLUDED.backend,
    since = CASE WHEN views.leader.backend = EXCLUDED.backend THEN views.leader.since ELSE EXCLUDED.since END
"""
#: The rows are always locked in the same order.
_HOLD = "SELECT view, position, definition FROM views.positions WHERE view = ANY(%s) ORDER BY view FOR UPDATE"
_ADVANCE = """
UPDATE views.positions SET position = e.position, leaf = e.leaf, updated_at = clock_timestamp()
  FROM ledger.events AS e WHERE e.position = %s AND view = ANY(%s)
"""
#: Views that have followed another fact than the one that now stands where they are.
_ELSEWHERE = """
SELECT p.view FROM views.positions AS p JOIN ledger.events AS e USING (position) WHERE p.leaf <> e.leaf AND p.view = ANY(%s)
"""


class Follower(Background):
    """Follows the log into the views; it stops after the batch that is being written."""

    def __init__(self, url: str, log: Log, views: Sequence[View], *, batch: int = BATCH) -> None:
        super().__init__("follower", end_s_max=10)
        self._url = url
        self._log = log
        self._views = {view.name: view for view in views}
        self._storing = {view.name: Storing(view, schema.LIVE) for view in views}
        self._batch = batch
        self._moved = threading.Condition()
        #: By view: as this follower has brought them on, or while another leads, as it has told.
        self.positions: dict[str, int] = {}
        self.faults: dict[str, str] = {}
        self.leads = False

    def _run(self) -> None:
        """This will follow until `stop()`, through every loss of the database."""
        pause = BACKOFF_S[0]
        while not self._stopping.is_set():
            try:
                with own_connection(self._url, ANSWER_S) as connection:
                    if self._take_lead(connection):
                        self._lead(connection)
            except Cancelled:
                log.info("views are left to be built by the next start")
            except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                log.warning("the views wait for the database: %s", error)
            except Exception:
                log.exception("following failed and begins again in %.1f s", pause)
            finally:
                if self.leads:  # what never began is tried ever more seldom
                    pause = BACKOFF_S[0]
                self.leads = False
            self._stopping.wait(pause)
            pause = min(pause * 2, BACKOFF_S[1])

    def wait_for(self, view: str, position: int, timeout_s: float) -> bool:
        """This will wait until the view has got to the position, whoever leads; False if that took too long or the view has stopped."""
        deadline = monotonic() + timeout_s
        with self._moved:
            while self.positions.get(view, -1) < position:
                if view in self.faults or not self._moved.wait(max(0.0, deadline - monotonic())):
                    return self.positions.get(view, -1) >= position
        return True

    def lag(self) -> dict[str, int]:
        """This will give for each view how many facts it lacks."""
        head = self._log.head()
        return {name: head - position for name, position in self.positions.items()}

    def _take_lead(self, connection: Connection[Any]) -> bool:
        while not self._stopping.is_set():
            if connection.execute("SELECT pg_try_advisory_lock(%s)", [schema.LEADER_LOCK]).fetchone() == (True,):
                return True
            self._watch(connection)
            self._stopping.wait(SPARE_S)
        return False

    def _watch(self, connection: Connection[Any]) -> None:
        """This will learn how far the process that leads has got, for whoever waits for a view here."""
        if connection.execute("SELECT to_regclass('views.positions') IS NULL").fetchone() == (True,):
            return  # it has yet to make it
        found = [each for each in schema.positions(connection) if each.view in self._views]
        with self._moved:
            self.positions = {each.view: each.position for each in found}
            self.faults = {each.view: each.fault for each in found if each.fault is not None}
            self._moved.notify_all()

    def _lead(self, connection: Connection[Any]) -> None:
        stale = schema.ensure(connection, list(self._views.values()))
        known = {found.view: found for found in schema.positions(connection)}
        head = self._log.head()
        fresh = [view for view in self._views.values() if not known[view.name].position and head > BUILD_FACTS]
        unbuilt = list(dict.fromkeys([*stale, *fresh]))
        # A stopped view gets another chance from a program that may have been mended.
        others = [view.name for view in self._views.values() if view not in unbuilt]
        connection.execute("UPDATE views.positions SET fault = NULL WHERE view = ANY(%s)", [others])
        with self._moved:
            self.faults.clear()
        self._build(connection, unbuilt, head)
        with self._moved:
            self.positions = {p.view: p.position for p in schema.positions(connection) if p.view in self._views}
            self._moved.notify_all()  # who waits for what is there already need not wait for the next fact
        self.leads = True
        log.info("this process leads the views, from position %d", min(self.positions.values(), default=0))
        beat = 0.0
        while not self._stopping.is_set():
            if monotonic() - beat >= HEARTBEAT_S:
                beat = monotonic()
                self._beat(connection)
            if not self._round(connection):
                self._log.wait_past(max(self.positions.values(), default=0), POLL_S)

    def _build(self, connection: Connection[Any], views: Sequence[View], head: int) -> None:
        """This will build views from the first fact in one pass; where that fails each alone, so that a fault stops one view only."""
        if not views:
            return
        names = ", ".join([view.name for view in views])
        log.info("built from %d facts: %s", head, names)
        try:
            rebuild(self._url, self._log, views, cancelled=self._stopping.is_set)
        except (psycopg.OperationalError, psycopg.InterfaceError, Cancelled):
            raise
        except Exception as error:
            if len(views) > 1:
                for view in views:
                    self._build(connection, [view], head)
                return
            log.critical("view %s cannot be built; the other views go on", names, exc_info=error)
            self._stop(connection, names, f"It cannot be built: {error}")

    def _beat(self, connection: Connection[Any]) -> None:
        connection.execute(_BEAT)
        # Another process may have built a stopped view again.
        for found in schema.positions(connection):
            if (
                found.view in self.faults
                and found.fault is None
                and found.definition == self._views[found.view].definition
            ):
                del self.faults[found.view]
                self.positions[found.view] = found.position
        self._stop_elsewhere(connection)

    def _stop_elsewhere(self, connection: Connection[Any]) -> None:
        """This will stop each view that has followed facts which the log does not have, as after an older state was put back under it.

        One further than the log would skip what the log grows by until it gets there; one that the log has passed again has skipped it.
        """
        head = self._log.head()
        others = {view for (view,) in connection.execute(_ELSEWHERE, [list(self._views)])}
        for name, position in self.positions.items():
            if name in self.faults or (position <= head and name not in others):
                continue
            why = f"the ledger ends at {head}: an older" if position > head else "another fact stands there: another"
            log.critical("view %s is at %d and %s state was restored", name, position, why)
            fault = f"It is at {position}, and {why} state was restored under it."
            self._stop(connection, name, f"{fault} Run: decision-ledger rebuild {name}")

    def _round(self, connection: Connection[Any]) -> bool:
        """This will bring each view on by one batch; False when there was nothing to do."""
        abreast: dict[int, list[View]] = {}
        for name, view in self._views.items():
            if name not in self.faults:
                abreast.setdefault(self.positions[name], []).append(view)
        moved = False
        for after, views in abreast.items():
            page = [] if self._stopping.is_set() else commands(self._log, after, self._batch)
            if page:
                moved = True
                self._advance(connection, views, page)
        return moved

    def _advance(self, connection: Connection[Any], views: Sequence[View], events: Sequence[Event]) -> None:
        try:
            self._store(connection, views, events)
        except (psycopg.OperationalError, psycopg.InterfaceError):
            raise
        except Exception as error:
            if len(views) > 1:  # which of them is at fault shows when each goes alone
                for view in views:
                    self._advance(connection, [view], events)
                return
            (view,) = views
            parts = _split(events, error)
            if parts is None:
                self._fault(connection, view, events[0].position, error)
            for part in parts or ():
                if view.name not in self.faults:
                    self._advance(connection, views, part)

    def _store(self, connection: Connection[Any], views: Sequence[View], events: Sequence[Event]) -> None:
        """This will store the batch in all the views or in none; a view that none of its facts concerns costs nothing more."""
        reached: dict[str, int] = {}
        with connection.transaction():
            stored = {
                name: (position, definition)
                for name, position, definition in connection.execute(_HOLD, [[view.name for view in views]])
            }
            advanced = []
            for view in views:
                position, definition = stored.get(view.name, (0, ""))
                reached[view.name] = position
                if definition != view.definition:
                    self.faults[view.name] = "Another version of the program has built it."
                # A build that was switched in meanwhile stands elsewhere than this follower thought.
                elif position == events[0].position - 1:
                    self._storing[view.name].store(connection, events)
                    advanced.append(view.name)
            if advanced:
                connection.execute(_ADVANCE, [events[-1].position, advanced])
        reached |= dict.fromkeys(advanced, events[-1].position)
        with self._moved:
            self.positions |= reached
            self._moved.notify_all()

    def _fault(self, connection: Connection[Any], view: View, position: int, error: Exception) -> None:
        log.critical(
            "view %s has stopped before position %d; the other views go on", view.name, position, exc_info=error
        )
        self._stop(connection, view.name, f"Stopped before position {position}: {error}")

    def _stop(self, connection: Connection[Any], view: str, fault: str) -> None:
        connection.execute(
            "UPDATE views.positions SET fault = %s, updated_at = clock_timestamp() WHERE view = %s",
            [fault.replace("\0", ""), view],
        )
        with self._moved:
            self.faults[view] = fault
            self._moved.notify_all()


def _split(events: Sequence[Event], error: Exception) -> tuple[Sequence[Event], Sequence[Event]] | None:
    """This will cut a failed batch between commands, so that what can be stored is; None where the first command is at fault."""
    starts = [n for n, event in enumerate(events) if n == 0 or events[n - 1].command_id != event.command_id]
    if isinstance(error, PoisonFact):
        poisoned = error.event.command_id
        cut = next(n for n in starts if events[n].command_id == poisoned)
        end = next((n for n in starts if n > cut), len(events))
        return (events[:cut], events[cut:end]) if cut else None
    if len(starts) == 1:
        return None
    cut = starts[len(starts) // 2]
    return events[:cut], events[cut:]
