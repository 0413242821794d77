"""What the handlers look up, read from the facts themselves: a story is short, and waits for no view while it is told."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from ledger.events.envelope import Event
from ledger.events.policy import PolicyActivated
from ledger.events.proposal import AppealLodged, ConcernRaised, DecisionTaken, ProposalSubmitted
from ledger.events.review import ReviewClosed, ReviewScheduled
from ledger.store.application import Ledger
from ledger.values import MemberId, PolicyId, ProposalId, ReviewId, ReviewKind, TeamId

PAGE = 1_000


class LogLookups:
    """Follows the log as far as it goes whenever it is asked. It names all proposals of a team: the handlers look where each stands."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._position = 0
        self._proposals: dict[TeamId, list[ProposalId]] = {}
        self._reviews: dict[ReviewId, TeamId] = {}
        self._held: dict[TeamId, list[int]] = {}
        self._policies: dict[TeamId, PolicyId] = {}
        self._holders: dict[UUID, ProposalId] = {}

    def pending(self, team_id: TeamId) -> list[ProposalId]:
        """This will give every proposal of the team."""
        self._read_on()
        return self._proposals.get(team_id, [])

    def postponed(self, team_id: TeamId) -> list[ProposalId]:
        """This will give every proposal of the team."""
        return self.pending(team_id)

    def reviews_held(self, team_id: TeamId) -> list[int]:
        """This will give the position at which each product review of the team closed."""
        self._read_on()
        return self._held.get(team_id, [])

    def policy_in_force(self, team_id: TeamId) -> PolicyId | None:
        """This will give the policy that was last activated for the team."""
        self._read_on()
        return self._policies.get(team_id)

    def is_member(self, _: MemberId) -> bool:
        """This will take anybody for a member: a story is told without a directory."""
        return True

    @contextmanager
    def proposal_of(self, given: UUID) -> Iterator[ProposalId | None]:
        """This will give the proposal that has a decision, a concern or an appeal of this id; nobody else tells the story meanwhile."""
        self._read_on()
        yield self._holders.get(given)

    def _read_on(self) -> None:
        while events := self._ledger.read(self._position, PAGE):
            for event in events:
                self._take(event)
            self._position = events[-1].position

    def _take(self, event: Event) -> None:
        match event.fact:
            case ProposalSubmitted(team_id=team_id) if team_id is not None:
                self._proposals.setdefault(team_id, []).append(ProposalId(event.stream_id))
            case DecisionTaken(decision_id=made) | ConcernRaised(concern_id=made) | AppealLodged(appeal_id=made):
                self._holders.setdefault(made, ProposalId(event.stream_id))
            case ReviewScheduled(team_id=team_id, kind=ReviewKind.PRODUCT):
                self._reviews[ReviewId(event.stream_id)] = team_id
            case ReviewClosed() if (team := self._reviews.get(ReviewId(event.stream_id))) is not None:
                self._held.setdefault(team, []).append(event.position)
            case PolicyActivated(team_id=team_id):
                self._policies[team_id] = PolicyId(event.stream_id)
            case _:
                pass
