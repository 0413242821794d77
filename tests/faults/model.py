"""A second, much smaller account of what a ledger of one team allows: written from the rules, sharing no code with the domain.

For each thing asked it says which refusals would be right; none: it must be done. In which order rules are looked at is not its business.
"""

from dataclasses import dataclass, field

Refusals = set[str]
LIVING = {"PENDING", "ACCEPTED", "DECLINED", "POSTPONED"}
ANSWERED = {"ACCEPTED", "DECLINED", "POSTPONED"}
AFTER = {"SCHEDULE": "ACCEPTED", "DECLINE": "DECLINED", "POSTPONE": "POSTPONED"}


@dataclass
class Concern:
    raiser: str
    blocking: bool
    is_open: bool = True


@dataclass
class Decision:
    id: str
    decider: str
    disposition: str
    case: int
    final: bool = False
    told: set[str] = field(default_factory=set)
    #: NONE, ASKED for, given BACK, CLEARED up.
    playback: str = "NONE"
    waived: bool = False


@dataclass
class Appeal:
    decision: Decision
    by: str
    state: str = "OPEN"


@dataclass
class Proposal:
    id: str
    proposer: str
    status: str = "PENDING"
    case: int = 1
    estimate: int = 0
    impact: int = 0
    carried: int = 0
    concerns: dict[str, Concern] = field(default_factory=dict)
    decisions: list[Decision] = field(default_factory=list)
    appeals: dict[str, Appeal] = field(default_factory=dict)

    @property
    def versions(self) -> tuple[int, int, int]:
        """What a decision rests on."""
        return self.case, self.estimate, self.impact

    @property
    def last(self) -> Decision | None:
        """The decision that was taken last."""
        return self.decisions[-1] if self.decisions else None

    @property
    def open_appeals(self) -> list[Appeal]:
        """Those that nobody has heard."""
        return [appeal for appeal in self.appeals.values() if appeal.state == "OPEN"]


@dataclass
class Review:
    id: str
    phase: str = "SCHEDULED"
    #: What became of each item: None while nothing has.
    items: dict[str, str | None] = field(default_factory=dict)


def living(proposal: Proposal) -> Refusals:
    """For whatever is asked of a proposal that is still the team's."""
    return set() if proposal.status in LIVING else {"WRONG_STATE"}


def withdrawn(proposal: Proposal, by: str) -> Refusals:
    """Its proposer takes it back."""
    no = set() if proposal.status in {"PENDING", "ACCEPTED", "POSTPONED"} else {"WRONG_STATE"}
    return no | ({"FORBIDDEN"} if by != proposal.proposer else set())


def reopened(proposal: Proposal) -> Refusals:
    """It is proposed again."""
    if proposal.status not in {"DECLINED", "POSTPONED", "WITHDRAWN"}:
        return {"WRONG_STATE"}
    last = proposal.last
    return {"WRONG_STATE"} if proposal.status == "DECLINED" and last is not None and last.final else set()


def resolved(concern: Concern, by: str) -> Refusals:
    """A concern is settled."""
    return (set() if concern.is_open else {"WRONG_STATE"}) | ({"FORBIDDEN"} if concern.raiser != by else set())


def overruled(concern: Concern) -> Refusals:
    """A concern is gone over."""
    return set() if concern.is_open else {"WRONG_STATE"}


def decided(proposal: Proposal, review: Review, versions: tuple[int, int, int], disposition: str) -> Refusals:
    """An item is answered."""
    no: Refusals = set()
    no |= {"WRONG_STATE"} if proposal.status != "PENDING" else set()
    no |= {"REVIEW_NOT_OPEN"} if review.phase != "OPEN" else set()
    no |= {"NOT_ON_AGENDA"} if proposal.id not in review.items else set()
    no |= {"WRONG_STATE"} if review.items.get(proposal.id) else set()
    no |= {"CONCERN_OPEN"} if any(c.blocking and c.is_open for c in proposal.concerns.values()) else set()
    no |= {"STALE_BASIS"} if versions != proposal.versions else set()
    # A YES reserves the expected days; without an estimate there are none.
    no |= {"BAD_USER_INPUT"} if disposition == "SCHEDULE" and not proposal.estimate else set()
    return no


def carried_over(proposal: Proposal, review: Review) -> Refusals:
    """An item is left for the next review."""
    no: Refusals = set()
    no |= {"WRONG_STATE"} if proposal.status != "PENDING" else set()
    no |= {"REVIEW_NOT_OPEN"} if review.phase != "OPEN" else set()
    no |= {"NOT_ON_AGENDA"} if proposal.id not in review.items else set()
    no |= {"WRONG_STATE"} if review.items.get(proposal.id) else set()
    no |= {"CARRIED_OVER_TOO_OFTEN"} if proposal.carried >= 2 else set()
    return no


def closed(review: Review, proposals: dict[str, Proposal]) -> Refusals:
    """A review ends."""
    if review.phase != "OPEN":
        return {"WRONG_STATE"}
    waits = [i for i, done in review.items.items() if done is None and proposals[i].status == "PENDING"]
    return {"ITEMS_UNDECIDED"} if waits else set()


def acknowledged(proposal: Proposal, decision: Decision, by: str) -> Refusals:
    """Whoever asked answers an answer."""
    no = {"NOT_RECIPIENT"} if by != proposal.proposer else set()
    no |= {"NOT_TOLD"} if by not in decision.told else set()
    return no | ({"PLAYBACK_OPEN"} if decision.playback in {"ASKED", "BACK"} else set())


def played_back(decision: Decision, by: str) -> Refusals:
    """The decider says what was understood."""
    return (set() if decision.playback == "ASKED" else {"WRONG_STATE"}) | (
        {"FORBIDDEN"} if by != decision.decider else set()
    )


def confirmed(proposal: Proposal, decision: Decision, by: str) -> Refusals:
    """The proposer says that it is what was meant."""
    return (set() if decision.playback == "BACK" else {"WRONG_STATE"}) | (
        {"NOT_RECIPIENT"} if by != proposal.proposer else set()
    )


def appealed(proposal: Proposal, decision: Decision) -> Refusals:
    """An answer is to be looked at again."""
    no = set() if proposal.status in ANSWERED else {"WRONG_STATE"}
    no |= {"WRONG_STATE"} if decision is not proposal.last else set()
    return no | ({"APPEAL_OPEN"} if proposal.open_appeals else set())


def heard(appeal: Appeal, by: str) -> Refusals:
    """An appeal is upheld or dismissed."""
    no = set() if appeal.state == "OPEN" else {"WRONG_STATE"}
    return no | ({"OWN_APPEAL"} if by in {appeal.decision.decider, appeal.by} else set())


def waived(proposal: Proposal, decision: Decision) -> Refusals:
    """The conditions that would bring it back are given up."""
    no = set() if proposal.status in {"DECLINED", "POSTPONED"} else {"WRONG_STATE"}
    no |= {"WRONG_STATE"} if decision is not proposal.last else set()
    return no | ({"WRONG_STATE"} if decision.waived or decision.disposition != "POSTPONE" else set())
