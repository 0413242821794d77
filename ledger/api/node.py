"""Things that have a global id, and `node(id)`, which finds any of them."""

import base64
from collections.abc import Awaitable, Callable
from typing import Annotated
from uuid import UUID

import strawberry

from ledger.api.asof import AsOf, AsOfArgument, AtLeastArgument
from ledger.api.context import Context, Info
from ledger.api.errors import bad_input

#: Reads one thing by its UUID; None where it is not there or may not be seen.
Reader = Callable[[Context, UUID, AsOf | None, int | None], Awaitable["Node | None"]]

#: How to read each type of node, by its name; filled from `schema.NODES`.
READERS: dict[str, Reader] = {}
ID_LENGTH_MAX = 200


@strawberry.interface(description="A thing with an id of its own in the whole schema.")
class Node:
    """Make the id with `global_id("Team", team_id)`."""

    id: strawberry.ID = strawberry.field(description="The global id, for `node(id)`. Opaque.")


def global_id(kind: str, uuid: UUID) -> strawberry.ID:
    """This will give a thing's global id from the name of its type and its UUID."""
    return strawberry.ID(base64.urlsafe_b64encode(f"{kind}:{uuid}".encode()).decode().rstrip("="))


def parse_global_id(text: str) -> tuple[str, UUID]:
    """This will give back the type's name and the UUID. Raises the error BAD_USER_INPUT."""
    try:
        body = base64.b64decode(text[:ID_LENGTH_MAX] + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode()
        kind, _, uuid = body.partition(":")
        return kind, UUID(uuid)
    except ValueError:  # the decoders' own errors are ValueErrors too
        raise bad_input("id is no global id. Take it from the field id of a thing.") from None


@strawberry.type
class NodeQuery:
    """The root field `node`."""

    @strawberry.field(description="Anything that has a global id; null where it is not there or may not be seen.")
    async def node(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="The global id.")],  # noqa: A002 - Relay's word
        as_of: AsOfArgument = None,
        at_least: AtLeastArgument = None,
    ) -> Node | None:
        kind, uuid = parse_global_id(id)
        read = READERS.get(kind)
        if read is None:
            raise bad_input(f"id names a {kind!r}, which is not a kind of thing that has a global id.")
        return await read(info.context, uuid, as_of, at_least)
