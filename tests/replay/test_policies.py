"""Each formula equals its source's worked example, and the live backlog's own score; what is missing is never made up."""

from dataclasses import replace
from decimal import Decimal
from itertools import product
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.ranking import (
    FEATURES,
    Formula,
    Item,
    delay_per_duration,
    expected_days,
    job_first,
    score,
    weekly_risk,
)
from ledger.replay.agreement import formula_policy, kendall
from ledger.replay.candidates import COLUMNS, Candidates, Effort, Figures, Imputation, effort_days, reserved
from ledger.replay.history import WEEK_US, Floats
from ledger.replay.knapsack import best
from ledger.replay.policies import MAKING, drawn, horizon_value, known_drag, make, rice_score
from ledger.replay.scenario import Method, PolicyChoice, Scaling, ScenarioError
from ledger.values import MomentumLevel, PolicyMethod, Risk
from tests.replay.tale import Tale

quarter_days = st.integers(1, 200).map(lambda quarters: Decimal(quarters) / 4)


@st.composite
def items(draw: st.DrawFn) -> Item:
    likely = draw(st.none() | quarter_days)
    spread = draw(st.booleans()) and likely is not None
    risks = st.builds(
        Risk,
        st.just("x"),
        st.none() | st.floats(0, 1),
        st.none() | st.integers(0, 400).map(Decimal),
        st.none() | st.integers(1, 60),
    )
    return Item(
        optimistic=likely * Decimal("0.5") if spread and likely else None,
        likely=likely,
        pessimistic=likely * 2 if spread and likely else None,
        drag=draw(st.none() | st.integers(0, 400).map(lambda eighths: Decimal(eighths) / 8)),
        growth=draw(st.integers(0, 50).map(Decimal)),
        level=draw(st.none() | st.sampled_from(MomentumLevel)),
        confidence=draw(st.floats(0, 1)),
        risks=tuple(draw(st.lists(risks, max_size=3))),
        benefit_count=draw(st.integers(0, 5)),
    )


def table(rows: list[Item], **more: object) -> Candidates:
    """The candidates of a review at which these items are known."""
    from math import log1p

    def column(values: list[float | None]) -> Floats:
        return np.array([np.nan if value is None else float(value) for value in values])

    count = len(rows)
    columns: dict[str, object] = {
        "item": np.arange(count),
        "position": np.arange(1, count + 1),
        "submitted_us": np.zeros(count, dtype=np.int64),
        "reach": np.ones(count),
        "case_version": np.ones(count),
        "risk": column([weekly_risk(item) for item in rows]),
        "benefits": column([log1p(item.benefit_count) for item in rows]),
        "estimate_version": np.ones(count),
        "expected": column([expected_days(item) for item in rows]),
        "optimistic": column([None if i.optimistic is None else float(i.optimistic) for i in rows]),
        "likely": column([None if i.likely is None else float(i.likely) for i in rows]),
        "pessimistic": column([None if i.pessimistic is None else float(i.pessimistic) for i in rows]),
        "impact_version": np.ones(count),
        "drag": column([None if i.drag is None else float(i.drag) for i in rows]),
        "growth": column([float(item.growth) for item in rows]),
        "level": column([None if i.level is None else float(i.level.value[1]) for i in rows]),
        "confidence": column([item.confidence for item in rows]),
        "assessed_us": np.zeros(count),
    }
    figures = Figures(**columns)  # type: ignore[arg-type]
    days = effort_days(figures, Effort.MEAN, Imputation.NONE, 1.0)
    past = Tale().history()
    found = Candidates(
        **{name: getattr(figures, name) for name in COLUMNS},
        ids=np.array([list(UUID(int=n + 1).bytes) for n in range(count)], dtype=np.uint8).reshape(-1, 16),
        at_us=0,
        team=0,
        capacity=10.0,
        free=40,
        weekly_hours=100.0,
        cost=reserved(days),
        can=np.isfinite(days),
        needs=np.empty((0, 2), dtype=np.int64),
        lacking=np.zeros(count, dtype=bool),
        horizon_weeks=26,
        seed=1,
        past=past,
        dropped=np.zeros(count, dtype=bool),
        days=np.where(np.isnan(days), np.inf, days),
    )
    return replace(found, **more)  # type: ignore[arg-type]


@given(
    rows=st.lists(items(), min_size=1, max_size=8),
    weights=st.dictionaries(st.sampled_from(FEATURES), st.floats(0, 10), min_size=1),
    scale=st.dictionaries(st.sampled_from(FEATURES), st.floats(0.1, 100)),
    engineers=st.sampled_from([1.0, 2.0, 3.0]),
)
@settings(max_examples=150, deadline=None)
def test_a_replay_scores_to_the_bit_as_the_live_backlog_does(
    rows: list[Item], weights: dict[str, float], scale: dict[str, float], engineers: float
) -> None:
    laid = table(rows)
    for method in PolicyMethod:
        weighs = method is PolicyMethod.WEIGHTED
        formula = Formula(method, weights if weighs else {}, scale if weighs else {}, engineers)
        replayed = formula_policy(formula)(laid).astype(np.float64)
        for row, item in enumerate(rows):
            live = score(formula, item).total
            if np.isfinite(replayed[row]):
                assert replayed[row] == live
            elif method is not PolicyMethod.WEIGHTED and method is not PolicyMethod.FIFO:
                assert live == 0.0  # nothing can be said: the live one ranks it last, a replay does not choose it
            else:
                assert not (expected_days(item) or 0) > 0


def test_pert_is_the_mean_and_spread_of_its_source() -> None:
    # Malcolm, Roseboom, Clark and Fazar, 1959: optimistic 1, most likely 2, pessimistic 3 and 2, 3, 10
    laid = table(
        [
            Item(Decimal(1), Decimal(2), Decimal(3)),
            Item(Decimal(2), Decimal(3), Decimal(10)),
        ]
    )
    assert laid.expected.tolist() == [2.0, 4.0]
    assert laid.sigma.tolist() == [2 / 6, 8 / 6]
    p80 = effort_days(laid, Effort.P80, Imputation.NONE, 1.0)
    assert p80.tolist() == pytest.approx([2 + 0.8416212 / 3, 4 + 0.8416212 * 8 / 6])


def test_cd3_orders_reinertsens_three_projects_and_saves_what_he_says() -> None:
    # Principles of Product Development Flow, 2009: durations 1, 3, 10, costs of delay 10, 3, 1; the worst order costs 160, the best 7
    cost, duration = np.array([10.0, 3.0, 1.0]), np.array([1.0, 3.0, 10.0])
    scores = delay_per_duration(1.0, cost, 0.0, duration, 1)
    assert scores.tolist() == [10.0, 1.0, 0.1]

    def delay(order: list[int]) -> float:
        begins = np.cumsum([0.0, *duration[order][:-1]])
        return float((begins * cost[order]).sum())

    assert delay(np.argsort(-scores).tolist()) == 7
    assert delay(np.argsort(scores).tolist()) == 160


def test_wsjf_is_the_sum_of_three_by_the_size() -> None:
    # SAFe's own table: each of the four on 1, 2, 3, 5, 8, 13, 20
    assert job_first(13, 8, 5, 5) == 5.2
    laid = table([Item(likely=Decimal(6), drag=Decimal(2), growth=Decimal(5), level=MomentumLevel.M4)])
    assert make(PolicyChoice(Method.WSJF))(laid).tolist() == [(8 + 5 + 1) / 5]


def test_rice_multiplies_three_and_divides_by_months() -> None:
    # as Intercom's scale is explained: 2,000 people a quarter, impact 2 (high), confidence 80 %, 4 person-months
    assert rice_score(np.array([2000.0]), np.array([2.0]), np.array([0.8]), np.array([4.0])).tolist() == [800.0]
    laid = table([Item(likely=Decimal(10), level=MomentumLevel.M3, confidence=0.5)], reach=np.array([3.0]))
    assert make(PolicyChoice(Method.RICE, days_a_month=20))(laid).tolist() == [3 * 2 * 0.5 / 0.5]


def test_ice_multiplies_three_scales_from_1_to_10() -> None:
    laid = table([Item(likely=Decimal("0.5"), level=MomentumLevel.M5, confidence=1.0)])
    assert make(PolicyChoice(Method.ICE))(laid).tolist() == [1000.0]


def test_momentum_is_drag_per_day_and_grows_only_where_asked() -> None:
    laid = table([Item(likely=Decimal(4), drag=Decimal(8), growth=Decimal(10), confidence=0.5)], at_us=WEEK_US * 1000)
    assert make(PolicyChoice(Method.MOMENTUM))(laid).tolist() == [1.0]
    grown = make(PolicyChoice(Method.MOMENTUM, grow=True))(laid)
    assert grown[0] == pytest.approx(1.1 ** (1000 / (365.25 / 84)))
    assert known_drag(laid).tolist() == [8.0]


def test_weighted_by_candidates_takes_its_spread_from_those_that_can_be_chosen() -> None:
    rows = [Item(likely=Decimal(1), drag=Decimal(d)) for d in (0, 5, 10)] + [Item(drag=Decimal(1000))]
    choice = PolicyChoice(Method.WEIGHTED, weights={"drag": 1.0}, scaling=Scaling.CANDIDATES)
    assert make(choice)(table(rows)).tolist() == [0.0, 0.5, 1.0, -np.inf]


@given(
    value=st.lists(st.integers(0, 30), min_size=1, max_size=9),
    data=st.data(),
)
@settings(max_examples=120, deadline=None)
def test_knapsack_equals_brute_force(value: list[int], data: st.DataObject) -> None:
    count = len(value)
    cost = np.array(data.draw(st.lists(st.integers(1, 12), min_size=count, max_size=count)))
    can = np.array(data.draw(st.lists(st.booleans(), min_size=count, max_size=count)))
    free = data.draw(st.integers(0, 40))
    rows = st.integers(0, count - 1)
    pairs = data.draw(st.lists(st.tuples(rows, rows).filter(lambda pair: pair[0] != pair[1]), max_size=4))
    needs = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    worth = np.array(value, dtype=np.float64)

    def fits(chosen: np.ndarray) -> bool:
        return bool(
            cost[chosen].sum() <= free
            and not (chosen & ~can).any()
            and all(chosen[what] or not chosen[who] for who, what in pairs)
        )

    found = best(worth, cost, free, can, needs)
    assert fits(found)
    every = [np.array(bits, dtype=bool) for bits in product([False, True], repeat=count)]
    assert worth[found].sum() == max(worth[chosen].sum() for chosen in every if fits(chosen))


def test_knapsack_looks_over_the_whole_horizon() -> None:
    # 4 h a week now and growing 20 % a month is worth more over half a year than 6 that stay
    rows = [Item(likely=Decimal(5), drag=Decimal(6)), Item(likely=Decimal(5), drag=Decimal(4), growth=Decimal(20))]
    laid = table(rows, free=20)
    assert horizon_value(laid)[0] == 6 * 26
    assert make(PolicyChoice(Method.KNAPSACK))(laid).tolist() == [False, True]
    assert make(PolicyChoice(Method.KNAPSACK))(replace(laid, horizon_weeks=4)).tolist() == [True, False]


def test_random_depends_on_seed_and_id_only() -> None:
    laid = table([Item(likely=Decimal(1)) for _ in range(200)])
    draws = make(PolicyChoice(Method.RANDOM))(laid)
    assert ((draws >= 0) & (draws < 1)).all()
    assert len(set(draws.tolist())) == 200
    assert abs(draws.mean() - 0.5) < 0.08
    assert drawn(laid.ids[17:18], 1)[0] == draws[17]
    assert drawn(laid.ids[17:18], 2)[0] != draws[17]


@pytest.mark.parametrize("method", [m for m in Method if m not in (Method.AS_DECIDED, Method.ORACLE)])
def test_nothing_is_chosen_where_nothing_is_known(method: Method) -> None:
    laid = table([Item(), Item(likely=Decimal(0))])
    weights = {"drag": 1.0} if method is Method.WEIGHTED else {}
    answer = make(PolicyChoice(method, weights=weights))(laid)
    assert not (answer.any() if answer.dtype == np.bool_ else np.isfinite(answer).any())


def test_every_policy_of_the_list_is_there() -> None:
    assert set(MAKING) == {method.value for method in Method}


def own_policy(candidates: Candidates) -> Floats:
    return -candidates.position.astype(np.float64)


def test_a_policy_of_ones_own_is_found_by_its_name() -> None:
    policy = make(PolicyChoice("tests.replay.test_policies:own_policy"))
    assert policy(table([Item(), Item()])).tolist() == [-1.0, -2.0]


@pytest.mark.parametrize(
    "name",
    ["NO_SUCH", "tests.replay.test_policies:gone", "no.module:at_all", "tests.replay.test_policies:COLUMNS", ":x"],
)
def test_a_policy_that_is_not_there_is_said_to_be_so(name: str) -> None:
    with pytest.raises(ScenarioError, match=r"policies\.method: "):
        make(PolicyChoice(name))


def test_a_users_own_code_runs_only_where_it_may() -> None:
    with pytest.raises(ScenarioError, match="There is no policy"):
        make(PolicyChoice("tests.replay.test_policies:own_policy"), own=False)


@given(
    one=st.lists(st.integers(0, 5), min_size=2, max_size=12),
    data=st.data(),
)
@settings(max_examples=80, deadline=None)
def test_rank_agreement_is_kendalls(one: list[int], data: st.DataObject) -> None:
    from scipy.stats import kendalltau

    other = data.draw(st.lists(st.integers(0, 5), min_size=len(one), max_size=len(one)))
    found = kendall(np.array(one, dtype=np.float64), np.array(other, dtype=np.float64))
    if len(set(one)) == 1 or len(set(other)) == 1:
        assert found is None
    else:
        assert found == pytest.approx(kendalltau(one, other).statistic)
