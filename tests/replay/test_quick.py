"""Many policies at once are replayed to the same choices as one by one."""

import numpy as np
import pytest

from ledger.replay import quick as module
from ledger.replay import weights
from ledger.replay.backtest import again, lay_out, run
from ledger.replay.flips import turned
from ledger.replay.history import History
from ledger.replay.quick import BY_ROW, Quick
from ledger.replay.scenario import Effort, PolicyChoice, Scaling, Scenario
from ledger.values import Verdict
from tests.replay.tale import Tale

SCALE = {"drag": 20.0, "risk": 5.0, "level": 5.0, "growth": 5.0, "benefits": 2.0}
CHOICES = (
    *[PolicyChoice(method, weights={"drag": 1.0} if method == "WEIGHTED" else {}) for method in sorted(BY_ROW)],
    *[
        PolicyChoice("WEIGHTED", f"n{n}", weights=choice.weights, scale=SCALE)
        for n, choice in enumerate(weights(25, 5))
    ],
)


def compare(history: History, scenario: Scenario) -> int:
    seen = lay_out(history, scenario)
    quick = Quick(seen, scenario)
    chosen = 0
    for choice in CHOICES:
        assert Quick.fits(seen, scenario, choice)
        slow, fast = run(seen, scenario, choice, digests=False), quick.run(choice)
        for one, other in zip(slow.steps, fast.steps, strict=True):
            assert one.chosen.tolist() == other.chosen.tolist()
            assert one.cost.tolist() == other.cost.tolist()
            assert one.free == other.free
            chosen += len(one.chosen)
        for name in ("missed", "early", "taken_at"):
            assert np.array_equal(getattr(slow.world, name), getattr(fast.world, name))
    return chosen


@pytest.mark.parametrize("rows", [1, 4, 4_096])
def test_the_story_is_replayed_to_the_same_choices(story: History, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SPARE", 0)
    monkeypatch.setattr(module, "BEST_ROWS", rows)  # with 4 the best are too few, again and again
    assert compare(story, Scenario((PolicyChoice("FIFO"),), dependencies=False)) > 500


@pytest.mark.parametrize("rows", [50, 4_096])
def test_an_imported_history_is_too(imported: History, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BEST_ROWS", rows)
    scenario = Scenario((PolicyChoice("FIFO"),), every_days=120, teams=("Derek-Jones/SiP_dataset",), capacity_days=40)
    assert compare(imported, scenario) > 500


def test_a_verdict_that_is_given_is_replayed_to_the_same_choices(story: History) -> None:
    """Each flip of a run taken back: quickly, from that flip on, and from the start."""
    scenario = Scenario((PolicyChoice("FIFO"),), dependencies=False)
    seen = lay_out(story, scenario)
    quick, changed = Quick(seen, scenario), 0
    for choice in CHOICES[:4]:
        whole = run(seen, scenario, choice)
        for one in turned(whole)[:12]:
            was = Verdict.NO if one.verdict is Verdict.YES else Verdict.YES
            number = whole.steps[one.step].review.number
            others = (
                run(seen, scenario, choice, forced=[(number, one.item, was)]),
                again(seen, scenario, whole, one.step, one.item, was),
                quick.run(choice, {number: (one.item, was)}),
            )
            chosen = [[step.chosen.tolist() for step in other.steps] for other in others]
            assert chosen[0] == chosen[1] == chosen[2]
            assert len({tuple(step.free for step in other.steps) for other in others}) == 1
            changed += chosen[0] != [step.chosen.tolist() for step in whole.steps]
    assert changed > 30


def test_what_it_can_not_do_it_says(story: History) -> None:
    seen = lay_out(story, Scenario((PolicyChoice("FIFO"),)))
    scenario = Scenario((PolicyChoice("FIFO"),), dependencies=False)
    assert not Quick.fits(seen, scenario, PolicyChoice("KNAPSACK"))
    assert not Quick.fits(seen, scenario, PolicyChoice("CD3", grow=True))
    assert not Quick.fits(seen, scenario, PolicyChoice("WEIGHTED", weights={"drag": 1}, scaling=Scaling.CANDIDATES))
    assert not Quick.fits(seen, Scenario((PolicyChoice("FIFO"),), effort=Effort.CALIBRATED), PolicyChoice("CD3"))
    tale = Tale()
    tale.submit(1, 0, days=1)
    tale.tell(2, module.Kind.NEEDS, 0, 1)
    tale.review(10)
    needing = lay_out(tale.history(), scenario)
    assert not Quick.fits(needing, Scenario((PolicyChoice("FIFO"),)), PolicyChoice("CD3"))
    assert Quick.fits(needing, scenario, PolicyChoice("CD3"))
