"""Rule 14 and the ends: withdrawn, gone on elsewhere, worked on with or without a YES, measured, and what a NO cost."""

from decimal import Decimal
from typing import Any

import pytest
from msgspec import Struct
from msgspec.structs import replace

from ledger.commands import proposal as ask
from ledger.domain.rejected import Code
from ledger.events import proposal as facts
from ledger.values import ImpactMethod, ProposalStatus
from tests.domain.scenario import (
    ACCEPTED,
    ADMITTED,
    COLLEAGUE,
    DEBT,
    DECLINED,
    MANAGER,
    OTHER,
    POSTPONED,
    REDIRECTED,
    SUBMITTED,
    THIRD,
    another,
    given,
)

WITHDRAW = ask.WithdrawProposal(DEBT, "It is fixed.")
MERGE = ask.MergeProposal(DEBT, OTHER, "They are one.")
SUPERSEDE = ask.SupersedeProposal(DEBT, OTHER, "The later one is smaller.")
SPLIT = ask.SplitProposal(DEBT, (OTHER, THIRD))
BOTH = another() | another(proposal_id=THIRD)
START, PAUSE = ask.StartWork(DEBT), ask.PauseWork(DEBT, "It is summer.")
COMPLETE, ABANDON = ask.CompleteWork(DEBT, Decimal("5.25")), ask.AbandonWork(DEBT, "It was too much.", Decimal(2))
MEASURE = ask.MeasureBenefit(DEBT, "SPEEDS_DELIVERY", 90, Decimal(6), "hours/week", ImpactMethod.MEASURED, Decimal(8))
REPORT = ask.ReportRisk(DEBT, Decimal(12), "INC-7", "Prices were wrong.")

WORKING = (*ACCEPTED, facts.WorkStarted())
COMPLETED = (*WORKING, facts.WorkCompleted(Decimal(5)))
WITHDRAWN = (*ADMITTED, facts.ProposalWithdrawn())
MERGED = (*ADMITTED, facts.ProposalMerged(OTHER))


@pytest.mark.parametrize("history", [ADMITTED, ACCEPTED, POSTPONED])
def test_those_who_asked_take_it_back(history: tuple[Struct, ...]) -> None:
    after = given(*history).when(WITHDRAW).then(facts.ProposalWithdrawn("It is fixed."))
    assert after.state.status is ProposalStatus.WITHDRAWN


def test_nobody_else_takes_it_back() -> None:
    given(*ADMITTED).when(WITHDRAW, by=MANAGER).refused(
        Code.FORBIDDEN, "proposal_id", saying="Only those who asked take a proposal back. Ask one of them."
    )
    asked = replace(SUBMITTED, co_proposers=(COLLEAGUE,))
    assert given(asked, *ADMITTED[1:]).when(WITHDRAW, by=COLLEAGUE).facts
    assert given(replace(SUBMITTED, proposer=None)).when(WITHDRAW, by=MANAGER).facts


@pytest.mark.parametrize("history", [DECLINED, WORKING, WITHDRAWN])
def test_what_is_over_or_under_way_is_not_taken_back(history: tuple[Struct, ...]) -> None:
    given(*history).when(WITHDRAW).refused(Code.WRONG_STATE, "proposal_id")


def test_a_proposal_goes_on_elsewhere() -> None:
    merged = given(*ADMITTED).when(MERGE, others=another()).then(facts.ProposalMerged(OTHER, "They are one."))
    later = given(*DECLINED).when(SUPERSEDE, others=another())
    superseded = later.then(facts.ProposalSuperseded(OTHER, "The later one is smaller."))
    split = given(*ACCEPTED).when(SPLIT, others=BOTH).then(facts.ProposalSplit((OTHER, THIRD)))
    assert [after.state.status for after in (merged, superseded, split)] == ["MERGED", "SUPERSEDED", "SPLIT"]


@pytest.mark.parametrize("command", [MERGE, SUPERSEDE, SPLIT])
@pytest.mark.parametrize("history", [WORKING, WITHDRAWN, COMPLETED])
def test_what_is_over_or_under_way_does_not_go_on_elsewhere(command: Struct, history: tuple[Struct, ...]) -> None:
    given(*history).when(command, others=BOTH).refused(Code.WRONG_STATE, "proposal_id")


@pytest.mark.parametrize(("command", "path"), [(MERGE, ("into",)), (SUPERSEDE, ("by",)), (SPLIT, ("children", "0"))])
def test_it_goes_on_in_a_proposal_that_exists(command: Struct, path: tuple[str, ...]) -> None:
    given(*ADMITTED).when(command).refused(Code.NOT_FOUND, *path, saying=f"There is no proposal {OTHER}. Check its id.")


def test_it_goes_on_in_another_living_one() -> None:
    given(*ADMITTED).when(replace(MERGE, into=DEBT), others=another()).refused(Code.BAD_USER_INPUT, "into")
    given(*ADMITTED).when(MERGE, others=another(*WITHDRAWN)).refused(
        Code.WRONG_STATE,
        "into",
        saying="The other proposal is WITHDRAWN, so nothing goes on in it. Reopen it first.",
    )


@pytest.mark.parametrize("children", [(), (OTHER,), (OTHER, OTHER), (OTHER, THIRD, THIRD)])
def test_a_split_has_two_parts_or_more(children: tuple[Any, ...]) -> None:
    given(*ADMITTED).when(replace(SPLIT, children=children), others=BOTH).refused(Code.BAD_USER_INPUT, "children")


def test_work_on_a_yes_is_no_exception() -> None:
    after = given(*ACCEPTED).when(START).then(facts.WorkStarted())
    assert after.state.status is ProposalStatus.IN_PROGRESS
    after.when(START).refused(Code.WRONG_STATE, "proposal_id")


@pytest.mark.parametrize("history", [ADMITTED, DECLINED, POSTPONED, REDIRECTED, WITHDRAWN])
def test_rule_14_work_without_a_yes_is_recorded_as_an_exception(history: tuple[Struct, ...]) -> None:
    given(*history).when(START).then(facts.WorkStarted(without_yes=True))


def test_rule_14_work_on_what_was_abandoned_is_an_exception() -> None:
    given(*WORKING, facts.WorkAbandoned("It was too much.")).when(START).then(facts.WorkStarted(without_yes=True))


@pytest.mark.parametrize("history", [ADMITTED, DECLINED, POSTPONED, REDIRECTED, WITHDRAWN, MERGED])
def test_rule_14_work_without_a_yes_that_was_given_up_has_answered_nothing(history: tuple[Struct, ...]) -> None:
    stood = given(*history).state
    resting = given(*history).when(START).recorded.when(PAUSE).recorded
    after = resting.when(START).recorded.when(ABANDON).recorded
    assert after.state == stood
    accepted = given(*WORKING, facts.WorkAbandoned("It was too much."))
    again = accepted.when(START).recorded.when(ABANDON).recorded
    assert again.state.status is ProposalStatus.ABANDONED


def test_rule_14_work_on_what_is_not_there_is_refused() -> None:
    given().when(START).refused(Code.NOT_FOUND, "proposal_id")
    given(*COMPLETED).when(START).refused(
        Code.WRONG_STATE,
        "proposal_id",
        saying="The proposal is COMPLETED, so it cannot be started. Submit a new proposal for what is left.",
    )


def test_work_rests_and_goes_on() -> None:
    resting = given(*WORKING).when(PAUSE).then(facts.WorkPaused("It is summer."))
    resting.when(PAUSE).refused(Code.WRONG_STATE, "proposal_id")
    assert resting.when(START).then(facts.WorkStarted()).state.paused is False
    given(*ACCEPTED).when(PAUSE).refused(Code.WRONG_STATE, "proposal_id")


def test_work_is_completed_with_the_days_it_took() -> None:
    after = given(*WORKING).when(COMPLETE).then(facts.WorkCompleted(Decimal("5.25")))
    assert after.state.status is ProposalStatus.COMPLETED
    assert after.state.completed_at is not None
    given(*WORKING).when(replace(COMPLETE, actual_days=Decimal("0.3"))).refused(Code.BAD_USER_INPUT, "actual_days")
    given(*ACCEPTED).when(COMPLETE).refused(Code.WRONG_STATE, "proposal_id")


def test_work_is_abandoned_with_a_reason() -> None:
    after = given(*WORKING).when(ABANDON).then(facts.WorkAbandoned("It was too much.", Decimal(2)))
    assert after.state.status is ProposalStatus.ABANDONED
    assert given(*WORKING).when(replace(ABANDON, spent_days=None)).facts
    given(*WORKING).when(replace(ABANDON, spent_days=Decimal(-1))).refused(Code.BAD_USER_INPUT, "spent_days")
    given(*WORKING).when(replace(ABANDON, reason=" ")).refused(Code.BAD_USER_INPUT, "reason")
    given(*ADMITTED).when(ABANDON).refused(Code.WRONG_STATE, "proposal_id")


def test_the_benefit_of_completed_work_is_measured() -> None:
    given(*COMPLETED).when(MEASURE).then(
        facts.BenefitMeasured("SPEEDS_DELIVERY", 90, Decimal(6), "hours/week", ImpactMethod.MEASURED, Decimal(8))
    )
    assert given(*COMPLETED).when(replace(MEASURE, realised=Decimal(-3), promised=None)).facts
    given(*WORKING).when(MEASURE).refused(Code.WRONG_STATE, "proposal_id")


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"day": 60}, "day"),
        ({"realised": Decimal("NaN")}, "realised"),
        ({"promised": Decimal("Infinity")}, "promised"),
        ({"benefit": ""}, "benefit"),
        ({"unit": " "}, "unit"),
    ],
)
def test_a_benefit_is_measured_in_figures(changes: dict[str, Any], path: str) -> None:
    given(*COMPLETED).when(replace(MEASURE, **changes)).refused(Code.BAD_USER_INPUT, path)


@pytest.mark.parametrize("history", [ADMITTED, DECLINED, POSTPONED, COMPLETED])
def test_what_came_true_is_reported_whatever_the_answer(history: tuple[Struct, ...]) -> None:
    after = given(*history).when(REPORT).then(facts.RiskMaterialised(Decimal(12), "INC-7", "Prices were wrong."))
    assert after.state.incidents == 1
    given(*history).when(replace(REPORT, loss_hours=Decimal(-1))).refused(Code.BAD_USER_INPUT, "loss_hours")
    given().when(REPORT).refused(Code.NOT_FOUND, "proposal_id")
