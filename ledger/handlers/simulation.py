"""The commands of a simulation, and its end, which the process that ran it records."""

from datetime import datetime
from hashlib import sha256
from uuid import uuid4

import msgspec
from msgspec import Struct

from ledger.commands import simulation as commands
from ledger.commands.issued import Issued
from ledger.domain import simulation as domain
from ledger.domain.simulation import End, SimulationState
from ledger.domain.team import known as known_team
from ledger.events import Event, event_id
from ledger.handlers.authorising import hide, role, sees
from ledger.handlers.seen import Change, Handler, Seen
from ledger.store.application import Ledger
from ledger.store.faults import VersionConflict
from ledger.values import SYSTEM, Actor, Role, SimulationId, utc

ATTEMPTS_MAX = 5


def simulate(seen: Seen, issued: Issued[commands.Simulate]) -> Change:
    """This will take on a simulation for whoever may simulate each of its teams."""
    command = issued.command
    for team_id in command.team_ids:
        known_team(seen.team(team_id))
        acting = role(seen, issued, team_id)
    simulation = seen.simulation(command.simulation_id)
    seen.free(command.simulation_id, simulation, "simulation_id")
    return Change(acting, [(command.simulation_id, domain.decide_simulate(simulation, issued))])


def cancel_simulation(seen: Seen, issued: Issued[commands.CancelSimulation]) -> Change:
    """This will cancel a simulation for whoever asked for it, or may simulate each of its teams."""
    simulation = domain.known(seen.simulation(issued.command.simulation_id))
    owns = simulation.requested_by == issued.member_id
    if not owns and not all(sees(seen, issued.member_id, team_id) for team_id in simulation.team_ids):
        hide(domain.known)
    for team_id in simulation.team_ids:
        acting = role(seen, issued, team_id, owns=owns)
    return Change(acting, [(simulation.simulation_id, domain.decide_cancel_simulation(simulation, issued))])


HANDLERS: dict[type[Struct], Handler] = {
    commands.Simulate: simulate,
    commands.CancelSimulation: cancel_simulation,
}


def found(ledger: Ledger, simulation_id: SimulationId) -> SimulationState:
    """This will load a simulation. Raises Rejected where there is none."""
    state: SimulationState | None = None
    for event in ledger.events(simulation_id):
        state = domain.evolve(state, event)
    return domain.known(state)


def end(ledger: Ledger, simulation_id: SimulationId, fact: End, at: datetime) -> SimulationState:
    """This will record how a simulation ended, unless it has ended before, and give it as it stands then. Raises as `Ledger.append`."""
    for _ in range(ATTEMPTS_MAX):
        events = ledger.events(simulation_id)
        state: SimulationState | None = None
        for event in events:
            state = domain.evolve(state, event)
        if not domain.decide_end(state, fact):
            break
        command_id = uuid4()
        ended = Event(
            event_id=event_id(command_id, 0),
            stream_id=simulation_id,
            version=len(events) + 1,
            occurred_at=utc(at),
            actor=Actor(SYSTEM, Role.STEWARD),
            command_id=command_id,
            correlation_id=events[0].correlation_id,
            fact=fact,
            causation_id=events[0].event_id,
        )
        request = sha256(b"EndSimulation\0" + simulation_id.bytes + msgspec.json.encode(fact)).digest()
        try:
            ledger.append([ended], command_id=command_id, request_hash=request, at=utc(at))
        except VersionConflict:
            continue  # somebody else ended it
        return domain.evolve(state, ended)
    return found(ledger, simulation_id)
