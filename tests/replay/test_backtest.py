"""A replay goes through the reviews with what each could know, fills their capacity, and parts from history where it decides otherwise."""

from dataclasses import replace

import numpy as np
import pytest

from ledger.replay.backtest import Run, lay_out, run
from ledger.replay.candidates import Candidates
from ledger.replay.history import Floats, History
from ledger.replay.kinds import Kind
from ledger.replay.scenario import Effort, Imputation, Method, PolicyChoice, Scenario, checked
from ledger.values import Verdict
from tests.replay.tale import Tale, proposal_id

FIFO, MOMENTUM = PolicyChoice(Method.FIFO), PolicyChoice(Method.MOMENTUM)
AS_DECIDED, KNAPSACK = PolicyChoice(Method.AS_DECIDED), PolicyChoice(Method.KNAPSACK)


def replay(history: History, choice: PolicyChoice, **more: object) -> Run:
    scenario = checked(Scenario((choice,), **more))  # type: ignore[arg-type]
    return run(lay_out(history, scenario), scenario, choice)


def chosen(run: Run) -> list[list[int]]:
    return [step.chosen.tolist() for step in run.steps]


def two_items() -> Tale:
    """Item 1 is better than item 0; the reviews had room for one and took the worse."""
    tale = Tale()
    tale.submit(1, 0, days=8, drag=2)
    tale.submit(2, 1, days=8, drag=9)
    tale.review(10, yes=(0,), declined=(1,))
    tale.review(20)
    tale.review(30)
    return tale


def test_as_decided_chooses_what_history_chose(story: History) -> None:
    replayed = replay(story, AS_DECIDED)
    for step in replayed.steps:
        assert set(step.chosen.tolist()) == set(step.review.yes.tolist())
    assert not replayed.world.dropped.any()
    assert sum(len(step.chosen) for step in replayed.steps) > 25


@pytest.mark.parametrize("days", [14, 28, 91])
def test_as_decided_does_so_too_where_reviews_are_laid_over_an_imported_history(imported: History, days: int) -> None:
    replayed = replay(imported, AS_DECIDED, every_days=days, teams=("python/peps",))
    for step in replayed.steps:
        assert set(step.chosen.tolist()) == set(step.review.yes.tolist())
    assert not replayed.world.dropped.any()


def test_the_better_item_goes_first_and_the_other_is_carried_over() -> None:
    assert chosen(replay(two_items().history(), MOMENTUM)) == [[1], [0], []]


def test_what_history_declined_and_the_policy_did_not_choose_stays_declined() -> None:
    assert chosen(replay(two_items().history(), FIFO)) == [[0], [], []]


def test_an_item_is_not_seen_before_it_is_known() -> None:
    tale = Tale()
    tale.review(10)
    tale.submit(11, 0, days=1, drag=1)
    tale.review(20)
    assert chosen(replay(tale.history(), MOMENTUM)) == [[], [0]]


def test_a_backdated_estimate_counts_from_when_it_was_recorded() -> None:
    tale = Tale()
    tale.submit(1, 0, days=4, drag=4)
    tale.submit(2, 1, days=5, drag=4)
    tale.review(10, capacity=5)
    tale.estimate(15, 1, 1, version=2, occurred=3)
    replayed = replay(tale.history(), MOMENTUM)
    assert chosen(replayed) == [[0]]
    tale.review(20, capacity=5)
    assert chosen(replay(tale.history(), MOMENTUM)) == [[0], [1]]


def test_what_does_not_fit_is_passed_over_for_what_does() -> None:
    tale = Tale()
    for item, (days, drag) in enumerate([(6, 60), (5, 40), (4, 20)]):
        tale.submit(1 + item, item, days=days, drag=drag)
    tale.review(10, capacity=10)
    assert chosen(replay(tale.history(), MOMENTUM)) == [[0, 2]]


def test_an_item_larger_than_a_review_comes_first_and_is_paid_back() -> None:
    tale = Tale()
    tale.submit(1, 0, days=15, drag=90)
    tale.submit(2, 1, days=6, drag=6)
    tale.submit(3, 2, days=6, drag=5)
    for day in (10, 20, 30):
        tale.review(day, capacity=10)
    assert chosen(replay(tale.history(), MOMENTUM)) == [[0], [], [1]]


def test_equal_scores_go_to_the_earlier_submission() -> None:
    tale = Tale()
    tale.submit(2, 0, days=5, drag=5)
    tale.submit(1, 1, days=5, drag=5)
    tale.review(10, capacity=5)
    assert chosen(replay(tale.history(), MOMENTUM)) == [[1]]


def needing() -> Tale:
    tale = Tale()
    tale.submit(1, 0, days=4, drag=40)
    tale.submit(2, 1, days=4, drag=4)
    tale.submit(3, 2, days=4, drag=20)
    tale.tell(4, Kind.NEEDS, 0, 1)
    tale.review(10, capacity=8)
    tale.review(20, capacity=8)
    return tale


def test_an_item_waits_for_what_it_needs() -> None:
    assert chosen(replay(needing().history(), MOMENTUM)) == [[2, 1], [0]]
    assert chosen(replay(needing().history(), MOMENTUM, dependencies=False)) == [[0, 2], [1]]


def test_knapsack_takes_an_item_with_what_it_needs() -> None:
    assert sorted(chosen(replay(needing().history(), KNAPSACK))[0]) == [0, 1]


def test_an_item_that_needs_something_that_is_gone_is_free() -> None:
    tale = needing()
    tale.tell(5, Kind.WITHDRAWN, 1, 0)
    assert chosen(replay(tale.history(), MOMENTUM))[0] == [0, 2]


def test_a_dependency_that_is_taken_back_holds_nothing_up() -> None:
    tale = needing()
    tale.tell(5, Kind.NEEDS_NOT, 0, 1)
    assert chosen(replay(tale.history(), MOMENTUM))[0] == [0, 2]


def test_a_blocking_concern_holds_an_item_up_until_it_is_resolved() -> None:
    tale = Tale()
    tale.submit(1, 0, days=4, drag=4)
    tale.tell(2, Kind.CONCERN, 0, 1)
    tale.review(10)
    tale.tell(15, Kind.CONCERN_RESOLVED, 0, -1)
    tale.review(20)
    assert chosen(replay(tale.history(), MOMENTUM)) == [[], [0]]


def test_a_critical_bug_is_never_a_candidate() -> None:
    tale = Tale()
    tale.submit(1, 0, days=4, drag=4)
    tale.tell(2, Kind.SCREENED, 0, 1)
    tale.review(10)
    assert chosen(replay(tale.history(), FIFO)) == [[]]


@pytest.mark.parametrize("kind", [Kind.WITHDRAWN, Kind.SUPERSEDED, Kind.SPLIT])
def test_what_ended_by_itself_ended_in_the_replay_too(kind: Kind) -> None:
    tale = two_items()
    tale.tell(15, kind, 0)
    assert chosen(replay(tale.history(), MOMENTUM)) == [[1], [], []]


def test_after_a_divergence_what_followed_from_the_decision_is_dropped() -> None:
    tale = two_items()
    tale.done(18, 0, 7, started=12)  # history did item 0; the replay has not said yes to it
    tale.tell(25, Kind.REOPENED, 1, 3)  # and history took item 1 up again, which the replay has done
    assert chosen(replay(tale.history(), MOMENTUM)) == [[1], [0], []]


def test_a_forced_verdict_flips_that_one_and_what_follows_from_it() -> None:
    scenario = checked(Scenario((AS_DECIDED,)))
    seen = lay_out(two_items().history(), scenario)
    free = run(seen, scenario, AS_DECIDED)
    forced = run(seen, scenario, AS_DECIDED, forced=[(0, 1, Verdict.YES)])
    assert chosen(free) == [[0], [], []]
    assert chosen(forced) == [[0, 1], [], []]
    assert forced.world.early.tolist() == [False, True]
    withheld = run(seen, scenario, AS_DECIDED, forced=[(0, 0, Verdict.NO)])
    assert chosen(withheld) == [[], [], []]
    assert withheld.world.missed.tolist() == [True, False]


def test_a_forced_yes_takes_its_capacity_first() -> None:
    scenario = checked(Scenario((MOMENTUM,)))
    seen = lay_out(two_items().history(), scenario)
    assert chosen(run(seen, scenario, MOMENTUM, forced=[(0, 0, Verdict.YES)])) == [[0], [], []]
    assert chosen(run(seen, scenario, MOMENTUM, forced=[(0, 1, Verdict.NO)])) == [[0], [], []]


def test_a_hypothetical_estimate_changes_what_is_chosen() -> None:
    from ledger.replay.scenario import Hypothetical
    from ledger.replay.supposing import supposed

    scenario = checked(Scenario((MOMENTUM,), hypothetical=(Hypothetical(proposal_id(0), days=0.5),)))
    history = supposed(two_items().history(), scenario)
    assert chosen(run(lay_out(history, scenario), scenario, MOMENTUM))[0] == [0, 1]


def test_a_hypothetical_impact_is_put_beside_the_submission_where_there_was_none() -> None:
    from ledger.replay.scenario import Hypothetical
    from ledger.replay.supposing import supposed

    tale = Tale()
    tale.submit(1, 0, days=4)
    tale.review(10)
    scenario = checked(Scenario((MOMENTUM,), hypothetical=(Hypothetical(proposal_id(0), drag=5.0),)))
    assert chosen(replay(tale.history(), MOMENTUM)) == [[]]
    history = supposed(tale.history(), scenario)
    assert chosen(run(lay_out(history, scenario), scenario, MOMENTUM)) == [[0]]


def test_capacity_is_as_given_or_a_share_of_what_it_was() -> None:
    history = two_items().history()
    assert chosen(replay(history, MOMENTUM, capacity_days=16.0))[0] == [1, 0]
    assert next(step.free for step in replay(history, MOMENTUM, capacity_share=0.5).steps) == 20


def test_an_item_without_an_estimate_is_chosen_only_where_one_is_imputed() -> None:
    tale = Tale()
    tale.submit(1, 0, drag=50)
    tale.submit(2, 1, days=4, drag=1)
    tale.review(10, capacity=8)
    assert chosen(replay(tale.history(), MOMENTUM)) == [[1]]
    assert chosen(replay(tale.history(), MOMENTUM, imputation=Imputation.MEDIAN)) == [[0, 1]]


def test_calibration_uses_what_was_completed_before_that_review_only() -> None:
    tale = Tale()
    for item in range(4):
        tale.submit(1, item, days=2, drag=1)
    tale.review(5, yes=(0, 1, 2))
    tale.submit(6, 4, days=2, drag=1)
    for item in range(3):
        tale.done(12, item, 6)
    tale.review(10)
    tale.review(20)
    seen = lay_out(tale.history(), Scenario((AS_DECIDED,), effort=Effort.CALIBRATED))
    replayed = run(seen, Scenario((AS_DECIDED,), effort=Effort.CALIBRATED), AS_DECIDED)
    costs = [dict(zip(step.items.tolist(), step.costs.tolist(), strict=True)).get(4) for step in replayed.steps]
    assert costs == [None, 8, 24]


def test_a_policy_sees_only_the_past(story: History) -> None:
    seen_counts = []

    def look(table: Candidates) -> Floats:
        assert table.decided is None
        assert table.planned is None
        assert len(table.past) == len(table.past.known)
        assert (table.submitted_us <= table.at_us).all()
        seen_counts.append(len(table.past))
        return np.where(table.can, 1.0, -np.inf)

    scenario = Scenario((FIFO,))
    seen = lay_out(story, scenario)
    run(seen, scenario, FIFO, policy=look)
    assert seen_counts == [review.cut for review in seen.reviews]


def test_a_selection_that_does_not_fit_is_refused() -> None:
    from ledger.replay.scenario import ScenarioError

    scenario = Scenario((FIFO,))
    seen = lay_out(two_items().history(), scenario)
    with pytest.raises(ScenarioError, match="more than fits"):
        run(seen, scenario, FIFO, policy=lambda table: np.ones(len(table), dtype=bool))
    with pytest.raises(ScenarioError, match="must give a number"):
        run(seen, scenario, FIFO, policy=lambda table: np.ones(len(table) + 1))


def test_two_teams_have_their_own_capacity() -> None:
    tale = Tale(teams=2)
    tale.submit(1, 0, days=8, drag=2, team=0)
    tale.submit(2, 1, days=8, drag=9, team=1)
    tale.review(10, team=0)
    tale.review(11, team=1)
    assert chosen(replay(tale.history(), MOMENTUM)) == [[0], [1]]
    assert chosen(replay(tale.history(), MOMENTUM, teams=("Team 1",))) == [[1]]


def test_reviews_every_so_many_days_take_the_decisions_of_their_days() -> None:
    tale = two_items()
    replayed = replay(tale.history(), AS_DECIDED, every_days=7)
    assert [step.review.yes.tolist() for step in replayed.steps] == [[], [0], [], []]
    assert replayed.steps[1].review.capacity == 8.0


def test_the_same_run_gives_the_same_digests(story: History) -> None:
    first, second = replay(story, MOMENTUM), replay(story, MOMENTUM)
    assert [(s.state, s.selection) for s in first.steps] == [(s.state, s.selection) for s in second.steps]
    assert len({s.state for s in first.steps}) == len(first.steps)
    assert replace(first.steps[0], review=second.steps[0].review).state == second.steps[0].state
