"""Simulations: how they stand, what they found, several side by side. `simulate` and `cancelSimulation` are mutations like the others."""

import asyncio
import zlib
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import suppress
from typing import Annotated, Any
from uuid import UUID

import anyio
import msgspec
import strawberry
from msgspec import Struct
from msgspec.structs import replace

from ledger.api.asking import lookup
from ledger.api.context import Context, Info
from ledger.api.errors import bad_input, not_found
from ledger.api.simulation_types import COMPARISON, SIMULATION, ComparisonView, Progress, SimulationView
from ledger.api.standing import Connection
from ledger.domain.simulation import SimulationStatus
from ledger.events.simulation import SimulationRequested
from ledger.replay.comparing import compare
from ledger.replay.report import Report, Result
from ledger.store.codec import PAYLOAD
from ledger.values import MemberId

#: Simulations that are compared at once.
COMPARED_MAX = 8
#: How often a followed simulation is looked at, in seconds.
POLL_S = 0.3

_JOBS = f"""
SELECT simulation_id, state, team_ids, requested_by, requested_at, {PAYLOAD}, doing, done, total, reason, ended_at, digest,
       CASE WHEN %s THEN report END
  FROM simulations.jobs JOIN ledger.events AS e ON e.stream_id = simulation_id AND e.version = 1
 WHERE simulation_id = ANY(%s) AND (%s::uuid[] IS NULL OR team_ids <@ %s)""".replace("position", "e.position")  # noqa: S608 - literal
_TITLES = f"SELECT stream_id, {PAYLOAD} FROM ledger.events WHERE stream_id = ANY(%s) AND version = 1"  # noqa: S608 - literal

IdArgument = Annotated[UUID, strawberry.argument(description="The simulation.")]


class _Titled(Struct, frozen=True):
    """What is read of a submission."""

    title: str = ""


async def simulation(info: Info, simulation_id: IdArgument) -> Any:
    """This will show one simulation. Raises the error NOT_FOUND."""
    return await _shown(info.context, simulation_id)


async def _shown(context: Context, simulation_id: UUID) -> Any:
    async with context.read() as connection:
        found = await _read(context, connection, [simulation_id])
        if not found:
            raise not_found("simulation")
        (row,) = found
        people = await SIMULATION.members_of([row], context, connection)
    return SIMULATION.show(row, people)


async def compare_simulations(
    info: Info,
    simulation_ids: Annotated[
        list[UUID], strawberry.argument(description=f"Simulations that have completed: 2 to {COMPARED_MAX}.")
    ],
) -> Any:
    """This will lay simulations side by side. Raises the errors NOT_FOUND and BAD_USER_INPUT."""
    ids = list(dict.fromkeys(simulation_ids))
    if not 2 <= len(ids) <= COMPARED_MAX:  # noqa: PLR2004 - one has nothing to be compared with
        raise bad_input(f"simulationIds names {len(ids)}; give 2 to {COMPARED_MAX} different ones.")
    async with info.context.read() as connection:
        rows = {row[0]: row for row in await _rows(info.context, connection, ids)}
        if len(rows) < len(ids):
            raise not_found("simulation")
        for simulation_id in ids:
            if rows[simulation_id][-1] is None:
                state = rows[simulation_id][1].lower()
                raise bad_input(f"{simulation_id} is {state} and has no report. Wait for it, or ask for it again.")
        reports = await anyio.to_thread.run_sync(lambda: [_report(rows[one][-1]) for one in ids])
        found = await anyio.to_thread.run_sync(compare, reports)
        titles = await _titles(connection, {flip.proposal_id for flip in found.flips})
    flips = tuple(replace(flip, title=titles.get(flip.proposal_id, "")) for flip in found.flips)
    return COMPARISON.show(ComparisonView(tuple(ids), found.weeks, found.sides, found.agreement, flips), {})


async def followed(info: Info, simulation_id: IdArgument) -> AsyncGenerator[Any, None]:
    """This will give a simulation whenever it has moved, until it has ended, the client ends it, or the process stops."""
    context, before = info.context, None
    while True:
        async with context.read() as connection:
            rows = await _rows(context, connection, [simulation_id], reports=False)
        if not rows:
            raise not_found("simulation")
        if (now := rows[0][1:]) != before:
            before = now
            yield await _shown(context, simulation_id)
        if rows[0][1] not in (SimulationStatus.QUEUED, SimulationStatus.RUNNING):
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(context.resources.feed.stopping.wait(), POLL_S)
            return


async def _read(context: Context, connection: Connection, ids: Sequence[UUID]) -> list[SimulationView]:
    found = []
    for row in await _rows(context, connection, ids):
        report = None if row[-1] is None else await anyio.to_thread.run_sync(_report, row[-1])
        if report is not None:
            every = (report.actual, *report.results)
            named = {flip.proposal for r in every for flip in r.flips} | {s.proposal for r in every for s in r.starved}
            report = _titled(report, await _titles(connection, named))
        found.append(_view(row, report))
    return found


async def _rows(
    context: Context, connection: Connection, ids: Sequence[UUID], *, reports: bool = True
) -> list[tuple[Any, ...]]:
    """This will read simulations of whose teams the viewer may see every one."""
    teams = context.visible_teams()
    visible = None if teams is None else list(teams)
    cursor = await connection.execute(_JOBS.encode(), [reports, list(ids), visible, visible])
    return list(await cursor.fetchall())


async def _titles(connection: Connection, proposals: Iterable[UUID]) -> dict[UUID, str]:
    """This will read titles from the log: what was redacted there is redacted here."""
    cursor = await connection.execute(_TITLES.encode(), [list(proposals)])
    return {
        stream_id: msgspec.json.decode(bytes(payload), type=_Titled).title
        for stream_id, payload in await cursor.fetchall()
    }


def _report(stored: bytes) -> Report:
    return msgspec.json.decode(zlib.decompress(stored), type=Report)


def _titled(report: Report, titles: dict[UUID, str]) -> Report:
    def result(one: Result) -> Result:
        flips = tuple(replace(flip, title=titles.get(flip.proposal, "")) for flip in one.flips)
        return replace(
            one, flips=flips, starved=tuple(replace(s, title=titles.get(s.proposal, "")) for s in one.starved)
        )

    return replace(report, actual=result(report.actual), results=tuple(map(result, report.results)))


def _view(row: tuple[Any, ...], report: Report | None) -> SimulationView:
    simulation_id, state, team_ids, by, at, payload, doing, done, total, reason, ended_at, digest, _ = row
    fact = msgspec.json.decode(bytes(payload), type=SimulationRequested)
    return SimulationView(
        simulation_id,
        SimulationStatus(state),
        tuple(team_ids),
        MemberId(by),
        at,
        fact.scenario,
        fact.scenario_sha256,
        Progress(doing or state.capitalize(), done, total),
        reason,
        ended_at,
        digest,
        report,
    )


@strawberry.type
class SimulationQuery:
    """The root fields `simulation` and `compareSimulations`."""

    simulation: Any = lookup(SIMULATION, "A simulation: how far it is, and what it found.", simulation)
    compare_simulations: Any = lookup(
        COMPARISON,
        "Simulations side by side: rank agreement, flips in common, curves.",
        compare_simulations,
    )
