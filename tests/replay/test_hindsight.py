"""The truncation test passes at every review of honest runs, and catches each way of peeking that is planted here."""

from dataclasses import replace

import numpy as np
import pytest

from ledger.replay.backtest import Run, lay_out, run
from ledger.replay.folding import TeamFold
from ledger.replay.hindsight import peeking
from ledger.replay.history import History, Ints
from ledger.replay.kinds import Kind
from ledger.replay.scenario import Effort, Method, PolicyChoice, Scaling, Scenario
from ledger.replay.visible import Visible
from ledger.values import Verdict
from tests.replay.tale import Tale

HONEST = (
    *[
        PolicyChoice(m, weights={"smallness": 0.5, "drag": 0.5} if m == "WEIGHTED" else {})
        for m in Method
        if m != "ORACLE"
    ],
    PolicyChoice(Method.WEIGHTED, "spread", weights={"drag": 1.0}, scaling=Scaling.CANDIDATES),
    PolicyChoice("tests.replay.peekers:honest"),
)


def tried(history: History, scenario: Scenario) -> tuple[Visible, list[Run]]:
    seen = lay_out(history, scenario)
    return seen, [run(seen, scenario, choice) for choice in scenario.policies]


@pytest.mark.parametrize("effort", [Effort.MEAN, Effort.CALIBRATED])
def test_no_policy_of_ours_peeks_at_any_review_of_the_story(story: History, effort: Effort) -> None:
    scenario = Scenario(HONEST, effort=effort)
    seen, runs = tried(story, scenario)
    assert len(seen.reviews) > 30
    assert peeking(seen, scenario, runs) == [()] * len(runs)


def test_none_peeks_on_an_imported_history(imported: History) -> None:
    scenario = Scenario(HONEST, every_days=180, teams=("python/peps",))
    seen, runs = tried(imported, scenario)
    assert peeking(seen, scenario, runs) == [()] * len(runs)


def test_none_peeks_on_ten_thousand_tasks(imported: History) -> None:
    scenario = Scenario(
        (PolicyChoice(Method.FIFO), PolicyChoice(Method.RANDOM), PolicyChoice("tests.replay.peekers:actuals")),
        every_days=180,
        teams=("Derek-Jones/SiP_dataset",),
        capacity_days=100,
    )
    seen, runs = tried(imported, scenario)
    fifo, random, peeker = peeking(seen, scenario, runs)
    assert (fifo, random) == ((), ())
    assert len(peeker) > 10


def test_forced_verdicts_are_held_to_the_test_too(story: History) -> None:
    scenario = Scenario((PolicyChoice(Method.CD3),))
    seen = lay_out(story, scenario)
    free = run(seen, scenario, scenario.policies[0])
    item = int(free.steps[5].chosen[0])
    forced = run(seen, scenario, scenario.policies[0], forced=[(5, item, Verdict.NO)])
    assert item not in forced.steps[5].chosen
    assert peeking(seen, scenario, [forced]) == [()]


def test_an_answer_to_what_had_ended_shows_it_to_nobody() -> None:
    """Found by the test above in a real history: an item that was superseded, and got a yes all the same."""
    tale = Tale()
    tale.submit(1, 0, days=4, drag=4)
    tale.review(10, yes=(0,))
    tale.tell(15, Kind.SUPERSEDED, 0)
    tale.review(20, yes=(0,))
    scenario = Scenario((PolicyChoice(Method.NOTHING),))
    seen, runs = tried(tale.history(), scenario)
    assert runs[0].steps[1].items.tolist() == []
    assert peeking(seen, scenario, runs) == [()]


def test_a_review_before_there_was_any_proposal_sees_nothing() -> None:
    tale = Tale()
    tale.review(10)
    tale.submit(15, 0, days=4, drag=4)
    tale.review(20)
    scenario = Scenario((PolicyChoice(Method.MOMENTUM),))
    seen, runs = tried(tale.history(), scenario)
    assert [step.chosen.tolist() for step in runs[0].steps] == [[], [0]]
    assert peeking(seen, scenario, runs) == [()]


def later_known() -> History:
    """Three items at one review; what would tell them apart comes after it."""
    tale = Tale()
    for item in range(3):
        tale.submit(1 + item, item, days=4, drag=4)
    tale.review(10, capacity=4, yes=(0,))
    tale.estimate(12, 2, 1, version=2, occurred=9)  # true before the review, recorded after it
    tale.tell(13, Kind.EXPLAINED, 0, 2)
    tale.done(20, 0, 9, started=11)
    tale.review(30, capacity=4)
    return tale.history()


@pytest.mark.parametrize("peeker", ["actuals", "reasons", "backdated"])
def test_a_planted_peeker_is_caught_at_the_review_where_it_peeked(peeker: str) -> None:
    scenario = Scenario((PolicyChoice(f"tests.replay.peekers:{peeker}"),))
    seen, runs = tried(later_known(), scenario)
    (caught,) = peeking(seen, scenario, runs)
    assert [(found.review, found.what) for found in caught] == [(0, "selection")]


def test_the_actuals_of_the_whole_story_are_caught(story: History) -> None:
    scenario = Scenario((PolicyChoice("tests.replay.peekers:actuals"),))
    seen, runs = tried(story, scenario)
    (caught,) = peeking(seen, scenario, runs)
    assert caught


def test_a_fold_that_leaks_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Our own code is held to it as well: here estimates are taken as soon as they are true."""
    honest = TeamFold._take_figures

    def leaky(fold: TeamFold, rows: Ints, kinds: Ints, items: Ints) -> None:
        history, early = fold.history, fold.history.figures.copy()
        every = history.of(Kind.ESTIMATED)
        for item in np.unique(history.subject[every]):
            own = every[history.subject[every] == item]
            early[own] = early[own[-1]]
        fold.history = replace(history, figures=early)
        honest(fold, rows, kinds, items)
        fold.history = history

    monkeypatch.setattr(TeamFold, "_take_figures", leaky)
    scenario = Scenario((PolicyChoice(Method.MOMENTUM),))
    seen, runs = tried(later_known(), scenario)
    (caught,) = peeking(seen, scenario, runs)
    assert [found.review for found in caught] == [0]


def test_the_cut_log_alone_gives_the_same_selections_up_to_there(story: History) -> None:
    """The literal form of the test: a whole replay of the cut log, at a few reviews; the other form stands for it by induction."""
    for choice in (PolicyChoice(Method.MOMENTUM), PolicyChoice(Method.KNAPSACK)):
        scenario = Scenario((choice,))
        seen = lay_out(story, scenario)
        whole = run(seen, scenario, choice)
        for number in (4, 17, len(seen.reviews) - 1):
            review = seen.reviews[number]
            cut = story.cut(review.end)  # the review itself is there, and nothing after it
            again = run(lay_out(cut, scenario), scenario, choice)
            assert [s.selection for s in again.steps] == [s.selection for s in whole.steps[: number + 1]]
            assert [s.state for s in again.steps] == [s.state for s in whole.steps[: number + 1]]
