"""The quick ways to a figure give the very float that the plain ones give."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from ledger.ranking import Formula, Item, expected_days, readable, score, score_total
from ledger.values import MomentumLevel, PolicyMethod, Risk

figures = st.decimals(min_value=0, max_value=10**6, places=4)
long_figures = st.decimals(min_value=0, max_value=10**18, allow_nan=False, allow_infinity=False)
risks = st.builds(
    Risk,
    st.just(""),
    st.none() | st.floats(0, 1),
    st.none() | figures,
    st.none() | st.integers(1, 200),
)
items = st.builds(
    Item,
    optimistic=st.none() | figures,
    likely=st.none() | figures,
    pessimistic=st.none() | figures,
    drag=st.none() | figures,
    growth=figures,
    level=st.none() | st.sampled_from(MomentumLevel),
    confidence=st.floats(0, 1),
    risks=st.lists(risks, max_size=3).map(tuple),
    benefit_count=st.integers(0, 9),
)
formulas = st.builds(
    Formula,
    st.sampled_from(PolicyMethod),
    weights=st.just({"drag": 2.0, "confidence": 1.0}),
    scale=st.just({"drag": 20.0, "confidence": 1.0}),
    engineers=st.floats(0.5, 20),
)


@given(formulas, items)
def test_a_total_alone_is_the_score_s_total(formula: Formula, item: Item) -> None:
    assert score_total(formula, item, expected_days(item)) == score(formula, item).total


@given(figures | long_figures, figures | long_figures, figures | long_figures)
def test_expected_days_are_the_decimal_quotient_as_a_float(low: Decimal, likely: Decimal, high: Decimal) -> None:
    assert expected_days(Item(low, likely, high)) == float((low + 4 * likely + high) / 6)


def test_a_shown_score_has_no_noise_of_floats_and_the_ranking_one_is_untouched() -> None:
    item = Item(likely=Decimal("2.5"), drag=Decimal("0.3"), confidence=0.7)
    exact = score(Formula(PolicyMethod.MOMENTUM), item)
    assert str(exact.total) == "0.08399999999999999"
    shown = readable(exact)
    assert (shown.total, shown.terms[0].contribution) == (0.084, 0.084)
    assert shown.missing == exact.missing
    assert [term.name for term in shown.terms] == [term.name for term in exact.terms]


def test_weighted_gives_nothing_for_a_confidence_that_nobody_has_stated() -> None:
    formula = Formula(PolicyMethod.WEIGHTED, {"confidence": 1.0})
    unassessed = score(formula, Item(likely=Decimal(3)))
    assert [(term.name, term.value, term.contribution) for term in unassessed.terms] == [("confidence", 0.0, 0.0)]
    assert unassessed.total == 0 < score(formula, Item(level=MomentumLevel.M0, confidence=0.1)).total
