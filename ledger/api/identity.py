"""`identities`, `linkIdentity`, `unlinkIdentity`: whom the people of identity providers are here. For stewards; auditors may look."""

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, TypeVar
from uuid import UUID, uuid4

import anyio
import strawberry

from ledger.api.asking import connection_of, field, page
from ledger.api.asof import AtLeastArgument
from ledger.api.connection import PAGE, AfterArgument, FirstArgument, Page, selects
from ledger.api.context import Context, Info
from ledger.api.linking import Linking
from ledger.api.payload import Payload, refused
from ledger.api.reading import CHANGING, refuse_role, refuse_scope
from ledger.api.shown import shown
from ledger.directory.identities import Asked, Identity
from ledger.domain.rejected import Code, Rejected
from ledger.values import MemberId

T = TypeVar("T")

FIELD = "identities"
IDENTITY = shown(
    Identity,
    "Somebody at an identity provider, and the member that they are here. Personal data: it goes when the member is erased.",
    issuer="The provider.",
    subject="Who they are there: the claim `sub` of its tokens.",
    member_id="Whom its tokens let in.",
)


@strawberry.input(description="Who is to be let in, and as whom.")
class LinkIdentityInput:
    """One subject of one issuer."""

    issuer: str = strawberry.field(description="The provider: one that is set up here.")
    subject: str = strawberry.field(description="Who they are there: the claim `sub` of its tokens, letter by letter.")
    member_id: UUID = strawberry.field(description="The member that they are here.")


@strawberry.input(description="Who is to be let in no more.")
class UnlinkIdentityInput:
    """One subject of one issuer."""

    issuer: str = strawberry.field(description="The provider, set up here or not any more.")
    subject: str = strawberry.field(description="Who they are there.")


@strawberry.type(
    description="What became of letting somebody in. The record of access has it: no fact of the ledger does."
)
class LinkIdentityPayload(Payload):
    """`repeated`: they were let in as this member before."""

    member_id: UUID | None = strawberry.field(default=None, description="The member that they are here. Null: refused.")


@strawberry.type(description="What became of it. The record of access has it: no fact of the ledger does.")
class UnlinkIdentityPayload(Payload):
    """Nothing but what every payload has."""


async def identity_links(
    info: Info,
    member_id: Annotated[UUID | None, strawberry.argument(description="Only those that are this member.")] = None,
    first: FirstArgument = PAGE,
    after: AfterArgument = None,
    at_least: AtLeastArgument = None,
) -> Any:
    """This will list who is let in by providers' tokens, in the order of issuer and subject."""
    context = info.context
    if at_least is not None:  # a role that was given by then counts
        await context.position("teams", at_least=at_least)
    refuse_role(context, FIELD)
    asked = Page.of(first, after, FIELD, str, str)
    wanted = Asked(member_id, None if asked.key is None else (asked.key[0], asked.key[1]))
    rows = await _in_thread(context, lambda linking: linking.page(wanted, asked.limit))
    total = await _in_thread(context, lambda linking: linking.total(wanted)) if selects(info, "totalCount") else None
    async with context.read() as connection:
        return await page(info, IDENTITY, asked, rows, lambda row: (row.issuer, row.subject), connection, total=total)


async def _in_thread(context: Context, do: Callable[[Linking], T]) -> T:
    resources = context.resources
    return await anyio.to_thread.run_sync(
        partial(do, resources.linking), limiter=resources.commands, abandon_on_cancel=True
    )


async def _changed(context: Context, name: str, do: Callable[[Linking], T]) -> T | Rejected:
    """This will do it, or give why not; who may not is in the record of access."""
    refuse_scope(context)
    try:
        return await _in_thread(context, do)
    except Rejected as no:
        if no.code is Code.FORBIDDEN:
            context.note_forbidden(name)
        return no


async def link_identity(
    info: Info,
    input: Annotated[LinkIdentityInput, strawberry.argument(description="What is asked.")],  # noqa: A002 - the schema's word
) -> LinkIdentityPayload:
    """This will let somebody in."""
    identity = Identity(input.issuer, input.subject, MemberId(input.member_id))
    by = info.context.viewer.member_id
    found = await _changed(info.context, "linkIdentity", lambda linking: linking.link(identity, by))
    if isinstance(found, Rejected):
        return LinkIdentityPayload(command_id=uuid4(), user_errors=[refused(found)])
    return LinkIdentityPayload(command_id=uuid4(), user_errors=[], repeated=not found, member_id=input.member_id)


async def unlink_identity(
    info: Info,
    input: Annotated[UnlinkIdentityInput, strawberry.argument(description="What is asked.")],  # noqa: A002
) -> UnlinkIdentityPayload:
    """This will let somebody in no more."""
    by = info.context.viewer.member_id
    found = await _changed(
        info.context, "unlinkIdentity", lambda linking: linking.unlink(input.issuer, input.subject, by)
    )
    return UnlinkIdentityPayload(
        command_id=uuid4(), user_errors=[refused(found)] if isinstance(found, Rejected) else []
    )


def _for_whom(name: str) -> str:
    return f"For {' and '.join(CHANGING[name])}."


@strawberry.type
class IdentityQuery:
    """The root field `identities`."""

    identities: Any = field(
        connection_of(IDENTITY),
        "Who is let in by the tokens of identity providers, and as whom. For AUDITOR and STEWARD.",
        identity_links,
    )


@strawberry.type
class IdentityMutation:
    """The mutations that change who comes in."""

    link_identity: LinkIdentityPayload | None = strawberry.mutation(
        resolver=link_identity,
        description=f"Let somebody of an identity provider in as a member. {_for_whom('linkIdentity')}",
    )
    unlink_identity: UnlinkIdentityPayload | None = strawberry.mutation(
        resolver=unlink_identity,
        description=f"Let somebody of an identity provider in no more. {_for_whom('unlinkIdentity')}",
    )
