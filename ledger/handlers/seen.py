"""What one attempt at a command has seen of the ledger: streams folded into states, each loaded once."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from typing import Any, TypeAlias, TypeVar, get_args
from uuid import UUID

from msgspec import Struct

from ledger.commands.issued import Issued, derived_id
from ledger.domain import catalogue, member, policy, proposal, review, simulation, team
from ledger.domain.catalogue import CatalogueState
from ledger.domain.member import MemberState
from ledger.domain.policy import PolicyState
from ledger.domain.proposal.state import ProposalFact, ProposalState
from ledger.domain.rejected import Code, Rejected
from ledger.domain.review import ReviewState
from ledger.domain.simulation import SimulationState
from ledger.domain.team import TeamState
from ledger.events import Event
from ledger.handlers.lookups import Lookups
from ledger.store.application import Ledger
from ledger.values import CATALOGUE, ORGANISATION, MemberId, PolicyId, ProposalId, ReviewId, Role, SimulationId, TeamId

S = TypeVar("S")

#: Most streams that are asked for at once: an answer stays within the statement's time limit.
STREAMS_AT_ONCE = 1_000
TAKEN = "This id is taken by something else. Choose another."

_PROPOSAL = get_args(ProposalFact)
_REVIEW = get_args(review.ReviewFact)
_TEAM = get_args(team.TeamFact)
_POLICY = get_args(policy.PolicyFact)
_CATALOGUE = get_args(catalogue.CatalogueFact)
_MEMBER = (member.MemberFact,)
_SIMULATION = get_args(simulation.SimulationFact)


class Change(Struct, frozen=True):
    """What a command comes to: the facts for each stream, in the order in which they are recorded, and the role that was used."""

    role: Role
    facts: Sequence[tuple[UUID, Sequence[Struct]]]


class Known(Struct, frozen=True):
    """A stream as it was when it was last folded: its state at a version, and the types of fact that it is made of."""

    state: object
    version: int
    kind: tuple[type[Struct], ...]
    evolve: Callable[[Any, Event], object]


class Seen:
    """The streams as of when they were first looked at; those that are asked for together are of one moment.

    A stream that does not exist, or is of another kind than was asked for, is None. Not for several threads at once.
    """

    def __init__(self, ledger: Ledger, lookups: Lookups) -> None:
        self.lookups = lookups
        #: Ends once what was decided is recorded, or is not.
        self.turns = ExitStack()
        self._ledger = ledger
        self._events: dict[UUID, list[Event]] = {}
        self._states: dict[UUID, Known] = {}
        #: What was known of a stream before the events that were looked at.
        self._before: dict[UUID, Known] = {}

    def look(self, stream_ids: Iterable[UUID]) -> None:
        """This will load the streams that were not looked at yet, in one round trip for every 1,000 of them."""
        unseen = [stream_id for stream_id in dict.fromkeys(stream_ids) if stream_id not in self._events]
        for start in range(0, len(unseen), STREAMS_AT_ONCE):
            self._events |= self._ledger.streams(unseen[start : start + STREAMS_AT_ONCE])

    def head(self) -> int:
        """This will give the last position of the ledger now."""
        return self._ledger.head()

    def version(self, stream_id: UUID) -> int:
        """This will give the version at which a stream was seen, 0 if there is none."""
        if (folded := self._states.get(stream_id)) is not None:
            return folded.version
        if events := self._seen(stream_id):
            return events[-1].version
        before = self._before.get(stream_id)
        return 0 if before is None else before.version

    def proposal(self, proposal_id: ProposalId) -> ProposalState | None:
        """This will give a proposal as it was seen."""
        return self._fold(proposal_id, proposal.evolve, _PROPOSAL)

    def review(self, review_id: ReviewId) -> ReviewState | None:
        """This will give a review as it was seen."""
        return self._fold(review_id, review.evolve, _REVIEW)

    def team(self, team_id: TeamId) -> TeamState | None:
        """This will give a team, or the organisation, as it was seen."""
        return self._fold(team_id, team.evolve, _TEAM)

    def member(self, member_id: MemberId) -> MemberState | None:
        """This will give what the log itself has of a member, as it was seen: that they were erased."""
        return self._fold(member_id, member.evolve, _MEMBER)

    def policy(self, policy_id: PolicyId) -> PolicyState | None:
        """This will give a policy as it was seen."""
        return self._fold(policy_id, policy.evolve, _POLICY)

    def simulation(self, simulation_id: SimulationId) -> SimulationState | None:
        """This will give a simulation as it was seen."""
        return self._fold(simulation_id, simulation.evolve, _SIMULATION)

    def organisation(self) -> TeamState | None:
        """This will give the organisation as it was seen: the roles across teams."""
        return self.team(ORGANISATION)

    def catalogue(self) -> CatalogueState | None:
        """This will give the reason catalogue as it was seen."""
        return self._fold(CATALOGUE, catalogue.evolve, _CATALOGUE)

    def _fold(
        self, stream_id: UUID, evolve: Callable[[S | None, Event], S], kind: tuple[type[Struct], ...]
    ) -> S | None:
        folded = self._states.get(stream_id)
        if folded is not None and folded.kind is kind:
            return folded.state  # type: ignore[return-value]  # a stream is of one kind
        events, before = self._seen(stream_id), self._before.get(stream_id)
        if before is None and (not events or not isinstance(events[0].fact, kind)):
            return None
        if before is not None and before.kind is not kind:
            return None
        if before is not None and not events:
            known = before
        else:
            state: S | None = None if before is None else before.state  # type: ignore[assignment]
            for event in events:
                state = evolve(state, event)
            known = Known(state, events[-1].version, kind, evolve)
        self._states[stream_id] = known
        self._folded(stream_id, known)
        return known.state  # type: ignore[return-value]

    def _seen(self, stream_id: UUID) -> list[Event]:
        events = self._events.get(stream_id)
        if events is None:
            self.look([stream_id])
            events = self._events[stream_id]
        return events

    def _folded(self, stream_id: UUID, known: Known) -> None:
        """This will be told of each state that was made."""

    def free(self, stream_id: UUID, state: object | None, path: str) -> None:
        """This will refuse an id for something new that something of another kind has. What has it of its own kind, the domain says."""
        if state is None and self.version(stream_id):
            raise Rejected(Code.CONFLICT, TAKEN, path)

    def free_within(self, issued: Issued[Any], field: str) -> None:
        """This will refuse an id for something new of a proposal that something of another proposal has: views know it by that alone.

        What is made from the command's id is nobody else's, and is not looked up. A given id stays this command's until `turns` ends.
        """
        given = getattr(issued.command, field)
        if given == derived_id(issued.command_id, field.removesuffix("_id")):
            return
        if self.turns.enter_context(self.lookups.proposal_of(given)) not in (None, issued.command.proposal_id):
            raise Rejected(Code.CONFLICT, TAKEN, field)


#: The function of one command: what it has seen and what was asked, to what it comes to.
Handler: TypeAlias = Callable[[Seen, Issued[Any]], Change]
