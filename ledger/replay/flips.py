"""The decisions that a replay took otherwise: each item's first one, with what was seen then, what came later, and what it was worth."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ledger.replay.backtest import Run, Step, again
from ledger.replay.history import instant
from ledger.replay.kinds import DISPOSITIONS
from ledger.replay.outcomes import Outcomes
from ledger.replay.policies import MAKING
from ledger.replay.quick import Quick
from ledger.replay.report import Flip, Known, rounded
from ledger.replay.scenario import Scenario
from ledger.replay.scoring import Scored, yes_times
from ledger.replay.visible import Visible
from ledger.values import Verdict

#: Flips whose contribution is reckoned, each by a replay of its own; of more, those of the largest worth by themselves.
CONTRIBUTIONS_MAX = 40
SHOWN_MAX = 200


class Turned(NamedTuple):
    """Where a replay first left history: step of the run, proposal, and what the replay said."""

    step: int
    item: int
    verdict: Verdict


def turned(replayed: Run) -> list[Turned]:
    """This will list the first divergence of each item, in order."""
    found: list[Turned] = []
    known: set[int] = set()
    for number, step in enumerate(replayed.steps):
        theirs, ours = set(step.review.yes.tolist()), set(step.chosen.tolist())
        more = [item for item in step.chosen.tolist() if item not in theirs and item not in known]
        found += [Turned(number, item, Verdict.YES) for item in more]
        found += [Turned(number, item, Verdict.NO) for item in sorted(theirs - ours - known)]
        known.update(ours ^ theirs)
    return found


class Without:
    """Replays a run without one of its flips: quickly where the policy allows it, and from that flip on elsewhere."""

    def __init__(self, seen: Visible, scenario: Scenario, outcomes: Outcomes) -> None:
        self.seen, self.scenario, self.outcomes = seen, scenario, outcomes
        self._quick: Quick | None = None

    def net(self, replayed: Run, one: Turned) -> float:
        """This will give the net hours of the whole replay with this one verdict as it was."""
        was = Verdict.NO if one.verdict is Verdict.YES else Verdict.YES
        if replayed.forced or not Quick.fits(self.seen, self.scenario, replayed.choice):
            other = again(self.seen, self.scenario, replayed, one.step, one.item, was)
        else:
            self._quick = self._quick or Quick(self.seen, self.scenario)
            number = replayed.steps[one.step].review.number
            other = self._quick.run(replayed.choice, {number: (one.item, was)})
        return self.outcomes.net_at_end(self.outcomes.deliveries(other))


def flips(
    without: Without, scored: Scored, progress: Callable[[int, int], None] = lambda done, total: None
) -> tuple[tuple[Flip, ...], int]:
    """This will describe the flips of a run, the first of them at most, and count all."""
    found = turned(scored.run)
    seen, outcomes = without.seen, scored.outcomes
    contributions: dict[int, float] = {}
    if scored.run.choice.method in MAKING and scored.run.choice.method != "ORACLE":
        largest = sorted(_largest(outcomes, scored.run, found))
        for done, index in enumerate(largest):
            contributions[index] = scored.net - without.net(scored.run, found[index])
            progress(done + 1, len(largest))
    items, at = yes_times(outcomes, scored.run)
    said = dict(zip(items.tolist(), at.tolist(), strict=True))
    shown = [_flip(seen, outcomes, scored.run, t, said, contributions.get(i)) for i, t in enumerate(found[:SHOWN_MAX])]
    return tuple(shown), len(found)


def _largest(outcomes: Outcomes, replayed: Run, found: list[Turned]) -> list[int]:
    """This will give the flips of the largest worth by themselves, by their numbers."""
    if len(found) <= CONTRIBUTIONS_MAX:
        return list(range(len(found)))
    by_step: dict[int, list[int]] = {}
    for index, one in enumerate(found[:SHOWN_MAX]):  # of the others nothing is shown
        by_step.setdefault(one.step, []).append(index)
    worth: dict[int, float] = {}
    for step, indices in by_step.items():
        items = np.array([found[index].item for index in indices])
        values = outcomes.worth(replayed.steps[step].review, items)
        worth |= dict(zip(indices, np.abs(values).tolist(), strict=True))
    return sorted(worth, key=lambda index: (-worth[index], index))[:CONTRIBUTIONS_MAX]


def _flip(
    seen: Visible, outcomes: Outcomes, replayed: Run, one: Turned, said: dict[int, float], contribution: float | None
) -> Flip:
    step, item = replayed.steps[one.step], one.item
    review, names = step.review, seen.history.names
    score, rank, cut = _place(step, item)
    versions = _versions(seen, step, item)
    begun = outcomes.begun[item]
    return Flip(
        names.proposal(item),
        names.titles[item],
        names.team_names[review.team],
        review.number + 1,
        review.of_team,
        instant(review.at_us),
        _actual(step, item),
        one.verdict,
        score,
        rank,
        cut,
        *versions,
        actual_yes_at=None if np.isnan(begun) else instant(int(begun)),
        simulated_yes_at=instant(int(said[item])) if item in said else None,
        later=_known(outcomes, item),
        contribution=None if contribution is None else rounded(contribution),
    )


def _place(step: Step, item: int) -> tuple[float | None, int | None, float | None]:
    """This will give score, rank and the lowest chosen score; None where the policy gives none, or did not see the item."""
    rows = np.flatnonzero(step.items == item)
    if not len(rows) or set(np.unique(step.scores)) <= {0.0, 1.0}:
        return None, None, None
    row = int(rows[0])
    chosen = step.scores[np.isin(step.items, step.chosen)]
    chosen = chosen[np.isfinite(chosen)]
    cut = rounded(chosen.min()) if len(chosen) else None
    if not np.isfinite(step.scores[row]):
        return None, None, cut
    ahead = (step.scores > step.scores[row]) | ((step.scores == step.scores[row]) & (np.arange(len(step.items)) < row))
    return rounded(step.scores[row]), int(ahead.sum()) + 1, cut


def _versions(seen: Visible, step: Step, item: int) -> tuple[int, int, int]:
    sight = seen.sights[step.review.number]
    rows = sight.rows[seen.figures.item[sight.rows] == item]
    if not len(rows):
        return 0, 0, 0
    figures, row = seen.figures, int(rows[0])
    return int(figures.case_version[row]), int(figures.estimate_version[row]), int(figures.impact_version[row])


def _actual(step: Step, item: int) -> str:
    if item in step.review.yes:
        return Verdict.YES.value
    answers = dict(zip(step.review.no.tolist(), step.review.no_as.tolist(), strict=True))
    return DISPOSITIONS[answers[item]].value if item in answers else "NOT_ANSWERED"


def _known(outcomes: Outcomes, item: int) -> Known:
    def figure(value: float) -> float | None:
        return None if np.isnan(value) else rounded(value)

    ended = "COMPLETED" if np.isfinite(outcomes.completed[item]) else None
    if ended is None and np.isfinite(outcomes.abandoned[item]):
        ended = "ABANDONED"
    if ended is None and np.isfinite(outcomes.gone[item]):
        ended = "GONE"
    losses = float(outcomes.loss_hours[outcomes.loss_item == item].sum())
    return Known(figure(outcomes.actual_days[item]), figure(outcomes.measured[item]), rounded(losses), ended)
