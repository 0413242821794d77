"""What a replay reports: frozen structs with canonical bytes, so that the same inputs give the same digest."""

from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from uuid import UUID

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from ledger.replay.scenario import PolicyChoice, Scenario
from ledger.values import Verdict

#: Decimals of the figures in a report.
DECIMALS = 6


class Check(StrEnum):
    """How the truncation test ended."""

    PASSED = "PASSED"
    FAILED = "FAILED"
    #: The policy is clairvoyant, and says so.
    NOT_APPLICABLE = "NOT_APPLICABLE"


class Bounds(Struct, frozen=True):
    """A figure that rests in part on what is imputed: between `low` and `high`, and `likely` as assessed."""

    low: float
    likely: float
    high: float


class Shares(Struct, frozen=True):
    """Of the items that a world worked on, the shares whose worth was measured afterwards, is imputed from assessments, or is not known:
    of items, whatever each is worth.
    """

    observed: float
    imputed: float
    unknown: float
    items: int


class Waits(Struct, frozen=True):
    """Days from the proposal to its yes; None where there was no yes."""

    count: int
    median: float | None
    p85: float | None
    longest: float | None


class Known(Struct, frozen=True):
    """What became known of an item after the review. None: nothing."""

    actual_days: float | None
    measured_hours_a_week: float | None
    losses_hours: float
    ended_as: str | None


class Flip(Struct, frozen=True):
    """A decision that the replay took otherwise, the item's first. Versions, score, rank and cut are those that the replay saw there."""

    proposal: UUID
    title: str
    team: str
    #: Counts all reviews of the replay from 1; `of_team` the team's own.
    review: int
    of_team: int
    at: datetime
    #: YES, a disposition of a NO, or NOT_ANSWERED.
    actual: str
    simulated: Verdict
    score: float | None
    rank: int | None
    #: The lowest score that was chosen there; None: nothing was, or the policy gives no scores.
    cut: float | None
    case_version: int
    estimate_version: int
    impact_version: int
    #: When each said yes; None: never.
    actual_yes_at: datetime | None
    simulated_yes_at: datetime | None
    later: Known
    #: Net hours that the whole replay loses without this flip; None: not reckoned, there were too many.
    contribution: float | None
    #: Share of the draws in which it stays a flip; None: nothing was drawn.
    survives: float | None = None


class Starved(Struct, frozen=True):
    """An item that could be chosen at many reviews and never was."""

    proposal: UUID
    title: str
    team: str
    reviews: int
    days: float


class Result(Struct, frozen=True):
    """How one policy did. Curves have a value for each of the report's weeks; hours are engineer-hours."""

    policy: PolicyChoice
    hindsight_check: Check
    #: Reviews at which the truncation test failed.
    caught: tuple[int, ...]
    net_hours: Bounds
    #: Against what was done: net hours more (or fewer), and their bounds, from which drops out what both did alike.
    gain_hours: float
    gain: Bounds
    #: M(t) = 1 − open drag ÷ weekly hours; empty where no team's weekly hours are known.
    momentum: tuple[float, ...]
    open_drag: tuple[float, ...]
    net: tuple[float, ...]
    net_low: tuple[float, ...]
    net_high: tuple[float, ...]
    drawdown_hours: float
    under_water_weeks: int
    #: Weeks until the hours that were spent are won back for good; None: not by the end.
    payback_weeks: int | None
    chosen: int
    capacity_days: float
    used_days: float
    waits: Waits
    starved: tuple[Starved, ...]
    starved_count: int
    #: Net hours short of the best plan in hindsight; None: not asked for, or too large to solve.
    regret_hours: float | None
    shares: Shares
    flips: tuple[Flip, ...]
    flips_count: int
    #: Kendall's τ-b with each policy of the report that scores, and with the one IN_FORCE.
    agreement: dict[str, float]
    #: The first 1,000 proposals that got a yes, in that order.
    order: tuple[UUID, ...]
    #: SHA-256, hexadecimal, of what was seen and what was chosen at each review.
    states: tuple[str, ...]
    selections: tuple[str, ...]


class Report(Struct, frozen=True):
    """A replay of a scenario on a log, whole."""

    scenario: Scenario
    scenario_sha256: str
    ledger_id: UUID
    #: The facts that it rests on: from 1 to this position.
    first_position: int
    last_position: int
    code_version: str
    seed: int
    policies_tried: int
    teams: tuple[str, ...]
    #: Reviews replayed, when the first one was and the last, and the weeks of the curves (their first moments).
    reviews: int
    first_review: datetime
    last_review: datetime
    weeks: tuple[datetime, ...]
    actual: Result
    results: tuple[Result, ...]
    digest: str = ""

    @property
    def position(self) -> int:
        """This will give the last of the facts that it rests on, as the API calls it."""
        return self.last_position

    def encoded(self) -> bytes:
        """This will give the canonical bytes: the same inputs give the same."""
        return msgspec.json.encode(self, order="deterministic")

    def sealed(self) -> "Report":
        """This will put in the digest: SHA-256, hexadecimal, of the canonical bytes without it."""
        return replace(self, digest=sha256(replace(self, digest="").encoded()).hexdigest())


def rounded(value: float) -> float:
    """This will round a figure as reports show it; −0 becomes 0."""
    return round(float(value), DECIMALS) + 0.0
