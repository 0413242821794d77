"""What a replay is worth, by figures that can be checked by hand."""

import numpy as np
import pytest

from ledger.replay.backtest import lay_out, run
from ledger.replay.history import DAY_US, WEEK_US, History
from ledger.replay.kinds import Kind
from ledger.replay.oracle import plan
from ledger.replay.outcomes import Outcomes
from ledger.replay.report import Check, Report
from ledger.replay.scenario import Forced, Method, PolicyChoice, Scenario
from ledger.replay.scoring import drawdown, payback, under_water
from ledger.replay.simulating import simulate
from ledger.values import Verdict
from tests.replay.tale import START_US, Tale, proposal_id

AS_DECIDED, MOMENTUM, NOTHING = (PolicyChoice(m) for m in (Method.AS_DECIDED, Method.MOMENTUM, Method.NOTHING))
ALL = tuple(PolicyChoice(m, weights={"drag": 1.0} if m == "WEIGHTED" else {}) for m in Method)


def worked() -> Tale:
    """Review on day 7; item 0 (10 h a week) is done from day 14 to day 21 in 5 days of 8 hours; the log ends on day 77."""
    tale = Tale(weekly_hours=100)
    tale.submit(1, 0, days=4, drag=10)
    tale.submit(2, 1, days=4, drag=20)
    tale.review(7, yes=(0,), capacity=4)
    tale.done(21, 0, 5, started=14)
    tale.tell(35, Kind.LOSS, 1, 30)
    tale.review(77, capacity=4)
    return tale


def test_the_curve_of_what_was_done_can_be_reckoned_by_hand() -> None:
    outcomes = Outcomes(lay_out(worked().history(), Scenario((AS_DECIDED,))))
    assert len(outcomes.weeks) == 11
    path = outcomes.path(outcomes.deliveries(None))
    assert path.open_drag.tolist() == [30, 30] + [20] * 9
    # spent: nothing, nothing, all 40 h in the week after; won back: 10 h a week from week 2 on
    assert path.net.tolist() == [0, 0, -30, -20, -10, 0, 10, 20, 30, 40, 50]
    assert payback(path.net) == 5
    assert drawdown(path.net) == 30
    assert under_water(path.net) == 3


def test_a_replay_that_decides_the_same_has_the_same_curve(story: History) -> None:
    scenario = Scenario((AS_DECIDED,))
    seen = lay_out(story, scenario)
    outcomes = Outcomes(seen)
    as_it_was = outcomes.path(outcomes.deliveries(None))
    replayed = outcomes.path(outcomes.deliveries(run(seen, scenario, AS_DECIDED)))
    for name in ("open_drag", "net", "low", "high"):
        assert np.array_equal(getattr(as_it_was, name), getattr(replayed, name))


def test_another_choice_is_worth_its_drag_its_effort_and_the_losses_it_spares() -> None:
    scenario = Scenario((MOMENTUM,))
    seen = lay_out(worked().history(), scenario)
    outcomes = Outcomes(seen)
    replayed = run(seen, scenario, MOMENTUM)
    assert replayed.steps[0].chosen.tolist() == [1]
    # Item 0 took 14 calendar days for 5 days of work, so item 1 is taken to take 11.2 for its 4: it ends in week 2
    work = outcomes.deliveries(replayed)
    assert work.item.tolist() == [0, 1]  # item 0 follows at the last review, too late to count
    assert (work.end[1] - work.start[1]) / DAY_US == pytest.approx(11.2)
    path = outcomes.path(work)
    assert path.open_drag.tolist() == [30, 30] + [10] * 9
    assert path.net[-1] == 9 * 20 - 32 + 30  # nine weeks of 20 h, 4 days of 8 h, and the loss of week 4 spared


@pytest.mark.parametrize("kept", [0, 50_000_000])
def test_the_end_of_a_curve_is_the_same_without_the_curve(
    story: History, kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.replay.outcomes.KEPT_MAX", kept)  # 0: too much to keep, so that the other way is gone
    for choice in ALL:
        if choice.method != "ORACLE":
            scenario = Scenario((choice,))
            seen = lay_out(story, scenario)
            outcomes = Outcomes(seen)
            replayed = run(seen, scenario, choice)
            work = outcomes.deliveries(replayed)
            assert outcomes.net_at_end(work) == pytest.approx(outcomes.path(work).net[-1], abs=1e-6)
            for step in replayed.steps[::9]:  # and one yes by itself is worth what it adds
                worth = outcomes.worth(step.review, step.items)
                assert len(worth) == len(step.items)
                assert np.isfinite(worth).all()


def test_what_a_yes_is_worth_is_what_the_curve_gains_by_it() -> None:
    scenario = Scenario((NOTHING,))
    seen = lay_out(worked().history(), scenario)
    outcomes = Outcomes(seen)
    nothing, forced = (run(seen, scenario, NOTHING, forced=f) for f in ((), [(0, 1, Verdict.YES)]))
    gain = outcomes.net_at_end(outcomes.deliveries(forced)) - outcomes.net_at_end(outcomes.deliveries(nothing))
    assert outcomes.worth(seen.reviews[0], np.array([1]))[0] == pytest.approx(gain)
    assert gain > 0


def test_nothing_recovers_nothing() -> None:
    scenario = Scenario((NOTHING,))
    seen = lay_out(worked().history(), scenario)
    outcomes = Outcomes(seen)
    assert not outcomes.path(outcomes.deliveries(run(seen, scenario, NOTHING))).net.any()


def test_drag_grows_by_the_month() -> None:
    tale = Tale()
    tale.submit(0, 0, days=4)
    tale.tell(0, Kind.IMPACT, 0, 1, 10, 5, 3, 1.0, 0)
    tale.review(7)
    outcomes = Outcomes(lay_out(tale.history(), Scenario((NOTHING,))))
    month = START_US + 365.25 / 12 * DAY_US
    assert outcomes.drag_at(np.array([0]), np.array([START_US, month, month * 2 - START_US]))[0] == pytest.approx(
        [10, 10.5, 11.025]
    )


def test_a_measured_benefit_counts_instead_of_the_promise_and_is_observed() -> None:
    tale = worked()
    tale.tell(70, Kind.BENEFIT, 0, 4, 30)
    outcomes = Outcomes(lay_out(tale.history(), Scenario((AS_DECIDED,))))
    path = outcomes.path(outcomes.deliveries(None))
    assert path.net[-1] == 9 * 4 - 40
    assert path.low[-1] == path.high[-1] == path.net[-1]


def test_what_is_imputed_has_bounds() -> None:
    outcomes = Outcomes(lay_out(worked().history(), Scenario((AS_DECIDED,))))
    path = outcomes.path(outcomes.deliveries(None))
    assert path.low[-1] == 9 * 10 * 0.75 - 40
    assert path.high[-1] == 9 * 10 * 1.25 - 40


def test_a_gain_is_bounded_by_what_the_worlds_did_otherwise_alone() -> None:
    tale = worked()
    tale.submit(3, 2, days=4, drag=50)
    tale.tell(5, Kind.STARTED, 2, 1)  # in both worlds: without a yes
    tale.tell(21, Kind.COMPLETED, 2, 4)
    scenario = Scenario((MOMENTUM,), regret=False)
    report = simulate(tale.history(), scenario)
    (result,) = report.results
    assert result.order[0] == proposal_id(1)
    # Item 1 instead of item 0: nine weeks of 20 h × 0.75 … 1.25 against nine of 10 h; 4 days against 5; and the loss of 30 h is spared
    assert result.gain_hours == 9 * 20 - 9 * 10 + 8 + 30
    assert (result.gain.low, result.gain.likely, result.gain.high) == (
        9 * 20 * 0.75 - 9 * 10 * 1.25 + 38,
        result.gain_hours,
        9 * 20 * 1.25 - 9 * 10 * 0.75 + 38,
    )
    assert result.net_hours.high - result.net_hours.low > result.gain.high - result.gain.low


@pytest.mark.parametrize("kept", [0, 50_000_000])
def test_a_gain_lies_within_its_bounds_and_doing_the_same_is_surely_the_same(
    story: History, kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.replay.outcomes.KEPT_MAX", kept)
    report = simulate(story, Scenario((AS_DECIDED, MOMENTUM, NOTHING), regret=False))
    for result in report.results:
        assert result.gain.low <= result.gain.likely == result.gain_hours <= result.gain.high
    assert (report.results[0].gain.low, report.results[0].gain.high) == (0, 0)


def test_what_was_measured_needs_no_bounds_even_where_the_effort_was_not_said() -> None:
    tale = Tale()
    tale.submit(1, 0, drag=10)
    tale.tell(1, Kind.ESTIMATED, 0, 1, 4, 3, 4, 5)
    tale.review(7, yes=(0,), capacity=4)
    tale.tell(21, Kind.COMPLETED, 0)
    tale.tell(70, Kind.BENEFIT, 0, 1, 30)  # a tenth of what was promised
    tale.review(77, capacity=4)
    outcomes = Outcomes(lay_out(tale.history(), Scenario((AS_DECIDED,))))
    path = outcomes.path(outcomes.deliveries(None))
    assert [path.low[-1], path.net[-1], path.high[-1]] == [9 - 40, 9 - 32, 9 - 24]  # nine weeks of 1 h; 5, 4 or 3 days


def test_a_loss_that_came_in_spite_of_the_work_was_spared_to_nobody() -> None:
    tale = worked()
    tale.tell(42, Kind.LOSS, 0, 25)  # item 0 had been done for three weeks
    outcomes = Outcomes(lay_out(tale.history(), Scenario((AS_DECIDED,))))
    assert outcomes.path(outcomes.deliveries(None)).net[-1] == 50
    early = np.array([0])
    before = worked()
    without = Outcomes(lay_out(before.history(), Scenario((AS_DECIDED,))))
    first = outcomes.visible.reviews[0]
    assert outcomes.worth(first, early)[0] == without.worth(first, early)[0]


def test_work_of_which_nobody_said_what_it_took_is_not_known() -> None:
    tale = Tale()
    tale.submit(1, 0, drag=10)
    tale.review(7, yes=(0,), capacity=4)
    tale.tell(21, Kind.COMPLETED, 0)
    tale.review(77, capacity=4)
    report = simulate(tale.history(), Scenario((AS_DECIDED,)))
    assert (report.actual.shares.unknown, report.actual.shares.items) == (1, 1)


def test_what_history_began_and_has_not_finished_is_not_imputed_to_be_quick() -> None:
    tale = worked()
    tale.tell(8, Kind.STARTED, 1, 0)  # and no end in 69 days
    outcomes = Outcomes(lay_out(tale.history(), Scenario((MOMENTUM,))))
    assert outcomes.lead_of(np.array([1]))[0] == pytest.approx(69 * DAY_US)


def test_no_policy_beats_the_oracle(story: History) -> None:
    scenario = Scenario((*ALL,))
    report = simulate(story, scenario)
    for result in report.results:
        if result.policy.method != "AS_DECIDED":  # history went over its capacity
            assert result.regret_hours is not None
            assert result.regret_hours >= -1e-6
    oracle = next(r for r in report.results if r.policy.method == "ORACLE")
    assert oracle.regret_hours == 0
    assert oracle.hindsight_check is Check.NOT_APPLICABLE


def test_the_oracle_is_the_best_plan_of_all_on_a_small_case() -> None:
    tale = Tale()
    for item, (days, drag) in enumerate([(4, 10), (3, 9), (3, 8), (1, 1)]):
        tale.submit(1, item, days=days, drag=drag)
    for day in (7, 21):
        tale.review(day, capacity=6)
    tale.review(90, capacity=0)
    scenario = Scenario((NOTHING,))
    seen = lay_out(tale.history(), scenario)
    outcomes = Outcomes(seen)
    best = plan(seen, outcomes, run(seen, scenario, NOTHING))
    assert best is not None
    chosen = [sorted(best.get(number, ())) for number in range(3)]
    value = [dict(enumerate(outcomes.worth(review, np.arange(4)).tolist())) for review in seen.reviews]
    total = sum(value[number][item] for number, items in enumerate(chosen) for item in items)
    from itertools import product

    cost, capacity = [16, 12, 12, 4], [24, 24, 0]
    every = []
    for at in product(range(4), repeat=4):  # 3: never
        debt, fits = 0, True
        for number in range(3):
            debt = max(0, debt + sum(cost[i] for i in range(4) if at[i] == number) - capacity[number])
            fits = fits and debt <= max(cost)
        if fits:
            every.append(sum(value[number][item] for item, number in enumerate(at) if number < 3))
    assert total == pytest.approx(max(every))


@pytest.fixture(scope="module")
def report(story: History) -> Report:
    return simulate(story, Scenario((MOMENTUM, PolicyChoice(Method.FIFO), NOTHING)))


def test_every_run_reports_its_truncation_test(report: Report) -> None:
    assert {result.hindsight_check for result in (report.actual, *report.results)} == {Check.PASSED}
    assert {len(result.states) for result in report.results} == {report.reviews}


def test_history_itself_has_no_flips(report: Report) -> None:
    assert report.actual.flips == ()
    assert report.actual.gain_hours == 0


def test_a_flip_says_what_was_seen_what_came_and_what_it_was_worth(report: Report) -> None:
    flips = report.results[0].flips
    assert flips
    for flip in flips:
        assert flip.actual != flip.simulated
        assert flip.contribution is not None
        assert flip.at <= report.last_review
    doing_nothing = report.results[2]
    assert doing_nothing.flips_count == report.actual.chosen
    assert sum(f.contribution for f in doing_nothing.flips if f.contribution is not None) < 0


def test_shares_sum_to_one(report: Report) -> None:
    for result in (report.actual, *report.results[:2]):
        shares = result.shares
        assert shares.observed + shares.imputed + shares.unknown == pytest.approx(1, abs=1e-5)
        assert result.net_hours.low <= result.net_hours.likely <= result.net_hours.high


def test_a_forced_flip_contributes_what_it_gains_or_costs() -> None:
    scenario = Scenario((AS_DECIDED, MOMENTUM), forced=(Forced(proposal_id(1), 1, Verdict.YES),), regret=False)
    as_decided, _ = simulate(worked().history(), scenario).results
    (flip,) = as_decided.flips
    assert flip.contribution == as_decided.gain_hours == 9 * 20 - 32 + 30


def test_a_starved_item_was_passed_over_again_and_again(report: Report) -> None:
    starved = report.results[2].starved
    assert starved
    assert min(item.reviews for item in starved) >= 3


def test_the_same_inputs_give_the_same_bytes(story: History, report: Report) -> None:
    again = simulate(story, report.scenario)
    assert again.encoded() == report.encoded()
    assert len(report.digest) == 64
    assert simulate(story, Scenario((MOMENTUM,), regret=False)).digest != report.digest


def test_momentum_is_the_share_of_the_week_that_is_free_of_drag(report: Report) -> None:
    hours = 150 + 150 + 140
    for drag, momentum in zip(report.actual.open_drag, report.actual.momentum, strict=True):
        assert momentum == pytest.approx(1 - drag / hours, abs=1e-5)
    assert report.weeks[1].timestamp() - report.weeks[0].timestamp() == WEEK_US / 1e6
