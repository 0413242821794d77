"""The fast way through a query gives the same bytes as graphql-core's own, asks the same resolver with the same arguments, and once."""

import asyncio
from typing import Annotated, Any
from uuid import UUID

import msgspec
import pytest
import strawberry
from graphql import GraphQLError, get_named_type, is_composite_type, is_required_argument
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strawberry.schema.config import StrawberryConfig

from ledger.api import schema
from ledger.api.asof import AsOf, AsOfArgument, AtLeastArgument
from ledger.api.backlog import ProposalFilter, ProposalOrder
from ledger.api.compiled import LedgerExecutor
from ledger.api.compiler import DEFINITION
from ledger.api.connection import PAGE, AfterArgument, FirstArgument, selects
from ledger.api.context import Context, Info, Viewer
from ledger.api.documents import PreparedDocuments, prepare
from ledger.api.querying import query_of
from ledger.api.scalars import SCALARS
from ledger.directory.scopes import Scope
from ledger.values import MemberId, Role

ADA = Viewer(MemberId(UUID(int=1)), "test", {}, scopes=frozenset({Scope.INTROSPECT}))
#: Root fields of an interface, which only the standard way can tell apart.
NO_FAST_WAY = {"node"}


@strawberry.type
class Echo:
    """What a resolver was given, and what the test says that it found."""

    arguments: str
    number: int
    maybe: int | None = None
    inner: "Echo | None" = None
    many: list["Echo"] = strawberry.field(default_factory=list)


#: What a resolver may do.
FOUND: dict[str, Any] = {
    "plain": lambda said: Echo(arguments=said, number=1, inner=Echo(arguments="in", number=2)),
    "a number that GraphQL can't say": lambda said: Echo(
        arguments=said, number=1, maybe=2**40, many=[Echo(arguments="m", number=2**40)]
    ),
    "nothing": lambda _: None,
    "no object": lambda _: 7,
    "refused": lambda _: GraphQLError("No.", extensions={"code": "NOT_FOUND"}),
    "a bug": lambda _: ValueError("a bug"),
}


class Desk(Context):
    """Stands where a request's context does: it keeps how its resolvers are asked, and has them find what the test says."""

    def __init__(self, found: str, text: str, *, fast: bool) -> None:
        super().__init__(ADA, None, plans=prepare(SCHEMA, text).plans if fast else None)  # type: ignore[arg-type]
        self.found, self.asked = found, list[Any]()

    def answer(self, info: Any, arguments: dict[str, Any]) -> Any:
        known = {name: value for name, value in arguments.items() if name != "info"}
        self.asked.append((known, selects(info, "inner", "number"), selects(info, "many")))
        found = FOUND[self.found](repr(known))
        if isinstance(found, Exception):
            raise found
        return found


async def page(
    info: Info,
    filter: Annotated[ProposalFilter | None, strawberry.argument(description="Which.")] = None,  # noqa: A002
    order_by: ProposalOrder | None = None,
    first: FirstArgument = PAGE,
    after: AfterArgument = None,
    as_of: AsOfArgument = None,
    at_least: AtLeastArgument = None,
) -> Any:
    return info.context.answer(info, locals())  # type: ignore[attr-defined]


async def each(
    info: Info,
    uuid: UUID,
    uuids: list[UUID] | None = None,
    role: Role | None = None,
    roles: list[Role | None] | None = None,
    ratio: float = 0.5,
    yes: bool | None = None,
    other: strawberry.ID | None = None,
) -> Any:
    return info.context.answer(info, locals())  # type: ignore[attr-defined]


@strawberry.type
class Query:
    page: Any = strawberry.field(resolver=page, graphql_type=Echo | None)
    each: Any = strawberry.field(resolver=each, graphql_type=Echo)

    @strawberry.field
    def at_once(self, info: Info) -> Echo | None:
        return info.context.answer(info, {})  # type: ignore[attr-defined,no-any-return]


SCHEMA = schema.LedgerSchema(
    query=Query,
    types=[AsOf],
    extensions=[PreparedDocuments],
    execution_context_class=LedgerExecutor,
    config=StrawberryConfig(scalar_map=SCALARS),
)
REAL = schema.build()


async def run(text: str, variables: Any, found: str, *, fast: bool) -> tuple[bytes, Any, Any]:
    context = Desk(found, text, fast=fast)
    result = await SCHEMA.execute(text, variables, context)
    assert not context.done
    errors = [(error.formatted, repr(error.original_error)) for error in result.errors or ()]
    return msgspec.json.encode(result.data), errors, context.asked


# Arguments: as constants and as variables, with and without defaults, now and then what does not fit.

ID = '"00000000-0000-0000-0000-000000000007"'
CONSTANTS: dict[str, list[str]] = {
    "filter": [
        "null",
        "{}",
        f'{{teamIds: [{ID}], title: "é"}}',
        "{statuses: [PENDING, ACCEPTED], scoreMin: 1}",
        "{estimated: true}",
    ],
    "orderBy": ["null", "{field: SCORE}", "{field: TITLE, direction: ASC}"],
    "first": ["0", "7", "50"],
    "after": ["null", '"x"'],
    "asOf": [
        "null",
        "{position: 7}",
        '{position: "7"}',
        f"{{reviewId: {ID}}}",
        '{recordedAt: "2026-01-31T12:00:00+02:00"}',
    ],
    "atLeast": ["null", "7", '"7"', '"-7"'],
    "uuid": [ID, '"no"'],
    "uuids": ["null", "[]", f"[{ID}, {ID}]", ID],
    "role": ["null", "ENGINEER"],
    "roles": ["null", "[ENGINEER, null]"],
    "ratio": ["1", "0.25"],
    "yes": ["null", "true"],
    "other": ["null", '"a"', "1"],
}
VALUES: dict[str, list[Any]] = {
    "filter": [None, {}, {"teamIds": [str(UUID(int=7))], "areas": None}, {"statuses": ["PENDING"], "scoreMin": 2}],
    "orderBy": [None, {"field": "DRAG"}, {"field": "DRAG", "direction": "ASC"}],
    "first": [1, 7, 100],
    "after": [None, "x"],
    "asOf": [None, {"position": 7}, {"position": "7"}, {"knownAt": {"at": "2026-01-31T12:00:00Z"}}],
    "atLeast": [None, 7, "7"],
    "uuid": [str(UUID(int=7)), UUID(int=7).hex],
    "uuids": [None, [], [str(UUID(int=7))]],
    "role": [None, "ENGINEER"],
    "roles": [None, [], ["ENGINEER", None]],
    "ratio": [1, 0.25, 1.0],
    "yes": [None, True],
    "other": [None, "a", 7],
}
ODD: list[Any] = [
    None,
    "",
    "text",
    0,
    -1,
    2**31,
    2**63,
    1.5,
    True,
    [],
    [None],
    {},
    {"a": 1},
    {"position": 1, "reviewId": None},
]
ODD += [
    {"position": None},
    {"position": 1, "recordedAt": None},
    ["ENGINEER"],
    "PENDING",
    {"field": "NO"},
    {"statuses": "PENDING"},
]
SELECTIONS = [
    "arguments number maybe inner { number } many { arguments number }",
    "arguments ...F inner { __typename n: number }",
    "... on Echo { arguments maybe } many { maybe } inner @skip(if: true) { number } yes: __typename @include(if: true)",
    "arguments inner @include(if: $b) { number }",
    "many { number } many { maybe inner { number } } number",
]


@st.composite
def cases(draw: Any) -> tuple[str, Any, str]:
    odd = draw(st.integers(0, 2)) == 0
    name = draw(st.sampled_from(["page", "each"]))
    field = SCHEMA._schema.query_type.fields[name]  # type: ignore[union-attr]
    arguments, definitions, variables = [], [], {"notAsked": 1}
    for argument, definition in field.args.items():
        form = (
            draw(st.integers(0, 7 if argument != "other" else 4))
            if not is_required_argument(definition)
            else draw(st.integers(4, 7))
        )
        if form in (4, 5):
            arguments.append(f"{argument}: {draw(st.sampled_from(CONSTANTS[argument]))}")
        elif form in (6, 7):
            kind, value = str(definition.type), st.sampled_from(VALUES[argument])
            bang = draw(st.sampled_from(["", "", "!"])) if not kind.endswith("!") else ""
            if kind.endswith("!") and not is_required_argument(definition) and draw(st.booleans()):
                kind = kind[:-1]
            default = f" = {draw(st.sampled_from(CONSTANTS[argument]))}" if draw(st.integers(0, 3)) == 0 else ""
            definitions.append(f"${argument}: {kind}{bang}{default}")
            arguments.append(f"{argument}: ${argument}")
            if draw(st.integers(0, 4 if odd else 9)):
                variables[argument] = draw(value | st.sampled_from(ODD) if odd else value)
    selection = draw(st.sampled_from(SELECTIONS))
    if "$b" in selection:
        definitions.append("$b: Boolean!")
        variables["b"] = draw(st.booleans())
    given = f"({', '.join(arguments)})" if arguments else ""
    root = f"{draw(st.sampled_from(['', 'x: ']))}{name}{given} {{ {selection} }}"
    more = draw(st.sampled_from([*[""] * 8, " atOnce { number }", " __typename"]))
    fragment = " fragment F on Echo { inner { number } arguments }" if "...F" in selection else ""
    declared = f"query Q({', '.join(definitions)})" if definitions else "query"
    return (
        f"{declared} {{ {root}{more} }}{fragment}",
        variables,
        draw(st.just("plain") | st.sampled_from(sorted(FOUND))),
    )


def test_the_fast_way_gives_the_bytes_and_the_errors_of_the_standard_one() -> None:
    #: How often each way was taken: if it were never, this would test nothing.
    taken = {"fast": 0, "begun": 0, "standard": 0}

    async def both(text: str, variables: Any, found: str) -> None:
        fast, standard = [await run(text, variables, found, fast=fast) for fast in (True, False)]
        assert fast == standard, text
        prepared = prepare(SCHEMA, text)
        query = query_of(SCHEMA, prepared, prepared.operation(None), variables, Desk(found, text, fast=True))
        taken["standard" if query is None else "fast" if not fast[1] else "begun"] += 1

    @given(cases())
    @settings(max_examples=300, deadline=None, suppress_health_check=[*HealthCheck])
    def compare(case: tuple[str, Any, str]) -> None:
        if not prepare(SCHEMA, case[0]).errors:
            asyncio.run(both(*case))

    compare()
    for _ in range(4):  # chance may leave a way out once
        if not all(taken.values()):
            compare()
    assert all(taken.values()), taken


@pytest.mark.parametrize("found", sorted(FOUND))
@pytest.mark.parametrize(
    "text", ["{ page { maybe many { number } } }", f"{{ each(uuid: {ID}) {{ maybe many {{ number }} }} }}"]
)
def test_what_was_read_is_not_read_again_whatever_was_found(text: str, found: str) -> None:
    fast, standard = (asyncio.run(run(text, None, found, fast=fast)) for fast in (True, False))
    assert fast == standard
    assert len(fast[2]) == 1


def test_one_document_is_compiled_once_and_then_answers_whatever_the_variables_are() -> None:
    text = "query Q($first: Int! = 7, $asOf: AsOf) { page(first: $first, asOf: $asOf) { arguments } }"
    for variables in (
        {},
        {"first": 9},
        {"first": "no"},
        {"asOf": {"position": 4}},
        {"asOf": {}},
        {"first": None},
        {"first": 9},
    ):
        fast, standard = (asyncio.run(run(text, variables, "plain", fast=fast)) for fast in (True, False))
        assert fast == standard
    plans = prepare(SCHEMA, text).plans
    assert plans.completed == 4
    assert len(plans.steps) == 1


@pytest.mark.parametrize(
    ("text", "fits", "odd"),
    [
        ("query Q($first: Int = 7) { page(first: $first) { arguments } }", {"first": 9}, {"first": None}),
        ("query Q($uuid: UUID!) { each(uuid: $uuid) { arguments } }", {"uuid": str(UUID(int=7))}, {}),
        ("query Q($after: String!) { page(after: $after) { arguments } }", {"after": "x"}, {}),
        ("query Q($after: String!) { page(after: $after) { number } }", {"after": "x"}, {"after": None}),
    ],
)
def test_a_document_that_was_compiled_still_refuses_variables_that_do_not_fit(
    text: str, fits: dict[str, Any], odd: dict[str, Any]
) -> None:
    for variables in (fits, odd):
        fast, standard = (asyncio.run(run(text, variables, "plain", fast=fast)) for fast in (True, False))
        assert fast == standard
        assert bool(fast[1]) == (variables is odd)
    assert prepare(SCHEMA, text).plans.completed == 1


def test_a_variable_that_nobody_looks_at_the_fast_way_is_refused_all_the_same() -> None:
    text = "query Q($id: UUID!) { page(filter: {teamIds: [$id]}) { arguments } }"
    for variables in ({"id": "no"}, {"id": None}, {}, {"id": str(UUID(int=7))}):
        fast, standard = (asyncio.run(run(text, variables, "plain", fast=fast)) for fast in (True, False))
        assert fast == standard
    assert list(prepare(SCHEMA, text).plans.steps.values()) == [None]


@pytest.mark.parametrize("name", sorted(REAL._schema.query_type.fields))  # type: ignore[union-attr]
def test_every_root_field_has_a_fast_way(name: str) -> None:
    field = REAL._schema.query_type.fields[name]  # type: ignore[union-attr]
    needed = {key: one for key, one in field.args.items() if is_required_argument(one)}
    declared = ", ".join(f"${key}: {one.type}" for key, one in needed.items())
    given = ", ".join(f"{key}: ${key}" for key in needed)
    selection = " { __typename }" if is_composite_type(get_named_type(field.type)) else ""
    text = f"query Q{f'({declared})' if declared else ''} {{ {name}{f'({given})' if given else ''}{selection} }}"
    prepared = prepare(REAL, text)
    assert not prepared.errors
    variables = {key: _least(one.type) for key, one in needed.items()}
    context = Context(ADA, None, plans=prepared.plans)  # type: ignore[arg-type]
    found = query_of(REAL, prepared, prepared.operation(None), variables, context)
    assert (found is None) == (name in NO_FAST_WAY)


def _least(kind: Any) -> Any:
    if str(kind).startswith("["):
        return []
    kind = get_named_type(kind)
    if hasattr(kind, "values"):
        return next(iter(kind.values))
    if hasattr(kind, "fields"):
        if kind.extensions[DEFINITION].is_one_of:
            name, one = next(iter(kind.fields.items()))
            return {name: _least(one.type)}
        return {name: _least(one.type) for name, one in kind.fields.items() if str(one.type).endswith("!")}
    least = {
        "UUID": str(UUID(int=7)),
        "DateTime": "2026-01-31T12:00:00Z",
        "Boolean": True,
        "Decimal": "1",
        "Position": "1",
    }
    return least.get(kind.name, 1 if kind.name in ("Int", "Float") else "x")
