"""The expected kind of error: the domain says no, with a stable code and a sentence that says what to do."""

from enum import StrEnum


class Code(StrEnum):
    """Why a command was rejected. Stable: clients branch on it."""

    BAD_USER_INPUT = "BAD_USER_INPUT"
    FORBIDDEN = "FORBIDDEN"
    NOT_FOUND = "NOT_FOUND"
    CONFLICT = "CONFLICT"
    STALE_BASIS = "STALE_BASIS"
    COMMAND_REUSED = "COMMAND_REUSED"
    # Rule 1
    CRITICAL_BUG = "CRITICAL_BUG"
    # Rule 2
    CASE_INCOMPLETE = "CASE_INCOMPLETE"
    CASE_TOO_LONG = "CASE_TOO_LONG"
    # Rule 3
    ESTIMATE_INVALID = "ESTIMATE_INVALID"
    # Rule 5
    REASON_MISSING = "REASON_MISSING"
    REASON_TOO_SHORT = "REASON_TOO_SHORT"
    REASON_UNKNOWN = "REASON_UNKNOWN"
    COMPANION_MISSING = "COMPANION_MISSING"
    OTHER_ALONE = "OTHER_ALONE"
    # Rule 6
    REVISIT_MISSING = "REVISIT_MISSING"
    RECONSIDER_MISSING = "RECONSIDER_MISSING"
    # Rule 7
    REVIEW_NOT_OPEN = "REVIEW_NOT_OPEN"
    NOT_ON_AGENDA = "NOT_ON_AGENDA"
    # Rule 8
    CONCERN_OPEN = "CONCERN_OPEN"
    # Rule 9
    ITEMS_UNDECIDED = "ITEMS_UNDECIDED"
    CARRIED_OVER_TOO_OFTEN = "CARRIED_OVER_TOO_OFTEN"
    # Rules 10 and 11
    NOT_TOLD = "NOT_TOLD"
    NOT_RECIPIENT = "NOT_RECIPIENT"
    PLAYBACK_OPEN = "PLAYBACK_OPEN"
    # Rule 12
    APPEAL_OPEN = "APPEAL_OPEN"
    OWN_APPEAL = "OWN_APPEAL"
    # Rule 13
    OVER_CAPACITY = "OVER_CAPACITY"
    # Rule 17
    IMPORT_ONLY = "IMPORT_ONLY"
    #: The thing exists, but what is asked does not fit where it stands.
    WRONG_STATE = "WRONG_STATE"


class Rejected(Exception):  # noqa: N818 - it is the domain's word, and an answer rather than an error
    """The domain's no. `path` names the input field at fault, in the command's own (snake case) names; empty: the whole."""

    def __init__(self, code: Code, message: str, *path: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.path = path


class Hidden(Rejected):
    """Said of what is there, word for word as of what is not, to whoever may not see it. The record of access tells the two apart."""
