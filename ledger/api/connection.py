"""Keyset connections: pages of a list that grows while it is read, after the manner of Relay."""

import base64
from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Any, Generic, TypeVar

import msgspec
import strawberry
from graphql import FieldNode, FragmentSpreadNode, InlineFragmentNode, SelectionSetNode

from ledger.api.context import Info
from ledger.api.errors import bad_input

N = TypeVar("N")
R = TypeVar("R")

PAGE = 50
PAGE_MAX = 100
CURSOR_LENGTH_MAX = 1_000
#: Selections per document whose names are kept.
NAMES_MAX = 64

FirstArgument = Annotated[int, strawberry.argument(description="How many, 1 to 100.")]
AfterArgument = Annotated[
    str | None, strawberry.argument(description="The cursor after which the page begins; left out: at the start.")
]


@strawberry.type(description="Whether there is more, and where to go on.")
class PageInfo:
    """Of forward pages only: the lists have one order, and `after` goes along it."""

    has_next_page: bool = strawberry.field(description="Is there more after this page?")
    end_cursor: str | None = strawberry.field(description="What `after` takes to go on; null on an empty page.")
    start_cursor: str | None = strawberry.field(description="The cursor of the first item; null on an empty page.")
    has_previous_page: bool = strawberry.field(description="Did this page begin after a cursor?")


@strawberry.type(description="One item of a page.")
class Edge(Generic[N]):
    """The item with its place in the list."""

    node: N = strawberry.field(description="The item.")
    cursor: str = strawberry.field(description="Its place: what `after` takes to go on behind it. Opaque.")


@strawberry.type(description="One page of a list.")
class Connection(Generic[N]):
    """Made by `Page.connection`."""

    edges: list[Edge[N]] = strawberry.field(description="The items with their cursors.")
    nodes: list[N] = strawberry.field(description="The items alone.")
    page_info: PageInfo = strawberry.field(description="Whether there is more, and where to go on.")
    total_count: int | None = strawberry.field(
        description="How many there are on all pages together; counted only when it is asked for."
    )

    def __getattr__(self, name: str) -> Any:
        # The edges need a cursor for each item, and are seldom asked for.
        if name != "edges" or "make_edges" not in vars(self):
            raise AttributeError(name)
        edges = vars(self)["edges"] = vars(self)["make_edges"]()
        return edges


class Page(msgspec.Struct, frozen=True):
    """Which page is asked for: `key` is that of the last row of the page before, None on the first one."""

    first: int
    order: str
    key: tuple[Any, ...] | None

    @classmethod
    def of(cls, first: int, after: str | None, order: str, *types: Any) -> "Page":
        """This will check `first` and read the cursor. `order` names the list's order, so that a cursor of another one is refused.

        `types` are those of the key's parts. Raises the error BAD_USER_INPUT.
        """
        if not 1 <= first <= PAGE_MAX:
            raise bad_input(f"first is {first}; it must be from 1 to {PAGE_MAX}.")
        return cls(first, order, None if after is None else _key(after, order, types))

    @property
    def limit(self) -> int:
        """This will give how many rows to read: one more than shown tells whether there is another page."""
        return self.first + 1

    def connection(
        self,
        rows: Sequence[R],
        *,
        key: Callable[[R], tuple[Any, ...]],
        node: Callable[[R], N],
        total: int | None = None,
    ) -> Connection[N]:
        """This will make the page from up to `limit` rows; `key` gives the values that the list is ordered by, the last one unique."""
        shown = rows[: self.first]
        nodes = [node(row) for row in shown]

        def place(row: R) -> str:
            return cursor(self.order, key(row))

        info = PageInfo(
            has_next_page=len(rows) > self.first,
            has_previous_page=self.key is not None,
            start_cursor=place(shown[0]) if shown else None,
            end_cursor=place(shown[-1]) if shown else None,
        )
        made: Connection[N] = object.__new__(Connection)
        vars(made).update(
            nodes=nodes,
            page_info=info,
            total_count=total,
            make_edges=lambda: [Edge(node=one, cursor=place(row)) for one, row in zip(nodes, shown, strict=True)],
        )
        return made


def cursor(order: str, key: tuple[Any, ...]) -> str:
    """This will give the opaque text for a place in a list."""
    return base64.urlsafe_b64encode(msgspec.json.encode([order, *key])).decode().rstrip("=")


def _key(text: str, order: str, types: tuple[Any, ...]) -> tuple[Any, ...]:
    try:
        body = base64.b64decode(text[:CURSOR_LENGTH_MAX] + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        wanted: Any = tuple.__class_getitem__((str, *types))
        found: tuple[Any, ...] = msgspec.json.decode(body, type=wanted)
    except (ValueError, RecursionError):  # the decoders' own errors are ValueErrors too
        found = ("",)
    if found[0] != order:
        raise bad_input(
            "after is no cursor of this list in this order. Take it from pageInfo.endCursor of the page before."
        )
    return found[1:]


def selects(info: Info, *path: str) -> bool:
    """This will say whether the field being resolved asks for a field below it, such as `selects(info, "totalCount")`."""
    if path[-1] not in selected(info):
        return False
    raw = info._raw_info  # strawberry's own view of it converts the whole selection first
    return any(_selects(raw, node.selection_set, path) for node in raw.field_nodes)


def selected(info: Info) -> frozenset[str]:
    """This will name the fields that are asked for below the one being resolved, at any depth, of whatever type. Kept with the document."""
    raw, plans = info._raw_info, info.context.plans
    key = tuple(map(id, raw.field_nodes))
    found = None if plans is None else plans.names.get(key)
    if found is None:
        found = frozenset(_names(raw, [node.selection_set for node in raw.field_nodes]))
        if plans is not None and len(plans.names) < NAMES_MAX:
            plans.names[key] = found
    return found


def _names(raw: Any, selections: list[SelectionSetNode | None]) -> Iterator[str]:
    spread: set[str] = set()
    while selections:
        selection = selections.pop()
        for node in selection.selections if selection else ():
            if isinstance(node, FieldNode):
                yield node.name.value
                selections.append(node.selection_set)
            elif isinstance(node, InlineFragmentNode):
                selections.append(node.selection_set)
            elif isinstance(node, FragmentSpreadNode) and node.name.value not in spread:
                spread.add(node.name.value)
                fragment = raw.fragments[node.name.value]
                selections.append(getattr(fragment, "definition", fragment).selection_set)


def _selects(raw: Any, selection: SelectionSetNode | None, path: tuple[str, ...]) -> bool:
    for node in selection.selections if selection else ():
        if isinstance(node, FieldNode):
            if node.name.value == path[0] and (len(path) == 1 or _selects(raw, node.selection_set, path[1:])):
                return True
        elif isinstance(node, InlineFragmentNode):
            if _selects(raw, node.selection_set, path):
                return True
        elif isinstance(node, FragmentSpreadNode):
            fragment = raw.fragments[node.name.value]
            definition = getattr(fragment, "definition", fragment)
            if _selects(raw, definition.selection_set, path):
                return True
    return False
