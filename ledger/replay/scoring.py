"""Scores a replay with what became known later. Nothing here is seen by a policy."""

from collections.abc import Sequence
from uuid import UUID

import numpy as np

from ledger.replay.agreement import Agreement
from ledger.replay.backtest import Run
from ledger.replay.hindsight import Caught
from ledger.replay.history import DAY_US, Floats, Ints
from ledger.replay.outcomes import IMPUTED, OBSERVED, UNKNOWN, Deliveries, Outcomes, Path
from ledger.replay.report import Bounds, Check, Flip, Result, Shares, Starved, Waits, rounded
from ledger.replay.scenario import Imputation, Method, Scenario

#: Reviews at which an item could be chosen and was not, before it counts as starved.
STARVED_REVIEWS = 3
STARVED_SHOWN = 20
ORDER_MAX = 1_000


class Scored:
    """A run with its path, as the report needs it."""

    def __init__(self, outcomes: Outcomes, run: Run, caught: Sequence[Caught], regret: float | None = None) -> None:
        self.outcomes, self.run, self.caught, self.regret = outcomes, run, caught, regret
        self.work = outcomes.deliveries(run)
        self.path = outcomes.path(self.work)
        #: Net hours at the end.
        self.net = outcomes.net_at_end(self.work)

    def result(self, actual: "Scored", agreement: Agreement, flips: tuple[tuple[Flip, ...], int]) -> Result:
        """This will write the result down, beside what was really done."""
        run, outcomes, path = self.run, self.outcomes, self.path
        seen = outcomes.visible
        check = Check.FAILED if self.caught else Check.PASSED
        starved = _starved(outcomes, run)
        gain = path.net[-1] - actual.path.net[-1]
        low, high = outcomes.difference(self.work, actual.work)
        return Result(
            policy=run.choice,
            hindsight_check=Check.NOT_APPLICABLE if run.choice.method == Method.ORACLE else check,
            caught=tuple(caught.review + 1 for caught in self.caught),
            net_hours=Bounds(rounded(path.low[-1]), rounded(path.net[-1]), rounded(path.high[-1])),
            gain_hours=rounded(gain),
            gain=Bounds(rounded(low), rounded(gain), rounded(high)),
            momentum=_momentum(outcomes, path),
            open_drag=_curve(path.open_drag),
            net=_curve(path.net),
            net_low=_curve(path.low),
            net_high=_curve(path.high),
            drawdown_hours=rounded(drawdown(path.net)),
            under_water_weeks=under_water(path.net),
            payback_weeks=payback(path.net),
            chosen=sum(len(step.chosen) for step in run.steps),
            capacity_days=rounded(sum(review.capacity for review in seen.reviews)),
            used_days=rounded(sum(int(step.cost.sum()) for step in run.steps) / 4),
            waits=waits(outcomes, run),
            starved=starved[:STARVED_SHOWN],
            starved_count=len(starved),
            regret_hours=None if self.regret is None else rounded(self.regret),
            shares=_shares(outcomes, self.work),
            flips=flips[0],
            flips_count=flips[1],
            agreement=agreement.of(run.choice.name),
            order=_order(outcomes, run),
            states=tuple(step.state.hex() for step in run.steps),
            selections=tuple(step.selection.hex() for step in run.steps),
        )


def _order(outcomes: Outcomes, run: Run) -> tuple[UUID, ...]:
    names, chosen = outcomes.history.names, (int(item) for step in run.steps for item in step.chosen)
    return tuple(names.proposal(item) for item in list(dict.fromkeys(chosen))[:ORDER_MAX])


def _curve(values: Floats) -> tuple[float, ...]:
    return tuple(rounded(value) for value in values)


def _momentum(outcomes: Outcomes, path: Path) -> tuple[float, ...]:
    hours = outcomes.visible.weekly_hours[outcomes.teams]
    if np.isnan(hours).any() or hours.sum() <= 0:
        return ()
    return _curve(1 - path.open_drag / hours.sum())


def drawdown(net: Floats) -> float:
    """This will give the deepest fall from an earlier high (or from the start), in hours."""
    return float((np.maximum.accumulate(np.maximum(net, 0.0)) - net).max())


def under_water(net: Floats) -> int:
    """This will give the longest run of weeks below an earlier high (or below the start)."""
    below = net < np.maximum.accumulate(np.maximum(net, 0.0)) - 1e-9
    longest = current = 0
    for week in below:
        current = current + 1 if week else 0
        longest = max(longest, current)
    return longest


def payback(net: Floats) -> int | None:
    """This will give the weeks after which the hours spent are won back and stay so; None: never, or nothing was spent."""
    negative = np.flatnonzero(net < -1e-9)  # noqa: PLR2004 - rounding, in hours
    if not len(negative):
        return None if not net.any() else 0
    return None if negative[-1] == len(net) - 1 else int(negative[-1]) + 1


def yes_times(outcomes: Outcomes, run: Run) -> tuple[Ints, Floats]:
    """This will give the items that got a yes at the reviews of a run, and when (µs), each once."""
    chosen = np.concatenate([np.empty(0, dtype=np.int64), *(step.chosen for step in run.steps)])
    at = np.repeat([float(step.review.at_us) for step in run.steps], [len(step.chosen) for step in run.steps])
    items, first = np.unique(chosen, return_index=True)
    return items, at[first]


def waits(outcomes: Outcomes, run: Run) -> Waits:
    """This will give how long items waited for their yes."""
    items, at = yes_times(outcomes, run)
    if not len(items):
        return Waits(0, None, None, None)
    days = np.maximum(at - outcomes.submitted[items], 0.0) / DAY_US
    return Waits(
        len(items),
        rounded(np.median(days)),
        rounded(np.quantile(days, 0.85, method="inverted_cdf")),
        rounded(days.max()),
    )


def still_waiting(outcomes: Outcomes, scenario: Scenario, run: Run) -> float | None:
    """This will give the days that the oldest item waits which its team's last review could have taken and did not; None: there is none."""
    seen, world = outcomes.visible, run.world
    longest: float | None = None
    for step in {step.review.team: step for step in run.steps}.values():  # each team's last
        review, sight = step.review, seen.sights[step.review.number]
        items = seen.figures.item[sight.rows]
        figures = seen.figures.expected[sight.rows]
        is_there = sight.alive & (sight.pending | world.missed[items]) & ~world.early[items] & ~sight.blocked
        is_there &= ~np.isin(items, step.chosen) & (np.isfinite(figures) | (scenario.imputation is not Imputation.NONE))
        if is_there.any():
            days = (review.at_us - outcomes.submitted[items[is_there]].min()) / DAY_US
            longest = rounded(days if longest is None else max(days, longest))
    return longest


def _starved(outcomes: Outcomes, run: Run) -> tuple[Starved, ...]:
    count = np.zeros(len(outcomes.team), dtype=np.int64)
    chosen = np.zeros(len(outcomes.team), dtype=bool)
    last: dict[int, Ints] = {}
    for step in run.steps:
        count[step.items[step.can]] += 1
        chosen[step.chosen] = True
        last[step.review.team] = step.items
    left = np.concatenate([*last.values(), np.empty(0, dtype=np.int64)])
    left = left[(count[left] >= STARVED_REVIEWS) & ~chosen[left]]
    names, end = outcomes.history.names, outcomes.visible.reviews[-1].at_us
    found = [
        Starved(
            names.proposal(int(item)),
            names.titles[int(item)],
            names.team_names[outcomes.team[item]],
            int(count[item]),
            rounded((end - outcomes.submitted[item]) / DAY_US),
        )
        for item in left
    ]
    return tuple(sorted(found, key=lambda item: (-item.days, item.proposal)))


def _shares(outcomes: Outcomes, work: Deliveries) -> Shares:
    count = len(work.item)
    grades = outcomes.grade[work.item]
    shares = [rounded((grades == grade).sum() / count) if count else 0.0 for grade in (OBSERVED, IMPUTED, UNKNOWN)]
    return Shares(shares[0], shares[1], shares[2], count)
