"""What the handlers must be told from outside, since a stream cannot be asked for what it does not know."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol
from uuid import UUID

from ledger.values import MemberId, PolicyId, ProposalId, TeamId


class Lookups(Protocol):
    """Which streams an agenda may need, who is a member, and whose an id is that names no stream.

    The handlers load each stream from the log, and what the log says counts: too many are harmless. One that is too new to be listed yet
    is missed by this agenda and on the next.
    """

    def pending(self, team_id: TeamId) -> Sequence[ProposalId]:
        """This will give the proposals in the team's backlog, in any order."""
        ...

    def postponed(self, team_id: TeamId) -> Sequence[ProposalId]:
        """This will give the team's proposals with a NO that has revisit conditions (postponed ones, and some declined), due or not."""
        ...

    def reviews_held(self, team_id: TeamId) -> Sequence[int]:
        """This will give the position at which each product review of the team closed, in order."""
        ...

    def is_member(self, member_id: MemberId) -> bool:
        """This will say whether the directory has this member, by a name or erased: the log knows ids only."""
        ...

    def proposal_of(self, given: UUID) -> AbstractContextManager[ProposalId | None]:
        """This will give the proposal that has a decision, a concern or an appeal of this id; None: it is free, until the block ends."""
        ...

    def policy_in_force(self, team_id: TeamId) -> PolicyId | None:
        """This will give the policy that was last activated for the team; None: the default formula ranks it."""
        ...
