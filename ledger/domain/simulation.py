"""A replay that runs as a job: asked for once, and ended once."""

from enum import StrEnum
from hashlib import sha256
from typing import assert_never, cast

from msgspec import Struct
from msgspec.structs import replace

from ledger.commands.issued import Issued
from ledger.commands.simulation import CancelSimulation, Simulate
from ledger.domain.rejected import Code, Rejected
from ledger.events.envelope import Event
from ledger.events.simulation import (
    SimulationCancelled,
    SimulationCompleted,
    SimulationFailed,
    SimulationInterrupted,
    SimulationRequested,
)
from ledger.values import ORGANISATION, MemberId, SimulationId, TeamId

End = SimulationCompleted | SimulationFailed | SimulationCancelled | SimulationInterrupted
SimulationFact = SimulationRequested | End


class SimulationStatus(StrEnum):
    """Where a simulation stands."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    INTERRUPTED = "INTERRUPTED"


class SimulationState(Struct, frozen=True):
    """A simulation as the facts have it: that it runs is no fact, so it is QUEUED until it has ended."""

    simulation_id: SimulationId
    team_ids: tuple[TeamId, ...]
    scenario: str
    requested_by: MemberId
    status: SimulationStatus = SimulationStatus.QUEUED
    #: Why it failed, was cancelled or interrupted.
    reason: str | None = None
    digest: str | None = None

    @property
    def has_ended(self) -> bool:
        """This will say whether nothing more will come of it."""
        return self.status is not SimulationStatus.QUEUED


def evolve(state: SimulationState | None, event: Event) -> SimulationState:
    """This will fold one fact of a simulation's stream into its state."""
    fact = cast("SimulationFact", event.fact)
    if isinstance(fact, SimulationRequested):
        return SimulationState(SimulationId(event.stream_id), fact.team_ids, fact.scenario, event.actor.member_id)
    if state is None:
        raise LookupError(f"{type(fact).__name__} at position {event.position} is of a simulation nobody asked for")
    match fact:
        case SimulationCompleted():
            return replace(state, status=SimulationStatus.COMPLETED, digest=fact.digest)
        case SimulationFailed():
            return replace(state, status=SimulationStatus.FAILED, reason=fact.reason)
        case SimulationCancelled():
            return replace(state, status=SimulationStatus.CANCELLED, reason=fact.reason)
        case SimulationInterrupted():
            return replace(state, status=SimulationStatus.INTERRUPTED, reason=fact.reason)
        case _:
            assert_never(fact)


def decide_simulate(state: SimulationState | None, issued: Issued[Simulate]) -> list[Struct]:
    """This will take on a simulation, under an id that nobody has yet."""
    command = issued.command
    if state is not None:
        raise Rejected(Code.CONFLICT, "This id is another simulation's already. Choose another.", "simulation_id")
    if ORGANISATION in command.team_ids:
        raise Rejected(Code.BAD_USER_INPUT, "The organisation holds no reviews. Name teams.", "team_ids")
    if len(set(command.team_ids)) != len(command.team_ids):
        raise Rejected(Code.BAD_USER_INPUT, "A team is there twice. Name each once.", "team_ids")
    digest = sha256(command.scenario.encode()).hexdigest()
    return [SimulationRequested(command.team_ids, command.scenario, digest)]


def decide_cancel_simulation(state: SimulationState | None, issued: Issued[CancelSimulation]) -> list[Struct]:
    """This will cancel a simulation that has not ended."""
    simulation = known(state)
    if simulation.has_ended:
        raise Rejected(
            Code.WRONG_STATE,
            f"It is {simulation.status.lower()} already; there is nothing to cancel.",
            "simulation_id",
        )
    return [SimulationCancelled(issued.command.reason)]


def decide_end(state: SimulationState | None, end: End) -> list[Struct]:
    """This will end a simulation; nothing, if it has ended before: the first end counts."""
    return [] if known(state).has_ended else [end]


def known(state: SimulationState | None) -> SimulationState:
    """This will give the simulation, or refuse: there is none."""
    if state is None:
        raise Rejected(Code.NOT_FOUND, "There is no such simulation. Look its id up.", "simulation_id")
    return state
