"""The truncation test: the log cut at a review gives the same selection there. It is part of each run."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ledger.replay.backtest import Run, Step, Stepper, World, move
from ledger.replay.history import History, Ints
from ledger.replay.policies import make
from ledger.replay.scenario import Method, Scenario
from ledger.replay.visible import Visible, visible


@dataclass(frozen=True)
class Caught:
    """A review at which the cut log gave something else: what was seen differs (`state`), or what was chosen (`selection`)."""

    review: int
    what: str


def peeking(
    seen: Visible,
    scenario: Scenario,
    runs: Sequence[Run],
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[tuple[Caught, ...]]:
    """This will cut the log at each review, build what it shows anew from the copies, and let fresh policies choose again.

    What a run did at the reviews before is taken as it was: they were each held to the same test, so that by induction the cut log
    alone gives a run's selections up to there. AS_DECIDED is cut after the answers of its review; ORACLE is not asked. What a policy
    fetches for itself (a file, the network) is not ours to cut.
    """
    trials = [_Trial(seen, scenario, run) for run in runs]
    for done, review in enumerate(seen.reviews):
        cuts: dict[int, tuple[History, Ints, Ints]] = {}
        for trial in trials:
            count = review.end if trial.is_history else review.cut
            if count not in cuts:
                cuts[count] = (seen.history.cut(count), *seen.history.named_by(count))
            trial.repeat(done, *cuts[count])
        progress(done + 1, len(seen.reviews))
    return [tuple(trial.caught) for trial in trials]


class _Trial:
    """One run, held to the cut log review by review."""

    def __init__(self, seen: Visible, scenario: Scenario, run: Run) -> None:
        self.scenario, self.run = scenario, run
        self.is_history = run.choice.method == Method.AS_DECIDED
        self.world = World.new(len(seen.history.names.proposals))
        self.caught: list[Caught] = []

    def repeat(self, number: int, cut: History, kept: Ints, renumbered: Ints) -> None:
        step = self.run.steps[number]
        if self.run.choice.method != Method.ORACLE:
            again = self._again(step, cut, kept, renumbered)
            if again.state != step.state:
                self.caught.append(Caught(number, "state"))
            elif again.selection != step.selection:
                self.caught.append(Caught(number, "selection"))
        move(self.world, step.review, step.chosen)

    def _again(self, step: Step, cut: History, kept: Ints, renumbered: Ints) -> Step:
        review, none = step.review, np.empty(0, dtype=np.int64)
        if self.is_history:
            known = replace(review, yes=renumbered[review.yes], no=renumbered[review.no])
        else:
            known = replace(review, yes=none, yes_days=np.empty(0), no=none, no_as=none)
        self.world.debt[review.team] = step.debt
        shown = visible(cut, (known,), np.flatnonzero(self.world.missed[kept]))
        stepper = Stepper(shown, self.scenario, self.run.choice, make(self.run.choice), None, digests=True)
        forced = [(int(renumbered[item]), verdict) for at, item, verdict in self.run.forced if at == review.number]
        return stepper.step(self.world.renumbered(kept), known, shown.sights[0], forced)
