"""Simulations as jobs: taken on in order, each run in a process of its own, told of while they run, and ended for good.

Any number of server processes may share a database: each job is held by an advisory lock of its runner's connection, so that one that
nobody holds any more is found and said to be interrupted, and so many run at once in all.
"""

import logging
import threading
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import psycopg
from msgspec import Struct
from msgspec.structs import replace

from ledger.commands.issued import Issued
from ledger.commands.simulation import CancelSimulation, Simulate
from ledger.domain.rejected import Code, Rejected
from ledger.domain.simulation import End, SimulationState
from ledger.events import Event
from ledger.events.simulation import (
    SimulationCompleted,
    SimulationInterrupted,
    SimulationRequested,
)
from ledger.handlers.outcome import Outcome
from ledger.handlers.simulation import end, found
from ledger.replay.job import Request, Said, passed
from ledger.replay.report import Report
from ledger.replay.running import Ended, run
from ledger.replay.scenario import Scenario
from ledger.store.application import Ledger
from ledger.store.connections import STATEMENT_TIMEOUT_MS, Connection, writer_connection
from ledger.values import SimulationId

log = logging.getLogger(__name__)

#: The commands that `Jobs.handling` has to see.
JOBS = (Simulate, CancelSimulation)
#: Jobs that run at once on one database, and how long and how large each may be.
RUNNING_MAX = 2
TIME_S_MAX = 600.0
MEMORY_BYTES_MAX = 4 * 2**30
REPORT_BYTES_MAX = 64 * 2**20
#: Unfinished jobs of one member, and of all.
WAITING_OF_ONE_MAX = 5
WAITING_MAX = 100
#: Finished jobs whose reports are kept; of older ones the facts stay.
KEPT_MAX = 500
#: How often a runner looks for jobs that another process took on, in seconds.
LOOK_S = 1.0
#: Class of the advisory locks that bound how many run at once: "simu" in ASCII.
SLOTS = int.from_bytes(b"simu")

Handle = Callable[[Issued[Any]], Outcome]

_INSERT = b"""
INSERT INTO simulations.jobs (simulation_id, position, requested_at, requested_by, team_ids)
VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING"""
#: Those that were asked for, and whose process was killed before it could put them in the queue. How far back is looked: whoever got no
#: answer asks again under the same command id, which does the same.
FORGOTTEN_FACTS = 10_000
_FORGOTTEN = b"""
SELECT stream_id FROM ledger.events WHERE topic = 'SimulationRequested' AND position > (SELECT position - %s FROM ledger.head)
   AND NOT EXISTS (SELECT FROM simulations.jobs WHERE simulation_id = stream_id) ORDER BY position"""
_WAITING = b"""
SELECT count(*), count(*) FILTER (WHERE requested_by = %s) FROM simulations.jobs WHERE state IN ('QUEUED', 'RUNNING')"""
_SWEEP = b"""
UPDATE simulations.jobs SET report = NULL WHERE report IS NOT NULL AND position <
 (SELECT position FROM simulations.jobs WHERE report IS NOT NULL ORDER BY position DESC OFFSET %s LIMIT 1)"""
_UNFINISHED = (
    b"SELECT simulation_id, state FROM simulations.jobs WHERE state IN ('QUEUED', 'RUNNING') ORDER BY position"
)
_TAKE = b"UPDATE simulations.jobs SET state = 'RUNNING' WHERE simulation_id = %s AND state = 'QUEUED' RETURNING 1"
_MOVE = b"UPDATE simulations.jobs SET doing = %s, done = %s, total = %s WHERE simulation_id = %s AND state = 'RUNNING' RETURNING 1"
_END = b"""
UPDATE simulations.jobs SET state = %s, reason = %s, digest = %s, ended_at = now(), report = COALESCE(%s, report)
 WHERE simulation_id = %s AND (state IN ('QUEUED', 'RUNNING') OR state = %s)"""


class Limits(Struct, frozen=True):
    """How much of the machine simulations may take."""

    running: int = RUNNING_MAX
    time_s: float = TIME_S_MAX
    memory_bytes: int = MEMORY_BYTES_MAX


class Jobs:
    """Takes jobs on and runs them. Start it once in a process, and stop it: what it runs then is said to be interrupted."""

    def __init__(self, url: str, ledger: Ledger, cache: Path | None, limits: Limits = Limits()) -> None:  # noqa: B008 - frozen
        self._url, self._ledger, self._cache, self._limits = url, ledger, cache, limits
        self._stop, self._wake = threading.Event(), threading.Event()
        self._threads = [
            threading.Thread(target=self._run, name=f"simulations-{slot}", args=[slot], daemon=True)
            for slot in range(limits.running)
        ]

    def start(self) -> None:
        """This will begin to run jobs, those that an earlier process left waiting among them."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """This will end what runs, and the threads."""
        self._stop.set()
        self._wake.set()
        for thread in self._threads:
            thread.join()

    def handling(self, handle: Handle) -> Handle:
        """This will wrap the handlers: a simulation that was asked for is queued, and one that was cancelled is stopped."""

        def handled(issued: Issued[Any]) -> Outcome:
            match issued.command:
                case Simulate():
                    self._refuse_too_many(issued)
                    outcome = handle(issued)
                    self._queue(outcome)
                    return outcome
                case CancelSimulation(simulation_id):
                    outcome = handle(issued)
                    with self._connection() as connection:
                        self._show(connection, found(self._ledger, simulation_id))
                    self._wake.set()
                    return outcome
                case _:
                    return handle(issued)

        return handled

    def _connection(self) -> Connection:
        return writer_connection(self._url, STATEMENT_TIMEOUT_MS)

    def _refuse_too_many(self, issued: Issued[Simulate]) -> None:
        with self._connection() as connection:
            row = connection.execute(_WAITING, [issued.member_id]).fetchone()
            known = connection.execute(
                b"SELECT 1 FROM simulations.jobs WHERE simulation_id = %s", [issued.command.simulation_id]
            ).fetchone()
        if row is None or known is not None:  # asked for before: the handlers give the first outcome
            return
        every, own = row
        if own >= WAITING_OF_ONE_MAX:
            raise Rejected(
                Code.CONFLICT,
                f"{own} of your simulations have not ended; at most {WAITING_OF_ONE_MAX} may wait. Wait, or cancel one.",
            )
        if every >= WAITING_MAX:
            raise Rejected(Code.CONFLICT, f"{every} simulations are waiting. Ask again later.")

    def _queue(self, outcome: Outcome) -> None:
        (event,) = (event for event in outcome.facts if isinstance(event.fact, SimulationRequested))
        with self._connection() as connection:
            _enter(connection, event, outcome.recorded_at)
            connection.execute(_SWEEP, [KEPT_MAX])
        self._wake.set()

    def _remember(self, connection: Connection) -> None:
        """This will queue what an earlier process was asked for and had no time to queue."""
        for (simulation_id,) in connection.execute(_FORGOTTEN, [FORGOTTEN_FACTS]).fetchall():
            event = self._ledger.events(simulation_id)[0]
            _enter(connection, event, event.recorded_at)

    def _run(self, slot: int) -> None:
        """This will run jobs one after the other, as often as its slot of the database's is free."""
        while not self._stop.is_set():
            try:
                with self._connection() as connection:
                    self._remember(connection)
                    while not self._stop.is_set():
                        if not self._look(connection, slot):
                            self._wake.wait(LOOK_S)
                            self._wake.clear()
            except (psycopg.Error, OSError) as error:
                log.warning("simulations wait for the database: %s", type(error).__name__)
                self._stop.wait(LOOK_S)
            except Exception:
                log.exception("a simulation's runner met something unexpected, and goes on")
                self._stop.wait(LOOK_S)

    def _look(self, connection: Connection, slot: int) -> bool:
        """This will end what nobody holds any more, and run the first that waits; False: there was none, or no slot."""
        for simulation_id, state in connection.execute(_UNFINISHED).fetchall():
            if state == "RUNNING":
                self._recover(connection, simulation_id)
        if not _lock(connection, b"SELECT pg_try_advisory_lock(%s, %s)", SLOTS, slot):
            return False
        try:
            for simulation_id, state in connection.execute(_UNFINISHED).fetchall():
                if state == "QUEUED" and self._take(connection, simulation_id):
                    return True
        finally:
            connection.execute("SELECT pg_advisory_unlock(%s, %s)", [SLOTS, slot])
        return False

    def _recover(self, connection: Connection, simulation_id: UUID) -> None:
        if _lock(connection, b"SELECT pg_try_advisory_lock(%s)", _key(simulation_id)):
            try:
                gone = SimulationInterrupted("The process that ran it ended before it did. Ask again.")
                self._end(connection, simulation_id, gone)
            finally:
                connection.execute("SELECT pg_advisory_unlock(%s)", [_key(simulation_id)])

    def _take(self, connection: Connection, simulation_id: UUID) -> bool:
        if not _lock(connection, b"SELECT pg_try_advisory_lock(%s)", _key(simulation_id)):
            return False
        try:
            if connection.execute(_TAKE, [simulation_id]).fetchone() is None:
                return False
            state = found(self._ledger, SimulationId(simulation_id))
            if state.has_ended:
                self._show(connection, state)
                return True
            try:
                report = self._report(connection, state)
            except Ended as ended:
                if ended.fact is not None:
                    self._end(connection, simulation_id, ended.fact)
                return True
            done = SimulationCompleted(
                report.digest,
                report.last_position,
                report.code_version,
                report.reviews,
                len(report.results),
                passed(report),
            )
            self._end(connection, simulation_id, done, zlib.compress(report.encoded(), 6))
            return True
        finally:
            connection.execute("SELECT pg_advisory_unlock(%s)", [_key(simulation_id)])

    def _end(self, connection: Connection, simulation_id: UUID, fact: End, report: bytes | None = None) -> None:
        state = end(self._ledger, SimulationId(simulation_id), fact, datetime.now(UTC))
        if report is not None and len(report) > REPORT_BYTES_MAX:
            report = None
        self._show(connection, state, report if isinstance(fact, SimulationCompleted) else None)

    def _show(self, connection: Connection, state: SimulationState, report: bytes | None = None) -> None:
        """This will write down what the facts say, for those who look in."""
        values = [state.status, state.reason, state.digest, report, state.simulation_id, state.status]
        connection.execute(_END, values)

    def _report(self, connection: Connection, state: SimulationState) -> Report:
        """This will run a job in a process of its own until it says its report. Raises Ended."""
        scenario = msgspec.json.decode(state.scenario, type=Scenario)
        request = Request(
            self._url,
            replace(scenario, teams=tuple(map(str, state.team_ids))),
            None if self._cache is None else str(self._cache),
            self._limits.memory_bytes,
        )

        def tell(said: Said) -> None:
            values = [said.doing, said.done, said.total, state.simulation_id]
            if connection.execute(_MOVE, values).fetchone() is None:
                raise Ended(None)  # cancelled

        return run(request, self._limits.time_s, tell, self._stop.is_set)


def _enter(connection: Connection, event: Event, recorded_at: datetime | None) -> None:
    """This will put a simulation in the queue, unless it is there already."""
    fact: Any = event.fact
    values = [event.stream_id, event.position, recorded_at, event.actor.member_id, list(fact.team_ids)]
    connection.execute(_INSERT, values)


def _lock(connection: Connection, statement: bytes, *keys: int) -> bool:
    return connection.execute(statement, keys).fetchone() == (True,)


def _key(simulation_id: UUID) -> int:
    """This will give the advisory lock of a job: 64 bits of its id."""
    return int.from_bytes(simulation_id.bytes[:8], signed=True)
