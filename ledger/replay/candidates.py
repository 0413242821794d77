"""What a policy is given at a review: a table of the items that could be chosen, as far as they were known."""

from dataclasses import dataclass, field

import numpy as np

from ledger.replay.history import Bools, Floats, History, Ids, Ints
from ledger.replay.scenario import Effort, Imputation

#: Quarter days that no capacity holds: the item can't be chosen.
NEVER = np.int64(2**40)
#: The 80th percentile of a standard normal distribution.
Z80 = 0.8416212335729143


@dataclass(frozen=True)
class Figures:
    """Columns about items, a row each, as they were known at one time. NaN: not estimated, not assessed.

    Days are engineer-days, drag engineer-hours a week, growth percent a month, confidence 0 to 1, risk engineer-hours a week; `benefits`
    is ln(1 + how many); `reach` is how many people asked.
    """

    item: Ints
    position: Ints
    submitted_us: Ints
    reach: Floats
    case_version: Floats
    risk: Floats
    benefits: Floats
    estimate_version: Floats
    expected: Floats
    optimistic: Floats
    likely: Floats
    pessimistic: Floats
    impact_version: Floats
    drag: Floats
    growth: Floats
    level: Floats
    confidence: Floats
    assessed_us: Floats

    @property
    def sigma(self) -> Floats:
        """This will give (P − O) / 6 in engineer-days; 0 where there is no spread."""
        spread = (self.pessimistic - self.optimistic) / 6
        return np.where(np.isnan(spread), 0.0, spread)


COLUMNS = tuple(Figures.__dataclass_fields__)


@dataclass(frozen=True)
class Candidates(Figures):
    """The candidates of one review, in the order of their submission, so that an equal score goes to the earlier one.

    A policy gets this and nothing else: `past` is the log cut at this review, `dropped` marks the proposals whose later facts a replay
    no longer believes, by their number there. `cost` is what a yes would reserve, in quarter days. `can` says which rows may be chosen
    at all: an estimate is there, no blocking concern is open.
    """

    ids: Ids = field(repr=False)
    at_us: int
    team: int
    capacity: float
    #: Quarter days that are free.
    free: int
    weekly_hours: float
    #: Engineer-days that a score divides by: those that a yes reserves by, infinite where not estimated.
    days: Floats
    cost: Ints
    can: Bools
    #: Needed first: pairs of rows (who needs, what), both candidates.
    needs: Ints
    #: Rows that need something that is neither a candidate nor done.
    lacking: Bools
    horizon_weeks: int
    seed: int
    past: History = field(repr=False)
    dropped: Bools = field(repr=False)
    #: For AS_DECIDED only: what the review answered.
    decided: Bools | None = None
    #: For ORACLE only: what its plan takes now.
    planned: Bools | None = None

    def __len__(self) -> int:
        return len(self.item)


def reserved(days: Floats) -> Ints:
    """This will give the quarter days that a yes reserves, rounded up as the live review does; NEVER where days are not known."""
    known = np.isfinite(days)
    return np.where(known, np.ceil(np.where(known, days, 0.0) * 4 - 1e-9), float(NEVER)).astype(np.int64)


def quarters(days: float) -> int:
    """This will give whole quarter days within so many days."""
    return int(np.floor(days * 4 + 1e-9))


def effort_days(figures: Figures, effort: Effort, imputation: Imputation, factor: float) -> Floats:
    """This will give the engineer-days of each row by an effort basis; NaN where not estimated (0 counts as not estimated).

    `factor` is the median of actual ÷ expected, for CALIBRATED.
    """
    match effort:
        case Effort.MEAN:
            days = figures.expected
        case Effort.LIKELY:
            days = figures.likely
        case Effort.P80:
            days = figures.expected + Z80 * figures.sigma
            days = np.where(np.isnan(figures.pessimistic), days, np.minimum(days, figures.pessimistic))
        case Effort.CALIBRATED:
            days = figures.expected * factor
    days = np.where(days > 0, days, np.nan)
    if imputation is Imputation.MEDIAN and np.isfinite(days).any():
        days = np.where(np.isnan(days), np.nanmedian(days), days)
    return days
