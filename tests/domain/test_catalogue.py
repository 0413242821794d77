"""The reason catalogue: codes come once, may be retired, and never mean anything else."""

import pytest

from ledger.commands import catalogue as commands
from ledger.domain import catalogue as domain
from ledger.domain.codes import initial_catalogue
from ledger.domain.rejected import Code
from ledger.events.catalogue import ReasonCodeAdded, ReasonCodeRetired
from ledger.values import CATALOGUE
from tests.domain.saying import Stream

ADDED = ReasonCodeAdded("TOO_LATE", "The chance has passed.", "when it passed")
RETIRED = ReasonCodeRetired("TOO_LATE", "Say BAD_TIMING.")
catalogue = Stream(domain.evolve, CATALOGUE)


def test_a_code_is_added_once_and_never_again() -> None:
    command = commands.AddReasonCode(ADDED.code, ADDED.meaning, ADDED.companion)

    catalogue.given().when(domain.decide_add_reason_code, command).then(ADDED)
    catalogue.given(ADDED).when(domain.decide_add_reason_code, command).refused(
        Code.WRONG_STATE, "code", saying="is in the catalogue"
    )
    catalogue.given(ADDED, RETIRED).when(domain.decide_add_reason_code, command).refused(
        Code.WRONG_STATE, "code", saying="was retired"
    )


@pytest.mark.parametrize("code", ["NOT_CLASSIFIED", "NOT_RECORDED"])
def test_what_marks_imported_decisions_is_no_reason(code: str) -> None:
    command = commands.AddReasonCode(code, "None.")

    catalogue.given().when(domain.decide_add_reason_code, command).refused(Code.IMPORT_ONLY, "code")


def test_an_active_code_is_retired() -> None:
    command = commands.RetireReasonCode(RETIRED.code, RETIRED.reason)

    catalogue.given(ADDED).when(domain.decide_retire_reason_code, command).then(RETIRED)
    catalogue.given(ADDED, RETIRED).when(domain.decide_retire_reason_code, command).refused(Code.WRONG_STATE, "code")
    catalogue.given().when(domain.decide_retire_reason_code, command).refused(Code.NOT_FOUND, "code")


def test_a_new_no_may_give_what_is_active() -> None:
    state = catalogue.given(*initial_catalogue(), ADDED, RETIRED).state

    assert "TOO_LATE" not in state.active()
    assert state.active()["DUPLICATE"] == "link"
    assert state.active()["COSMETIC_ONLY"] is None
    assert len(state.codes) == len(state.active()) + 1
