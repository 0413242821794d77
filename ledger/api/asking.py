"""What the root fields over the audit, transparency, reviews and outcomes views have in common."""

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import strawberry

from ledger.api.asof import AsOf
from ledger.api.connection import Connection, Edge, Page, PageInfo, selected
from ledger.api.context import Info
from ledger.api.errors import bad_input
from ledger.api.inputs import make
from ledger.api.shown import Shown
from ledger.api.standing import Connection as Reading
from ledger.api.standing import opened_at
from ledger.values import instant_text
from projections.conditions import instant_of

#: The cursor's key of a list by time: the instant, and the id that settles a tie.
BY_TIME: tuple[Any, Any] = (datetime, UUID)

TeamsArgument = Annotated[
    list[UUID] | None, strawberry.argument(description="Only these teams; left out: all that you may see.")
]
AreaArgument = Annotated[str | None, strawberry.argument(description="Only this area.")]
SinceArgument = Annotated[datetime | None, strawberry.argument(description="From this instant on.")]
UntilArgument = Annotated[datetime | None, strawberry.argument(description="Up to before this instant.")]


def field(shown: Any, about: str, resolver: Any) -> Any:
    """This will make a root field of a shown type."""
    return strawberry.field(resolver=resolver, graphql_type=shown, description=about)


def lookup(shown: Shown, about: str, resolver: Any) -> Any:
    """This will make a root field that looks one thing up. One that is not there leaves the rest of the answer as it is."""
    absent = "Null, with the error NOT_FOUND, where that is not there or not for you to see."
    return field(shown.type | None, f"{about} {absent}", resolver)


def _of(generic: Any, argument: Any) -> Any:
    return generic[argument.type if isinstance(argument, Shown) else argument]


def listed(shown: Shown) -> Any:
    """This will give the type of a bounded list of something shown."""
    return _of(list, shown)


def connection_of(shown: Shown) -> Any:
    """This will give the type of a page of something shown."""
    return _of(Connection, shown)


def connection_with(shown: Shown, name: str, about: str, **more: tuple[Any, str]) -> Any:
    """This will make the type of a page that has further fields of its own, by name: their type and description."""
    body: dict[str, tuple[Any, Any]] = {
        "edges": (_of(list, _of(Edge, shown)), strawberry.field(description="The items with their cursors.")),
        "nodes": (_of(list, shown.type), strawberry.field(description="The items alone.")),
        "page_info": (PageInfo, strawberry.field(description="Whether there is more, and where to go on.")),
        "total_count": (
            int | None,
            strawberry.field(
                description="How many there are on all pages together; counted only when it is asked for."
            ),
        ),
    }
    body |= {field: (type_, strawberry.field(description=text)) for field, (type_, text) in more.items()}
    return make(strawberry.type, name, body, about=about)


async def page(
    info: Info,
    shown: Shown,
    asked: Page,
    rows: list[Any],
    key: Any,
    connection: Reading,
    *,
    total: int | None = None,
) -> Connection[Any]:
    """This will make a page of rows, with the names of the members that those on it mention read at once."""
    people = await shown.members_of(rows[: asked.first], info.context, connection, selected(info))
    return asked.connection(rows, key=key, node=lambda row: shown.show(row, people), total=total)


async def one(info: Info, shown: Shown, row: Any, connection: Reading) -> Any:
    """This will show one row, with the names of the members that it mentions."""
    return shown.show(row, await shown.members_of([row], info.context, connection, selected(info)))


async def instant(connection: Reading, as_of: AsOf | None, at: int | None) -> datetime:
    """This will give the instant from which ages are reckoned: now, the one that was asked for, or when a past state came about.

    `at`: the position that `as_of` means. Between two facts time goes on: what falls due then is due.
    """
    now = datetime.now(UTC)
    if as_of is None or at is None:
        return now
    if as_of.known_at:
        return min(as_of.known_at.at, now)
    if as_of.recorded_at:
        return min(as_of.recorded_at, now)
    if as_of.review_id:
        return await opened_at(connection, as_of.review_id)
    return await instant_of(connection, at, now)


def forwards(since: datetime | None, until: datetime | None) -> None:
    """This will raise BAD_USER_INPUT for a period in which nothing can lie: it ends where it begins, or before."""
    if since is not None and until is not None and since >= until:
        told = f"`since` {instant_text(since)} is not before `until` {instant_text(until)}"
        raise bad_input(f"{told}, so nothing lies between them. Swap them, or leave one out.")


def tuple_of(values: list[Any] | None) -> tuple[Any, ...] | None:
    """This will give an argument's values as a query takes them; None: it was left out."""
    return None if values is None else tuple(values)
