"""Erasing a member: as soon as it is recorded the directory is emptied, and the request answers when nothing is left on the disk."""

from collections.abc import Callable
from typing import Any

import psycopg

from ledger.commands.issued import Issued
from ledger.commands.member import EraseMember
from ledger.directory import members
from ledger.domain.rejected import Code, Rejected
from ledger.handlers.outcome import Outcome
from ledger.store.connections import ON_ITS_WAY_S, own_connection
from ledger.store.faults import OutcomeUnknown

#: Longest statement, in milliseconds: two small tables are written anew.
STATEMENT_TIMEOUT_MS = 15_000

Handle = Callable[[Issued[Any]], Outcome]


def erasing(url: str, handle: Handle) -> Handle:
    """This will wrap the handlers: who was erased has no name any more; one whose erasure was broken off neither, once it is asked again.

    Raises OutcomeUnknown where it is recorded and the directory could not be emptied: the same once more will do it.
    """

    def handled(issued: Issued[Any]) -> Outcome:
        if not isinstance(issued.command, EraseMember):
            return handle(issued)
        try:
            outcome = handle(issued)
        except Rejected as no:
            if no.code is Code.WRONG_STATE:  # it was recorded before
                empty(url, issued)
            raise
        empty(url, issued)
        return outcome

    return handled


def empty(url: str, issued: Issued[EraseMember]) -> bool:
    """This will take the member out of the directory; False: nothing of them was left. Raises OutcomeUnknown."""
    try:
        # Not in the writer's role: whoever waits for older readers must see them, and a role sees its own login's sessions only.
        with own_connection(url, STATEMENT_TIMEOUT_MS / 1_000 + ON_ITS_WAY_S) as connection:
            connection.execute(f"SET statement_timeout = {STATEMENT_TIMEOUT_MS}")
            return members.erase(connection, issued.command.member_id, by=issued.member_id)
    except psycopg.Error as error:
        raise OutcomeUnknown(issued.command_id) from error
