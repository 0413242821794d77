"""What goes wrong, as a client sees it: every error has `extensions.code`, and the unexpected ones are masked."""

import logging
import re
from typing import Any
from uuid import uuid4

import psycopg
from graphql import GraphQLError
from psycopg_pool import PoolClosed, PoolTimeout, TooManyRequests

from ledger.domain.rejected import Rejected
from ledger.store.faults import CommandReused, LedgerBusy, LedgerFull, LedgerUnavailable, NotReconciled, OutcomeUnknown

log = logging.getLogger(__name__)

PARSE_FAILED = "GRAPHQL_PARSE_FAILED"
VALIDATION_FAILED = "GRAPHQL_VALIDATION_FAILED"
BAD_USER_INPUT = "BAD_USER_INPUT"
UNAUTHENTICATED = "UNAUTHENTICATED"
FORBIDDEN = "FORBIDDEN"
NOT_FOUND = "NOT_FOUND"
#: A view has not got as far as was asked.
VIEW_LATE = "VIEW_LATE"
#: Nothing was done because the database could not be reached or is too busy; trying again is safe.
UNAVAILABLE = "UNAVAILABLE"
#: The token asks for more than it may; the answer says when to come back.
RATE_LIMITED = "RATE_LIMITED"
#: The ledger is not the one that this server has seen: nothing is read or recorded until its operator has mended that.
NOT_RECONCILED = "NOT_RECONCILED"
#: Whether a mutation was recorded is not known; sending it again with the same commandId tells.
OUTCOME_UNKNOWN = "OUTCOME_UNKNOWN"
INTERNAL = "INTERNAL"

#: Most errors in one answer.
ERRORS_MAX = 5
#: Characters of a value that an error may repeat, and of a whole message about a request.
ECHO_LENGTH_MAX = 60
MESSAGE_LENGTH_MAX = 400
_APOLOGY = "Something went wrong on our side. Its reference is {}."
#: Before the value that graphql-core found.
_FOUND = re.compile(r"([,;.?] [fF]ound: | value: (?!Expected ))")


def refusal(code: str, message: str, **more: object) -> GraphQLError:
    """This will make an error that the client is meant to read, with its code and what else may help it."""
    return GraphQLError(message, extensions={"code": code, **more})


def bad_input(message: str, **more: object) -> GraphQLError:
    """This will make the error for an argument that can't be: say which, and what it takes."""
    return refusal(BAD_USER_INPUT, message, **more)


def not_found(what: str) -> GraphQLError:
    """This will make the error for what is not there or may not be seen; the two look alike on purpose."""
    return refusal(NOT_FOUND, f"There is no such {what}, or you may not see it.")


def forbidden(message: str) -> GraphQLError:
    """This will make the error for what the viewer's roles do not allow."""
    return refusal(FORBIDDEN, message)


def not_reconciled(fault: NotReconciled) -> GraphQLError:
    """This will make the error for a ledger that is not the one that this server has seen."""
    return refusal(NOT_RECONCILED, _not_reconciled(fault))


def _not_reconciled(fault: NotReconciled) -> str:
    return f"{fault} Nothing is read or recorded until its operator has reconciled it."


def presented(error: GraphQLError) -> dict[str, Any]:
    """This will give an error of the execution as the client gets it; an unexpected one is logged once and masked."""
    found: dict[str, Any] = {**error.formatted}
    if error.path is None:
        found["message"] = _without_echo(found["message"])
    code, message, more = _named(error)
    if message is not None:
        found["message"] = message
    found["extensions"] = {**(error.extensions or {}), "code": code, **more}
    return found


def _without_echo(message: str) -> str:
    """This will leave out the value that a request error repeats, unless it is a short one, and what is too long to be read."""
    said, found = message, _FOUND.search(message)
    if found is not None:
        value = message[found.end() :]
        if len(value) > ECHO_LENGTH_MAX or value[:1] in ("{", "["):
            said = message[: found.start()] + ("?" if found[1].startswith("?") else ".")
    return said if len(said) <= MESSAGE_LENGTH_MAX else said[:MESSAGE_LENGTH_MAX] + "…"


def _named(error: GraphQLError) -> tuple[str, str | None, dict[str, object]]:  # noqa: PLR0912 - a branch for each kind
    """This will find an error's code, the message that replaces its own, and more extensions."""
    cause = error.original_error
    while isinstance(cause, GraphQLError) and not (cause.extensions or {}).get("code"):
        cause = cause.original_error
    if code := (error.extensions or {}).get("code"):
        return str(code), None, {}
    if isinstance(cause, GraphQLError):
        return str((cause.extensions or {})["code"]), None, dict(cause.extensions or {})
    if error.path is None:  # nothing was executed: a variable does not fit its type
        return BAD_USER_INPUT, None, {}
    match cause:
        case Rejected():
            return cause.code, cause.message, {}
        case CommandReused():
            return "COMMAND_REUSED", "This commandId was used with another input. Make a new one.", {}
        case OutcomeUnknown():
            text = "Whether this was recorded is not known. Send it again with the same commandId: it is recorded at most once."
            return OUTCOME_UNKNOWN, text, {"commandId": str(cause.command_id)}
        case NotReconciled():
            return NOT_RECONCILED, _not_reconciled(cause), {}
        case LedgerFull():
            return UNAVAILABLE, str(cause), {}
        case LedgerBusy() | LedgerUnavailable() | PoolTimeout() | PoolClosed() | TooManyRequests():
            return (
                UNAVAILABLE,
                "The ledger is too busy or its database can't be reached. Nothing was done; try again.",
                {},
            )
        case psycopg.DataError() if "NUL" in str(cause):  # it is refused before it is sent
            return BAD_USER_INPUT, "A text holds the character NUL (\\u0000), which no text here has. Leave it out.", {}
        case psycopg.errors.QueryCanceled():
            return UNAVAILABLE, "This took too long and was stopped. Ask for less, or try again.", {}
        case psycopg.OperationalError():
            return UNAVAILABLE, "The ledger's database can't be reached. Nothing was done; try again.", {}
    reference = logged(cause or error, ".".join(map(str, error.path)))
    return INTERNAL, _APOLOGY.format(reference), {"reference": reference}


def unexpected(error: BaseException, where: str) -> GraphQLError:
    """This will log an unexpected error once and make the one that the client reads, which tells no more than its reference."""
    reference = logged(error, where)
    return refusal(INTERNAL, _APOLOGY.format(reference), reference=reference)


def logged(error: BaseException, where: str) -> str:
    """This will log an unexpected error once and give the reference by which it can be found in the log."""
    reference = uuid4().hex[:12]
    log.error("unexpected error %s at %s", reference, where, exc_info=error)
    return reference
