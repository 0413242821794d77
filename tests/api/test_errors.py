"""What a client is told when something goes wrong below, and what it is not told."""

from uuid import uuid4

import psycopg
import pytest
from graphql import GraphQLError
from psycopg_pool import PoolTimeout

from ledger.api.errors import bad_input, presented
from ledger.api.payload import refused
from ledger.domain.rejected import Code, Rejected
from ledger.store.faults import CommandReused, LedgerBusy, LedgerUnavailable, NotReconciled, OutcomeUnknown

COMMAND = uuid4()


def located(cause: Exception) -> GraphQLError:
    """The error as the executor wraps what a resolver raised."""
    return GraphQLError(str(cause), path=["submitProposal"], original_error=cause)


@pytest.mark.parametrize(
    ("cause", "code"),
    [
        (Rejected(Code.NOT_FOUND, "There is no such proposal."), "NOT_FOUND"),
        (bad_input("first is 0."), "BAD_USER_INPUT"),
        (CommandReused(COMMAND), "COMMAND_REUSED"),
        (OutcomeUnknown(COMMAND), "OUTCOME_UNKNOWN"),
        (LedgerBusy("busy"), "UNAVAILABLE"),
        (NotReconciled("The ledger ends at 20."), "NOT_RECONCILED"),
        (LedgerUnavailable("gone"), "UNAVAILABLE"),
        (PoolTimeout("all taken"), "UNAVAILABLE"),
        (psycopg.errors.QueryCanceled("too long"), "UNAVAILABLE"),
        (psycopg.OperationalError("password of secret-host"), "UNAVAILABLE"),
        (psycopg.errors.UndefinedTable("views.secret"), "INTERNAL"),
        (ZeroDivisionError("secret"), "INTERNAL"),
    ],
)
def test_each_kind_has_its_code_and_tells_no_secret(cause: Exception, code: str) -> None:
    found = presented(located(cause))
    assert found["extensions"]["code"] == code
    assert found["path"] == ["submitProposal"]
    assert "secret" not in found["message"]


def test_an_unknown_outcome_names_the_command_to_send_again() -> None:
    found = presented(located(OutcomeUnknown(COMMAND)))
    assert found["extensions"]["commandId"] == str(COMMAND)
    assert "same commandId" in found["message"]


def test_a_rejection_is_told_in_the_names_of_the_schema() -> None:
    no = Rejected(
        Code.COMPANION_MISSING, "`reasons.0.companion` of BAD_TIMING says until when.", "reasons", "0", "companion"
    )
    error = refused(no)
    assert (error.code, error.path) == (Code.COMPANION_MISSING, ["input", "reasons", "0", "companion"])
    whole = refused(Rejected(Code.BAD_USER_INPUT, "`over_capacity_reason` is empty."))
    assert (whole.path, whole.message) == ([], "`overCapacityReason` is empty.")
