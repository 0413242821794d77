"""Sweeps, draws, forecasts and calibrations: seeded, bounded, and the same bytes wherever they run."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from ledger.replay import calibration, executor, forecast, pareto, sensitivity, simulate, sweep, weights
from ledger.replay.executing import SchedulerError
from ledger.replay.history import DAY_US, History, instant, micros
from ledger.replay.kinds import Kind
from ledger.replay.scenario import Method, PolicyChoice, Scenario, ScenarioError
from ledger.replay.sensitivity import drawn_history
from ledger.replay.sweep import Tried
from ledger.replay.visible import Visible
from tests.replay.tale import START_US, Tale

UNTIL = datetime(2026, 1, 10, tzinfo=UTC)
POLICIES = (
    PolicyChoice("CD3"),
    PolicyChoice("FIFO"),
    *weights(118, 3, scale={"drag": 20.0, "risk": 5.0, "level": 5.0}),
)
FRONT = (PolicyChoice("CD3"), PolicyChoice("FIFO"))


def test_weights_sum_to_one() -> None:
    for choice in weights(500, 1):
        assert sum(choice.weights.values()) == pytest.approx(1, abs=1e-6)
        assert min(choice.weights.values()) >= 0


def test_a_sweep_gives_the_same_bytes_on_one_two_processes_and_on_dask(story: History) -> None:
    from distributed import LocalCluster

    scenario = Scenario((PolicyChoice("FIFO"),))
    moved: list[int] = []
    here = sweep(story, scenario, POLICIES, UNTIL, progress=lambda done, total: moved.append(done))
    assert moved == [50, 100, 120]
    assert here.tried == 120
    with executor(2) as pool:
        assert sweep(story, scenario, POLICIES, UNTIL, executor=pool).encoded() == here.encoded()
    with (
        LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=":0") as cluster,
        executor(scheduler=cluster.scheduler_address) as pool,
    ):
        assert sweep(story, scenario, POLICIES, UNTIL, executor=pool).encoded() == here.encoded()


def test_eight_processes_and_dask_workers_of_their_own_give_the_same_bytes(story: History) -> None:
    from distributed import LocalCluster

    scenario = Scenario((PolicyChoice("CD3"),), runs=30, regret=False)
    here = simulate(story, scenario).encoded()
    tried = sweep(story, scenario, POLICIES[:70], UNTIL).encoded()
    with executor(8) as pool:
        assert simulate(story, scenario, executor=pool).encoded() == here
        assert sweep(story, scenario, POLICIES[:70], UNTIL, executor=pool).encoded() == tried
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0") as cluster,
        executor(scheduler=cluster.scheduler_address) as workers,
    ):
        assert simulate(story, scenario, executor=workers).encoded() == here
        assert sweep(story, scenario, POLICIES[:70], UNTIL, executor=workers).encoded() == tried


def test_a_sweep_is_tuned_on_the_earlier_window_only(story: History) -> None:
    """What becomes known later is changed beyond recognition: it must not move what was chosen, and must move its later score."""
    later = np.arange(len(story)) >= story.known_by(micros(UNTIL))
    figures, scenario = story.figures.copy(), Scenario((PolicyChoice("FIFO"),))
    for kind, column, times in ((Kind.IMPACT, 1, 7.0), (Kind.COMPLETED, 0, 5.0), (Kind.ESTIMATED, 1, 3.0)):
        figures[later & (story.kind == kind), column] *= times
    assert not np.array_equal(figures, story.figures, equal_nan=True)
    told, otherwise = (sweep(h, scenario, POLICIES, UNTIL) for h in (story, replace(story, figures=figures)))
    assert otherwise.best == told.best
    assert otherwise.later != told.later
    assert len({one.net_hours for one in told.best}) > 1  # there was something to tune


def test_a_review_at_the_border_is_tuned_on_and_not_scored_on() -> None:
    tale = Tale()
    for item in range(6):
        tale.submit(1, item, days=4, drag=5)
    for day in (10, 20, 30):
        tale.review(day, capacity=4)
    found = sweep(tale.history(), Scenario((PolicyChoice("FIFO"),)), POLICIES[:1], instant(START_US + 20 * DAY_US))
    # Of the later window there is the last review alone, and nothing pays by then; of the earlier one the first two.
    assert (found.best[0].longest_wait, found.later[0].median_wait) == (19, 29)


@pytest.mark.parametrize(("day", "sentence"), [(5, "up to 2023-11-19"), (25, "after 2023-12-09")])
def test_a_sweep_without_reviews_on_one_side_says_which(day: int, sentence: str) -> None:
    tale = Tale()
    tale.submit(1, 0, days=4, drag=5)
    tale.review(20)
    with pytest.raises(ScenarioError, match=f"No review was held {sentence}"):
        sweep(tale.history(), Scenario((PolicyChoice("FIFO"),)), POLICIES[:1], instant(START_US + day * DAY_US))


def test_what_waits_for_ever_has_waited_longest() -> None:
    """Or a policy that never answers what is hard would stand on the front for its short waits."""
    tale = Tale()
    tale.submit(0.5, 0, days=4)  # no drag: MOMENTUM and CD3 have nothing to go by
    for item in range(1, 6):
        tale.submit(item * 10 - 2, item, days=2, drag=5)
        tale.review(item * 10, capacity=4)
    found = sweep(tale.history(), Scenario((PolicyChoice("FIFO"),)), FRONT, instant(START_US + 25 * DAY_US))
    assert {one.policy.name: one.longest_wait for one in found.later} == {"CD3": 49.5, "FIFO": 32}
    assert {one.policy.name: one.median_wait for one in found.later} == {"CD3": 12, "FIFO": 22}  # of those with a yes


def test_a_sweep_is_bounded(story: History) -> None:
    with pytest.raises(ScenarioError, match="1 to 100000"):
        sweep(story, Scenario((PolicyChoice("FIFO"),)), (), UNTIL)


def test_a_dask_cluster_that_is_not_there_is_said_to_be_so() -> None:
    with (
        pytest.raises(SchedulerError, match="No Dask scheduler answers at not-an-address"),
        executor(scheduler="not-an-address"),
    ):
        pass


def test_the_front_keeps_what_no_other_beats_in_both() -> None:
    tried = [
        Tried(PolicyChoice("FIFO", name), net, 0, wait, None)
        for name, net, wait in [("a", 10, 5), ("b", 8, 3), ("c", 7, 4), ("d", 10, 6), ("e", 8, 3), ("f", 1, None)]
    ]
    assert [one.policy.name for one in pareto(tried)] == ["a", "b", "e"]


def test_survival_is_a_share_of_the_draws(story: History) -> None:
    here = simulate(story, Scenario((PolicyChoice("CD3"),), runs=40, regret=False))
    shares = [flip.survives for flip in here.results[0].flips]
    assert shares
    assert all(share is not None and 0 <= share <= 1 for share in shares)
    assert any(share is not None and 0 < share < 1 for share in shares)


def test_draws_leave_the_capacity_of_laid_over_reviews_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was taken on there is what it could take, whatever a draw makes of the estimates."""
    tale = Tale()
    for item in range(20):
        tale.submit(1, item, drag=5)
        tale.tell(1, Kind.ESTIMATED, item, 1, 4, 1, 3, 11)
        tale.tell(10 + item, Kind.STARTED, item, 0)
    tale.submit(40, 20)
    scenario = Scenario((PolicyChoice("MOMENTUM"),), every_days=7, runs=10)
    drawn: list[Visible] = []
    own = sensitivity.run
    monkeypatch.setattr(sensitivity, "run", lambda seen, *rest, **more: drawn.append(seen) or own(seen, *rest, **more))
    sensitivity.survival(tale.history(), scenario, scenario.policies[0])
    assert [sum(review.capacity for review in seen.reviews) for seen in drawn] == [80.0] * 10
    assert len({tuple(seen.figures.expected.tolist()) for seen in drawn}) == 10


def test_a_draw_keeps_within_the_three_points_and_a_quarter_of_the_drag(story: History) -> None:
    rows, impacts = story.of(Kind.ESTIMATED), story.of(Kind.IMPACT)
    low, high = story.figures[rows, 2], story.figures[rows, 4]
    means = np.zeros(len(rows))
    for draw in range(200):
        drawn = drawn_history(story, 1, draw)
        days = drawn.figures[rows, 1]
        assert ((days >= low - 1e-9) & (days <= high + 1e-9)).all()
        ratio = drawn.figures[impacts, 1] / story.figures[impacts, 1]
        assert (np.abs(ratio[np.isfinite(ratio)] - 1) <= 0.25).all()
        means += days / 200
    assert np.abs(means / story.figures[rows, 1] - 1).max() < 0.15  # beta-PERT has PERT's mean


def finishing(weeks: int, each: int) -> History:
    tale = Tale()
    item = 0
    for week in range(weeks):
        for _ in range(each):
            tale.submit(0.1, item)
            tale.done(week * 7 + 6, item, 1)
            item += 1
    return tale.history()


def test_a_steady_throughput_is_forecast_exactly() -> None:
    history = finishing(10, 2)
    answer = forecast(history, "Team 0", 9, as_of=instant(START_US + 70 * DAY_US), weeks=10)
    due = instant(START_US + (70 + 35) * DAY_US)
    assert (answer.p50, answer.p85, answer.p95) == (due, due, due)


def test_an_uneven_throughput_is_forecast_with_its_spread_and_seed(story: History) -> None:
    answer = forecast(story, "Checkout", 5, weeks=52)
    assert answer == forecast(story, "Checkout", 5, weeks=52)
    assert answer.p50 is not None
    assert answer.p85 is not None
    assert answer.p95 is not None
    assert answer.as_of < answer.p50 < answer.p85 <= answer.p95


def test_weeks_before_the_team_was_there_are_no_weeks_without_throughput() -> None:
    tale = Tale(teams=2)
    tale.submit(1, 0)
    for week in range(4):
        for each in range(2):
            item = 1 + week * 2 + each
            tale.submit(70 + 0.1, item, team=1)
            tale.done(70 + week * 7 + 6, item, 1)
    answer = forecast(tale.history(), "Team 1", 4, as_of=instant(START_US + 99 * DAY_US), weeks=52)
    assert (answer.weeks, answer.done) == (4, 8)
    assert answer.p50 == answer.p95 == instant(START_US + (99 + 14) * DAY_US)


def test_a_team_that_finished_nothing_has_no_forecast() -> None:
    tale = Tale()
    tale.submit(1, 0)
    answer = forecast(tale.history(), "Team 0", 1)
    assert (answer.p50, answer.done) == (None, 0)
    with pytest.raises(ValueError, match="no team"):
        forecast(tale.history(), "Nobody", 1)


def test_a_forecast_knows_only_what_was_known(story: History) -> None:
    at = UNTIL
    cut = story.cut(story.known_by(int(at.timestamp() * 1_000_000)))
    assert forecast(story, "Search", 3, as_of=at) == forecast(cut, "Search", 3, as_of=at)


def test_calibration_is_the_ratio_of_actual_to_expected() -> None:
    tale = Tale()
    for item, actual in enumerate([2, 4, 6, 8, 10]):
        tale.submit(1, item, days=4)
        tale.done(10 + item, item, actual)
    (group,) = calibration(tale.history())
    assert (group.area, group.basis) == (None, None)
    assert (group.team, group.items, group.median) == ("Team 0", 5, 1.5)
    assert (group.coverage, group.intervals) == (0.2, 5)
    assert calibration(tale.history(), instant(START_US + 12 * DAY_US))[0].items == 3


def test_the_tasks_of_a_real_company_took_what_their_source_says(imported: History) -> None:
    group = next(g for g in calibration(imported) if g.team == "Derek-Jones/SiP_dataset")
    assert group.items > 7_000
    assert 0.5 < group.median < 1.5
    assert group.coverage is None


def test_every_method_can_be_swept(story: History) -> None:
    choices = tuple(PolicyChoice(m) for m in (Method.CD3, Method.KNAPSACK, Method.NOTHING))
    assert sweep(story, Scenario((PolicyChoice("FIFO"),)), choices, UNTIL).tried == 3
