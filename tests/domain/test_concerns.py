"""Rule 8: concerns are raised, answered, settled by their raiser or overruled with a reason, and never deleted."""

import pytest
from msgspec import Struct
from msgspec.structs import replace

from ledger.commands import proposal as ask
from ledger.domain.proposal.state import ConcernStatus
from ledger.domain.rejected import Code
from ledger.events import proposal as facts
from ledger.values import ConcernId
from tests.domain.scenario import ADMITTED, COLLEAGUE, CONCERN, DEBT, MANAGER, REDIRECTED, given, named

RAISED = facts.ConcernRaised(CONCERN, COLLEAGUE, "Nobody asked the tax people.", blocking=True)
RAISE = ask.RaiseConcern(DEBT, CONCERN, "Nobody asked the tax people.", blocking=True)
ANSWER = ask.AnswerConcern(DEBT, CONCERN, "They were asked on Monday.")
RESOLVE = ask.ResolveConcern(DEBT, CONCERN, "They agreed.")
OVERRULE = ask.OverruleConcern(DEBT, CONCERN, "They will be asked in any case.")


def test_a_concern_is_raised_once() -> None:
    after = given(*ADMITTED).when(RAISE, by=COLLEAGUE).then(RAISED)
    assert [c.raised for c in after.state.blocking_concerns] == [RAISED]
    after.when(RAISE).refused(Code.CONFLICT, "concern_id")


def test_an_answered_concern_is_still_open() -> None:
    after = (
        given(*ADMITTED, RAISED)
        .when(ANSWER, by=MANAGER)
        .then(facts.ConcernAnswered(CONCERN, MANAGER, "They were asked on Monday."))
    )
    assert after.state.concerns[0].status is ConcernStatus.ANSWERED
    assert after.state.blocking_concerns


def test_its_raiser_resolves_a_concern_and_nobody_else() -> None:
    after = given(*ADMITTED, RAISED).when(RESOLVE, by=COLLEAGUE).then(facts.ConcernResolved(CONCERN, "They agreed."))
    assert after.state.concerns[0].status is ConcernStatus.RESOLVED
    given(*ADMITTED, RAISED).when(RESOLVE, by=MANAGER).refused(
        Code.FORBIDDEN,
        "concern_id",
        saying="Only whoever raised a concern resolves it. Answer it, or overrule it.",
    )


def test_an_overruled_concern_stays_visible() -> None:
    after = (
        given(*ADMITTED, RAISED)
        .when(OVERRULE, by=MANAGER)
        .then(facts.ConcernOverruled(CONCERN, MANAGER, "They will be asked in any case."))
    )
    assert after.state.concerns[0].status is ConcernStatus.OVERRULED
    assert not after.state.blocking_concerns


@pytest.mark.parametrize("command", [ANSWER, RESOLVE, OVERRULE])
def test_a_concern_that_is_over_is_left_alone(command: Struct) -> None:
    given(*ADMITTED, RAISED, facts.ConcernResolved(CONCERN)).when(command, by=COLLEAGUE).refused(
        Code.WRONG_STATE,
        "concern_id",
        saying="The concern is RESOLVED already. Raise a new one if it is not over.",
    )


@pytest.mark.parametrize("command", [ANSWER, RESOLVE, OVERRULE])
def test_a_concern_must_be_there(command: ask.AnswerConcern) -> None:
    given(*ADMITTED, RAISED).when(replace(command, concern_id=named("none"))).refused(Code.NOT_FOUND, "concern_id")


def test_what_has_left_is_not_worried_about() -> None:
    given(*REDIRECTED).when(RAISE).refused(Code.WRONG_STATE, "proposal_id")


def test_words_are_said() -> None:
    given(*ADMITTED).when(replace(RAISE, text=" ")).refused(
        Code.BAD_USER_INPUT, "text", saying="The concern is empty. Say it in words."
    )
    given(*ADMITTED, RAISED).when(replace(ANSWER, text=" ")).refused(Code.BAD_USER_INPUT, "text")
    given(*ADMITTED, RAISED).when(replace(OVERRULE, reason="")).refused(Code.BAD_USER_INPUT, "reason")


def test_one_concern_does_not_touch_another() -> None:
    second = facts.ConcernRaised(ConcernId(named("second")), MANAGER, "It is late.")
    state = given(*ADMITTED, RAISED, second, facts.ConcernResolved(CONCERN)).state
    assert [c.status for c in state.concerns] == [ConcernStatus.RESOLVED, ConcernStatus.OPEN]
