"""`accessLog`: who was refused, what was exported, and how tokens changed; for auditors."""

from typing import Annotated, Any
from uuid import UUID

import strawberry

from ledger.api.asking import SinceArgument, UntilArgument, connection_of, field, forwards, page
from ledger.api.asof import AtLeastArgument
from ledger.api.connection import PAGE, AfterArgument, FirstArgument, Page, selects
from ledger.api.context import Info
from ledger.api.enums import describe
from ledger.api.reading import refuse_role
from ledger.api.shown import shown
from ledger.directory import access
from ledger.directory.access import AccessKind, Asked, Recorded

FIELD = "accessLog"

describe(
    AccessKind,
    {
        "UNAUTHENTICATED": "Nobody was let in: no token, or one that is unknown, has ended, or fails a check.",
        "FORBIDDEN": "A member was refused what their roles, or the token's scopes, do not allow.",
        "TOKEN_CREATED": "A token was made.",
        "TOKEN_ROTATED": "A token was given a successor, and ends soon.",
        "TOKEN_REVOKED": "A token was ended.",
        "IDENTITY_LINKED": "Somebody at an identity provider was let in as a member.",
        "IDENTITY_UNLINKED": "Somebody at an identity provider is let in no more.",
        "EXPORTED": "Somebody took a copy out.",
    },
    about="What happened at the doors.",
)

ENTRY = shown(
    Recorded,
    "Something that happened at the doors, or the same thing several times within a minute.",
    type_name="AccessEntry",
    kind="What happened.",
    subject="Of what: the mutation or the root field that was refused, why nobody was let in, which token, what was exported.",
    member_id="Whose access it is about; null: nobody whom the ledger knows.",
    client="The program.",
    token_id="The token.",  # noqa: S106 - no password
    acted_by="Who made, changed or ended it; null: the operator, at the command line.",
    count="How often, from `firstAt` to `lastAt`.",
    first_at="When it happened for the first time.",
    last_at="When it happened for the last time.",
    recorded_at="When it was recorded, by the database's clock.",
)


async def access_log(
    info: Info,
    kinds: Annotated[list[AccessKind] | None, strawberry.argument(description="Only these kinds.")] = None,
    member_id: Annotated[UUID | None, strawberry.argument(description="Only what is about this member.")] = None,
    since: SinceArgument = None,
    until: UntilArgument = None,
    first: FirstArgument = PAGE,
    after: AfterArgument = None,
    at_least: AtLeastArgument = None,
) -> Any:
    """This will list what happened at the doors, the latest first."""
    if at_least is not None:  # a role that was given by then counts
        await info.context.position("teams", at_least=at_least)
    refuse_role(info.context, FIELD)
    forwards(since, until)
    asked = Page.of(first, after, FIELD, int)
    wanted = Asked(None if kinds is None else tuple(kinds), member_id, since, until)
    async with info.context.read() as connection:
        rows = await access.page(
            connection, wanted, limit=asked.limit, after=asked.key[0] if asked.key is not None else None
        )
        total = await access.total(connection, wanted) if selects(info, "totalCount") else None
        return await page(info, ENTRY, asked, rows, lambda row: (row.access_id,), connection, total=total)


@strawberry.type
class AccessQuery:
    """The root field `accessLog`."""

    access_log: Any = field(
        connection_of(ENTRY),
        "Attempts that were denied, exports, and changes of tokens and identities, the latest first. For AUDITOR."
        " Kept for 400 days. Attempts are counted by the minute and are here within a second or, repeated ones, a minute.",
        access_log,
    )
