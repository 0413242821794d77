"""When things may have happened: what follows another thing is not told as if it had come before it."""

from datetime import datetime

from msgspec import Struct

from ledger.commands.issued import Issued
from ledger.domain.rejected import Code, Rejected
from ledger.values import instant_text, utc


def not_before(issued: Issued[Struct], since: datetime | None, what: str) -> None:
    """This will refuse a command that says it was true before something; `what` ends the sentence "but …", None: nobody knows when.

    Ages and delays are reckoned between the two.
    """
    earlier = issued.occurred_at
    if earlier is not None and since is not None and utc(earlier) < since:
        raise Rejected(
            Code.BAD_USER_INPUT,
            f"`occurred_at` is {instant_text(earlier)}, but {what} at {instant_text(since)}. "
            "Give a later time, or leave it out.",
            "occurred_at",
        )
