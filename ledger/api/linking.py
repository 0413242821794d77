"""Letting the people of identity providers in, over the API: for stewards, who are looked up in the log itself, as for any command.

Who somebody is at a provider is personal and can be forgotten, so this changes the directory and records no fact; the record of access
has each change. It blocks: call it in a worker thread.
"""

from collections.abc import Callable
from typing import TypeVar

from ledger.directory import identities
from ledger.directory.identities import SUBJECT_MAX, Asked, Identity, LinkedAlready
from ledger.directory.members import NoSuchMember
from ledger.domain.rejected import Code, Rejected
from ledger.handlers.grounds import steward_only
from ledger.store.application import Ledger
from ledger.store.connections import STATEMENT_TIMEOUT_MS, Connection, writer_connection
from ledger.values import MemberId

T = TypeVar("T")


class Linking:
    """Of one ledger. `issuers` are the providers whose tokens may let somebody in."""

    def __init__(self, url: str, ledger: Ledger, issuers: frozenset[str]) -> None:
        self._url, self._ledger, self._issuers = url, ledger, issuers

    def link(self, identity: Identity, by: MemberId) -> bool:
        """This will let a provider's subject in as a member; False: they were let in as this member before. Raises Rejected."""
        steward_only(self._ledger, by, "`linkIdentity`")
        if identity.issuer not in self._issuers:
            there_are = ", ".join(sorted(self._issuers)) or "none"
            raise Rejected(
                Code.NOT_FOUND, f"No provider of this issuer is set up here. There are: {there_are}.", "issuer"
            )
        if not identities.is_subject(identity.subject):
            raise Rejected(
                Code.BAD_USER_INPUT,
                f"`subject` must be 1 to {SUBJECT_MAX} characters that can be seen: the claim `sub` of the provider's tokens.",
                "subject",
            )
        try:
            return self._done(lambda connection: self._link(connection, identity, by))
        except NoSuchMember:
            raise Rejected(
                Code.NOT_FOUND, "The directory has no such member to let in. Look the id up.", "member_id"
            ) from None
        except LinkedAlready:
            raise Rejected(
                Code.CONFLICT, "This subject is let in as another member. Unlink it first.", "subject"
            ) from None

    def unlink(self, issuer: str, subject: str, by: MemberId) -> None:
        """This will let a provider's subject in no more. Raises Rejected."""
        steward_only(self._ledger, by, "`unlinkIdentity`")
        if "\0" in subject + issuer or not self._done(lambda one: identities.unlink(one, issuer, subject, by=by)):
            raise Rejected(Code.NOT_FOUND, "Nobody is let in as this subject of this issuer.", "subject")

    def page(self, asked: Asked, limit: int) -> list[Identity]:
        """This will read links, in the order of their issuers and subjects."""
        return self._done(lambda connection: identities.page(connection, asked, limit))

    def total(self, asked: Asked) -> int:
        """This will count the links that all pages have."""
        return self._done(lambda connection: identities.total(connection, asked))

    def _link(self, connection: Connection, identity: Identity, by: MemberId) -> bool:
        with connection.transaction():
            if identities.linked(connection, identity.issuer, identity.subject) == identity.member_id:
                return False
            identities.link(connection, identity, by=by)
        return True

    def _done(self, change: Callable[[Connection], T]) -> T:
        with writer_connection(self._url, STATEMENT_TIMEOUT_MS) as connection:
            return change(connection)
