"""The truncation test: the log cut at a review gives the same selection there. It is part of each run."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ledger.replay.backtest import Run, Stepper, World, given_at, move
from ledger.replay.history import Ints
from ledger.replay.policies import make
from ledger.replay.reviews import Review
from ledger.replay.scenario import Method, Scenario
from ledger.replay.visible import Following, Visible


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
    follows = {is_history: Following(scenario.areas) for is_history in {trial.is_history for trial in trials}}
    upto = 0
    for done, review in enumerate(seen.reviews):
        upto = max(upto, review.end)
        for is_history, following in follows.items():
            own = [trial for trial in trials if trial.is_history is is_history and trial.is_held]
            if own:
                _hold(seen, review, upto if is_history else review.cut, following, own)
        for trial in trials:
            move(trial.world, review, trial.run.steps[done].chosen)
        progress(done + 1, len(seen.reviews))
    return [tuple(trial.caught) for trial in trials]


def _hold(seen: Visible, review: Review, count: int, following: Following, trials: "list[_Trial]") -> None:
    """This will cut the log for one review, once for all runs, and let each choose again."""
    kept, renumbered = seen.history.named_by(count)
    cut = seen.history.cut(count, (kept, renumbered))
    none = np.empty(0, dtype=np.int64)
    known = replace(review, yes=none, yes_days=np.empty(0), no=none, no_as=none)
    if trials[0].is_history:
        known = replace(review, yes=renumbered[review.yes], no=renumbered[review.no])
    owed = np.zeros(len(kept), dtype=bool)
    for trial in trials:
        owed |= trial.world.missed[kept]
    shown = following.look(cut, kept, known, np.flatnonzero(owed))
    for trial in trials:
        trial.repeat(review.number, shown, kept, renumbered)


class _Trial:
    """One run, held to the cut log review by review."""

    def __init__(self, seen: Visible, scenario: Scenario, run: Run) -> None:
        self.scenario, self.run = scenario, run
        self.is_history = run.choice.method == Method.AS_DECIDED
        self.is_held = run.choice.method != Method.ORACLE
        self.world = World.new(len(seen.history.names.proposals))
        self.caught: list[Caught] = []

    def repeat(self, number: int, shown: Visible, kept: Ints, renumbered: Ints) -> None:
        step = self.run.steps[number]
        self.world.debt[step.review.team] = step.debt
        # A fresh policy each time: one that keeps notes has none of what came before.
        stepper = Stepper(shown, self.scenario, self.run.choice, make(self.run.choice), None, digests=True)
        forced = [(int(renumbered[item]), verdict) for item, verdict in given_at(self.run.forced, step.review)]
        again = stepper.step(self.world.renumbered(kept), shown.reviews[0], shown.sights[0], forced)
        if again.state != step.state:
            self.caught.append(Caught(number, "state"))
        elif again.selection != step.selection:
            self.caught.append(Caught(number, "selection"))
