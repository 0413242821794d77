"""The counts of a team's or of all teams' answers in a period, as the client reads them."""

from datetime import date

from msgspec import Struct

from ledger.values import TeamId


class Noes(Struct, frozen=True):
    """What became of the NOs of a kind. `reasoned_when_decided` + `unexplained_when_decided` = `count`; `unexplained` is by now."""

    count: int = 0
    #: Proposals that got their first answer of this kind; without a period, the proposals that got one at all.
    proposals: int = 0
    reasoned_when_decided: int = 0
    unexplained_when_decided: int = 0
    #: Of those without a reason on their day: how many got one since, and how many did not.
    explained_later: int = 0
    unexplained: int = 0
    told: int = 0
    told_in_time: int = 0
    #: Those for which the team's service level promised a time.
    promised: int = 0
    acknowledged: int = 0
    understood: int = 0
    imported: int = 0
    #: Of those promised: not told yet, with time left.
    still_in_time: int = 0

    def share(self, part: int) -> float | None:
        """This will give a part's share of all; None where there are none."""
        return part / self.count if self.count else None

    @property
    def share_with_reason(self) -> float | None:
        """This will give the share that has a reason by now."""
        return self.share(self.count - self.unexplained)

    @property
    def share_told(self) -> float | None:
        """This will give the share that was told to the proposer."""
        return self.share(self.told)

    @property
    def share_told_in_time(self) -> float | None:
        """This will give the share told within the service level, of those that it covers and that were told or are late by now."""
        settled = self.promised - self.still_in_time
        return self.told_in_time / settled if settled else None

    @property
    def share_acknowledged(self) -> float | None:
        """This will give the share that the recipient answered."""
        return self.share(self.acknowledged)

    @property
    def share_understood(self) -> float | None:
        """This will give the share that was understood, agreed or not."""
        return self.share(self.understood)


class Waiting(Struct, frozen=True):
    """Days from a submission to its first answer; None where nothing was answered."""

    count: int = 0
    median_days: float | None = None
    p90_days: float | None = None


class Concerns(Struct, frozen=True):
    """Concerns raised in the period, by where they stand."""

    raised: int = 0
    unanswered: int = 0
    answered: int = 0
    resolved: int = 0
    overruled: int = 0


class Appeals(Struct, frozen=True):
    """Appeals lodged in the period, by how they ended."""

    lodged: int = 0
    open: int = 0
    upheld: int = 0
    dismissed: int = 0


class ReviewsHeld(Struct, frozen=True):
    """Reviews that were to be held in the period. `expected` follows from the cadence; None: no team has set one."""

    held: int = 0
    skipped: int = 0
    expected: int | None = None


class ReasonCount(Struct, frozen=True):
    """How many NOs gave a reason."""

    code: str
    count: int


class AreaCount(Struct, frozen=True):
    """How many were declined in an area; None: they name none."""

    area: str | None
    count: int


class Bucket(Struct, frozen=True):
    """The main counts of one team, or of one month (its first day; None: what no source dates)."""

    team_id: TeamId | None = None
    month: date | None = None
    proposed: int = 0
    accepted: int = 0
    declined: int = 0
    postponed: int = 0
    redirected: int = 0
    withdrawn: int = 0
    completed: int = 0
    unexplained: int = 0


class Transparency(Struct, frozen=True, kw_only=True):
    """How a team answers, in one period. A count is of what happened in the period; where a thing stands is as of the state read."""

    proposed: int = 0
    accepted: int = 0
    #: Of a part of a proposal only, by an imported source; in no other count.
    scoped_accepted: int = 0
    scoped_other: int = 0
    declined: int = 0
    postponed: int = 0
    redirected: int = 0
    withdrawn: int = 0
    carried_over: int = 0
    reopened: int = 0
    proposals_reopened: int = 0
    merged: int = 0
    superseded: int = 0
    split: int = 0
    started: int = 0
    started_without_yes: int = 0
    completed: int = 0
    abandoned: int = 0
    estimated: int = 0
    proposals_estimated: int = 0
    estimate_changes: int = 0
    proposals_with_estimate_changes: int = 0
    estimates_removed: int = 0
    self_decided: int = 0
    imported_proposals: int = 0
    imported_decisions: int = 0
    #: Of those submitted in the period: pending, never on an agenda, never answered.
    nobody_looked: int = 0
    time_to_decision: Waiting = Waiting()
    noes: Noes = Noes()
    declines: Noes = Noes()
    postponements: Noes = Noes()
    redirections: Noes = Noes()
    concerns: Concerns = Concerns()
    appeals: Appeals = Appeals()
    product_reviews: ReviewsHeld = ReviewsHeld()
    engineering_reviews: ReviewsHeld = ReviewsHeld()
    reasons: tuple[ReasonCount, ...] = ()
    declines_by_area: tuple[AreaCount, ...] = ()
    teams: tuple[Bucket, ...] = ()
    months: tuple[Bucket, ...] = ()
