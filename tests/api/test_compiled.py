"""The fast way gives the same bytes as graphql-core's own, for any selection and any rows."""

import asyncio
import inspect
import types
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints
from uuid import UUID

import msgspec
import pytest
import strawberry
from graphql import (
    FieldNode,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLUnionType,
    Undefined,
    get_named_type,
    is_composite_type,
    parse,
    validate,
)
from graphql.execution import execute
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Struct
from strawberry.execution.is_awaitable import optimized_is_awaitable
from strawberry.scalars import JSON
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from ledger.api import schema as real
from ledger.api.compiled import PLANS_MAX, LedgerExecutor, Plans
from ledger.api.connection import Connection, Page, selected
from ledger.api.member import Member
from ledger.api.node import Node
from ledger.api.scalars import SCALARS, Position
from ledger.api.shown import SHOWN, Shown
from ledger.directory.members import Person
from ledger.values import DecisionId, Disposition, MemberId, ProposalId, Role, Verdict
from projections.audit.structs import AuditedDecision  # noqa: F401 - shown by the schema
from projections.backlog.areas import AreaSummary
from projections.backlog.queries import Listed
from projections.backlog.structs import DecisionShort

real.build()
PROPOSAL, AREA = SHOWN[Listed], SHOWN[AreaSummary]
#: Every type that is made of rows, so that a new one is tried too.
ROWS = sorted(SHOWN.values(), key=lambda shown: shown.type.__name__)
PEOPLE = {MemberId(UUID(int=number)): Person(MemberId(UUID(int=number)), f"Ada {number}") for number in range(3)}


@strawberry.type
class Odd:
    """What the real schema has not: unions, resolvers below the root, awaitables."""

    name: str
    number: int | None
    ratio: float
    either: Annotated[Union["Odd", "Even"], strawberry.union("Either")] | None = None
    nodes: list[Node] | None = None
    many: list[list[int | None]] | None = None

    @strawberry.field
    def loud(self) -> str:
        return self.name.upper()

    @strawberry.field
    async def slow(self) -> int:
        return len(self.name)


@strawberry.type
class Even:
    name: str
    member: Member | None = None
    odds: list[Odd] = field(default_factory=list)


@strawberry.type
class Each:
    """A field of each kind, that may be null and that may not."""

    text: str
    text_maybe: str | None
    id: strawberry.ID
    number: int
    number_maybe: int | None
    ratio: float
    yes: bool
    uuid: UUID
    uuid_maybe: UUID | None
    at: datetime
    figure: Decimal
    day: date
    position: Position
    role: Role
    role_maybe: Role | None
    any: JSON
    member: Member
    member_maybe: Member | None
    members: list[Member]
    members_maybe: list[Member | None] | None
    texts: list[str]
    numbers_maybe: list[int | None] | None


@dataclass
class Context:
    values: dict[str, Any]
    plans: Plans | None = None


def root(name: str) -> Any:
    async def later(info: strawberry.Info) -> Any:
        return info.context.values[name]

    return later


def _query() -> type:
    kinds: dict[str, Any] = {shown.type.__name__.lower(): list[shown.type | None] for shown in ROWS}  # type: ignore[name-defined]
    kinds |= {
        "each": list[Each | None],
        "one": Each | None,
        "odds": list[Odd],
        "page": Connection[PROPOSAL.type],
        "thing": Node | None,
        "evens": list[Even | None],
    }  # type: ignore[name-defined]
    fields = {name: strawberry.field(resolver=root(name), graphql_type=kind) for name, kind in kinds.items()}
    return strawberry.type(type("Query", (), {**fields, "__annotations__": dict.fromkeys(fields, Any)}))


SCHEMA = strawberry.Schema(query=_query(), types=[PROPOSAL.type], config=StrawberryConfig(scalar_map=SCALARS))._schema


ORDINARY = datetime(2026, 1, 1, 12, tzinfo=UTC)

# Rows: from the structs' own annotations, now and then with what can't be.

TEXT = st.text(st.characters(codec="utf-8"), max_size=5)
INSTANTS = st.datetimes(timezones=st.just(UTC)) | st.just(datetime(2026, 1, 1, 12, tzinfo=timezone(timedelta(hours=2))))
ADA = Member.of(UUID(int=1), PEOPLE)
VALUES: list[Any] = [
    *(None, "text", "", 0, 7, 2**31, -(2**31), 2**40, 1.5, 2.0, float("nan"), float("inf"), True, b"x", Undefined),
    *(
        UUID(int=7),
        Decimal("2.50"),
        Role.ENGINEER,
        "ENGINEER",
        ORDINARY,
        date(2026, 1, 2),
        ORDINARY.replace(microsecond=120000),
    ),
    *(
        ORDINARY.replace(tzinfo=None),
        ORDINARY.astimezone(timezone(timedelta(hours=2))),
        ValueError("a planted error"),
        object(),
    ),
    *(
        ADA,
        [ADA],
        (ADA,),
        [None],
        [ADA, None],
        ["a"],
        ("a",),
        [1],
        [1, None],
        [2**40],
        ["a", 1],
        {"a": 1},
        [ValueError("planted")],
        [[]],
    ),
    *({"a"}, range(3)),
]
IRREGULAR = st.sampled_from(VALUES)
LEAVES: dict[Any, st.SearchStrategy[Any]] = {
    str: TEXT,
    bool: st.booleans(),
    int: st.integers(0, 2**31 - 1),
    float: st.floats(allow_nan=False, allow_infinity=False) | st.integers(0, 9),
    UUID: st.integers(0, 2**128 - 1).map(lambda number: UUID(int=number)),
    Decimal: st.decimals(-1000, 1000, places=2),
    datetime: INSTANTS,
    date: st.dates(),
    type(None): st.none(),
}


def values(hint: Any, odd: bool, depth: int = 0) -> st.SearchStrategy[Any]:
    found = _values(hint, odd, depth)
    return found | IRREGULAR if odd else found


def _values(hint: Any, odd: bool, depth: int) -> st.SearchStrategy[Any]:
    if get_origin(hint) is Annotated:
        return _values(get_args(hint)[0], odd, depth)
    if hint is MemberId:
        return st.integers(0, 4).map(lambda number: MemberId(UUID(int=number)))
    bare = getattr(hint, "__supertype__", hint)
    origin, inner = get_origin(bare), get_args(bare)
    if origin in (Union, types.UnionType):
        return st.one_of(*(_values(one, odd, depth) for one in inner))
    if origin is tuple:
        return st.lists(values(inner[0], odd, depth + 1), max_size=2).map(tuple)
    if origin in (dict, frozenset, list):
        return st.just(origin())
    if isinstance(bare, type) and issubclass(bare, Enum):
        return st.sampled_from(list(bare))
    if isinstance(bare, type) and issubclass(bare, Struct):
        return rows(bare, odd, depth)
    return LEAVES.get(bare, st.none())


def rows(struct: type[Struct], odd: bool, depth: int = 0) -> st.SearchStrategy[Any]:
    if depth > 2:
        return st.none()
    hints = get_type_hints(struct)

    @st.composite
    def build(draw: Any) -> Any:
        given = {
            name: draw(values(hints[name], odd and draw(st.integers(0, 5)) == 0, depth + 1))
            for name in struct.__struct_fields__
        }
        return struct(**given)

    return build()


# Selections: of any type, with aliases, fragments, directives on constants and variables, and names that merge.


@st.composite
def directives(draw: Any) -> str:
    return draw(
        st.sampled_from(
            ["", "", "", "", " @include(if: true)", " @skip(if: true)", " @include(if: $a)", " @skip(if: $b)"]
        )
    )


@st.composite
def selections(draw: Any, kind: Any, fragments: list[str], depth: int = 0) -> str:
    if isinstance(kind, GraphQLUnionType):
        chosen = draw(st.lists(st.sampled_from(kind.types), max_size=2))
        return " ".join(
            ["__typename", *(f"... on {one} {{ {draw(selections(one, fragments, depth + 1))} }}" for one in chosen)]
        )
    found = []
    for _ in range(draw(st.integers(1, 5))):
        what = draw(st.integers(0, 9))
        if what == 0:
            found.append("__typename" + draw(directives()))
        elif what == 1 and depth < 3:
            inner = draw(selections(kind, fragments, depth + 1))
            found.append(f"...{draw(directives())} {{ {inner} }}")
        elif what == 2 and depth < 3:
            name = f"F{len(fragments)}"
            fragments.append("")
            fragments[int(name[1:])] = f"fragment {name} on {kind} {{ {draw(selections(kind, fragments, depth + 1))} }}"
            found.append(f"...{name}{draw(directives())}")
        elif what == 3 and isinstance(kind, GraphQLInterfaceType):
            found.append("... on Proposal { title status }")
        else:
            name, one = draw(st.sampled_from(sorted(kind.fields.items())))
            inner_kind = get_named_type(one.type)
            inner = ""
            if is_composite_type(inner_kind):
                if depth >= 4:
                    found.append("__typename")
                    continue
                inner = f" {{ {draw(selections(inner_kind, fragments, depth + 1))} }}"
            # The alias is of the field and its type, so that two of a name can be merged.
            alias = draw(st.sampled_from(["", f"x{name}{kind}: "]))
            found.append(f"{alias}{name}{draw(directives())}{inner}")
    return " ".join(found)


@st.composite
def cases(draw: Any) -> tuple[str, dict[str, Any], list[dict[str, bool]]]:
    odd = draw(st.booleans())
    fragments: list[str] = []
    chosen = draw(st.lists(st.sampled_from(sorted(SCHEMA.query_type.fields)), min_size=1, max_size=2, unique=True))  # type: ignore[union-attr]
    body = []
    for name in chosen:
        inner = draw(selections(get_named_type(SCHEMA.query_type.fields[name].type), fragments))  # type: ignore[union-attr]
        body.append(f"{name} {{ {inner} }}")
    text = f"query Q($a: Boolean!, $b: Boolean!) {{ u: __typename @skip(if: $a) @include(if: $b) {' '.join(body)} }} {' '.join(fragments)}"
    switches = draw(st.lists(st.fixed_dictionaries({"a": st.booleans(), "b": st.booleans()}), min_size=1, max_size=3))
    return text, {name: draw(given_for(name, odd)) for name in chosen}, switches


@st.composite
def given_for(draw: Any, name: str, odd: bool) -> Any:
    shown = next((one for one in ROWS if one.type.__name__.lower() == name), None)
    if shown is not None:
        item = rows(shown.struct, odd)
        return [
            None if row is None else shown.show(row, PEOPLE) for row in draw(st.lists(item | st.none(), max_size=3))
        ]
    if name in ("page", "thing"):
        found = draw(st.lists(rows(Listed, odd), max_size=2))
        if name == "thing":
            return PROPOSAL.show(found[0], PEOPLE) if found else None
        return Page(1, "x", None).connection(
            found,
            key=lambda row: (1,),
            node=lambda row: PROPOSAL.show(row, PEOPLE),
            total=draw(st.none() | st.integers(0, 9)),
        )
    if name in ("each", "one"):
        each = draw(st.lists(st.builds(Each, **dict.fromkeys(Each.__annotations__, IRREGULAR)), max_size=2))
        return each if name == "each" else (each or [None])[0]
    odds = st.lists(draw_odd(odd), max_size=3)
    if name == "odds":
        return draw(odds)
    members = st.none() | st.integers(0, 4).map(lambda number: Member.of(UUID(int=number), PEOPLE))
    return draw(st.lists(st.none() | st.builds(Even, name=TEXT, member=members, odds=odds), max_size=3))


def draw_odd(odd: bool) -> st.SearchStrategy[Any]:
    def of(plain: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        return plain | IRREGULAR if odd else plain

    return st.builds(
        Odd,
        name=TEXT,
        number=of(st.none() | st.integers(-(2**33), 2**33)),
        ratio=of(LEAVES[float]),
        either=of(
            st.none() | st.builds(Even, name=TEXT) | st.builds(Odd, name=TEXT, number=st.none(), ratio=st.just(0.5))
        ),
        nodes=of(st.none() | st.lists(rows(Listed, False).map(lambda row: PROPOSAL.show(row, PEOPLE)), max_size=2)),
        many=of(st.none() | st.lists(st.lists(st.none() | st.integers(0, 9), max_size=2), max_size=2)),
    )


async def run(document: Any, context: Context, variables: dict[str, Any], executor: type) -> bytes:
    result: Any = execute(
        SCHEMA,
        document,
        context_value=context,
        variable_values=variables,
        executor_class=executor,
        is_awaitable=optimized_is_awaitable,
    )
    if inspect.isawaitable(result):
        result = await result
    errors = sorted((error.formatted for error in result.errors or ()), key=repr)
    return msgspec.json.encode({"data": result.data, "errors": errors}, enc_hook=repr)


def both(text: str, given: dict[str, Any], variables: dict[str, bool], plans: Plans) -> tuple[bytes, bytes]:
    document = DOCUMENTS.setdefault(text, parse(text))
    standard = LOOP.run(run(document, Context(given), variables, StrawberryGraphQLCoreExecutionContext))
    fast = LOOP.run(run(document, Context(given, plans), variables, LedgerExecutor))
    return standard, fast


DOCUMENTS: dict[str, Any] = {}
LOOP = asyncio.Runner()


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(cases())
def test_any_selection_of_any_rows_gives_the_same_bytes(
    case: tuple[str, dict[str, Any], list[dict[str, bool]]],
) -> None:
    text, given, switches = case
    DOCUMENTS.clear()
    assert not validate(SCHEMA, parse(text)), text
    plans = Plans(frozenset({"a", "b"}))
    for variables in [*switches, switches[0]]:  # the last time with what was compiled the first time
        standard, fast = both(text, given, variables, plans)
        assert fast == standard, text


@pytest.mark.parametrize("field_name", list(Each.__annotations__))
def test_any_value_in_any_kind_of_field_gives_the_same_bytes(field_name: str) -> None:
    kind: Any = SCHEMA.type_map["Each"]
    name = field_name.title().replace("_", "")
    name = name[0].lower() + name[1:]
    inner = " { name memberId }" if is_composite_type(get_named_type(kind.fields[name].type)) else ""
    for value in VALUES:
        plans = Plans()
        found = Each(**{**dict.fromkeys(Each.__annotations__), field_name: value})  # type: ignore[arg-type]
        for text, values_given in (
            (f"{{ each {{ {name}{inner} }} }}", [found, None]),
            (f"{{ one {{ {name}{inner} }} }}", found),
        ):
            standard, fast = both(text, dict.fromkeys(("each", "one"), values_given), {}, plans)
            assert fast == standard, value


def shown_members(sent: Any) -> set[str]:
    if isinstance(sent, list):
        return {member for one in sent for member in shown_members(one)}
    if not isinstance(sent, dict):
        return set()
    own = {str(sent[key]) for key in ("memberId", "xmemberIdMember") if key in sent}
    return own | {member for one in sent.values() for member in shown_members(one)}


FRAGMENT = "fragment F on Proposal { proposers { memberId } }"


def members_of(text: str, drawn: list[Any]) -> tuple[set[str], set[str], set[str]]:
    """The members that the answer shows, those whose names are collected for it, and all that the rows name."""
    document, context = parse(text), Context({"proposal": [PROPOSAL.show(row, PEOPLE) for row in drawn]}, Plans())
    answer = msgspec.json.decode(LOOP.run(run(document, context, {}, LedgerExecutor)))
    operation, *spread = document.definitions
    nodes = [node for node in operation.selection_set.selections if isinstance(node, FieldNode)]  # type: ignore[attr-defined]
    raw = types.SimpleNamespace(field_nodes=nodes, fragments={one.name.value: one for one in spread})  # type: ignore[attr-defined]
    names = selected(types.SimpleNamespace(_raw_info=raw, context=context))  # type: ignore[arg-type]
    collected, everybody = PROPOSAL.members(drawn, names), PROPOSAL.members(drawn)
    return shown_members(answer["data"]), set(map(str, collected)), set(map(str, everybody))


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_all_members_that_any_selection_shows_are_collected_and_no_more_than_are_there(data: st.DataObject) -> None:
    fragments: list[str] = []
    inner = data.draw(selections(SCHEMA.type_map["Proposal"], fragments))
    inner += data.draw(st.sampled_from(["", " proposers { memberId }"]))  # which few of the random ones show
    text = f"query Q($a: Boolean! = false, $b: Boolean! = false) {{ proposal {{ {inner} }} }} {' '.join(fragments)}"
    shown, collected, everybody = members_of(text, data.draw(st.lists(rows(Listed, odd=False), min_size=1, max_size=2)))
    assert shown <= collected <= everybody, text


@pytest.mark.parametrize(
    ("inner", "count_shown", "count"),
    [
        ("title", 0, 0),
        ("proposers { memberId }", 2, 2),
        ("proposers { name }", 0, 2),
        ("decision { decider { memberId } }", 1, 1),
        ("...F decision { verdict }", 2, 2),
        ("...F decision { decider { memberId } }", 3, 3),
    ],
)
def test_the_members_of_the_selected_fields_alone_are_collected(inner: str, count_shown: int, count: int) -> None:
    one, two, three = PEOPLE
    now = datetime(2026, 5, 4, tzinfo=UTC)
    no = DecisionShort(DecisionId(UUID(int=7)), Verdict.NO, Disposition.DECLINE, now, 4, None, three, ())
    row = Listed(ProposalId(UUID(int=8)), proposer=one, co_proposers=(two,), submitted_at=now, decision=no)
    text = f"query {{ proposal {{ {inner} }} }} {FRAGMENT if '...F' in inner else ''}"
    shown, collected, everybody = members_of(text, [row])
    assert (len(shown), len(collected), len(everybody)) == (count_shown, count, 3)


def test_what_can_be_read_only_once_is_left_to_the_standard_way() -> None:
    plans, text = Plans(), "{ odds { name } }"
    answers = []
    for executor, context in ((StrawberryGraphQLCoreExecutionContext, None), (LedgerExecutor, plans)):
        given = {"odds": iter([Odd(name="a", number=1, ratio=1.0)])}
        answers.append(LOOP.run(run(parse(text), Context(given, context), {}, executor)))
    assert answers[0] == answers[1] == b'{"data":{"odds":[{"name":"a"}]},"errors":[]}'


@pytest.mark.parametrize("planted", [None, ValueError("planted"), Undefined, 1, "text", {}, []])
def test_anything_in_place_of_an_object_gives_the_same_bytes(planted: Any) -> None:
    for text in (
        "{ each { __typename } }",
        "{ one { __typename } }",
        "{ proposal { __typename } }",
        "{ evens { member { __typename } } }",
    ):
        for value in ([planted], planted, [Even(name="a", member=planted)]):
            given = dict.fromkeys(("each", "one", "proposal", "evens"), value)
            standard, fast = both(text, given, {}, Plans())
            assert fast == standard, text


PAGE = """query Q($a: Boolean! = true, $b: Boolean! = false) { page { nodes {
  id proposalId title area kind status submittedAt rank score criticl: critical proposers { memberId name }
  estimate { likely expectedDays unit } impact { level drag } decision { verdict disposition decidedAt
  decider { name } codes } why { total }
} pageInfo { hasNextPage endCursor } totalCount } }"""


def page(count: int) -> dict[str, Any]:
    find = settings(max_examples=1, database=None)
    found: list[Any] = []

    @find
    @given(st.lists(rows(Listed, False), min_size=count, max_size=count))
    def collect(drawn: list[Any]) -> None:
        found[:] = drawn

    collect()
    return {
        "page": Page(count, "x", None).connection(
            found, key=lambda row: (1,), node=lambda row: PROPOSAL.show(row, PEOPLE), total=None
        )
    }


def test_a_page_of_the_backlog_takes_the_fast_way_and_compiles_once() -> None:
    plans, given = Plans(), page(5)
    for _ in range(3):
        standard, fast = both(PAGE, given, {}, plans)
        assert fast == standard
    assert (plans.completed, plans.fell_back) == (3, 0)
    assert len(plans.kept) == 1


def test_an_error_falls_back_to_the_standard_way_with_its_path() -> None:
    plans = Plans()
    given = {"odds": [Odd(name="a", number=1, ratio=1.0), Odd(name="b", number=2**40, ratio=1.0)]}
    standard, fast = both("{ odds { name number } }", given, {}, plans)
    assert fast == standard
    assert b'"path":["odds",1,"number"]' in fast
    assert plans.fell_back > 0


def test_the_compiled_selections_of_a_document_are_bounded() -> None:
    plans, names = Plans(frozenset({"a", "b"})), [f"f{n}: name" for n in range(PLANS_MAX + 5)]
    text = "{ " + " ".join(f"o{n}: odds {{ {name} }}" for n, name in enumerate(names)) + " }"
    standard, fast = both(text, {"odds": [Odd(name="a", number=1, ratio=1.0)]}, {}, plans)
    assert fast == standard
    assert len(plans.kept) == PLANS_MAX


@pytest.mark.parametrize("shown", ROWS, ids=lambda shown: shown.type.__name__)
def test_every_field_of_every_type_made_of_rows_has_a_fast_way(shown: Shown) -> None:
    kind: Any = SCHEMA.type_map[shown.type.__name__]
    assert isinstance(kind, GraphQLObjectType)

    def selection(kind: Any, depth: int) -> str:
        found = ["__typename"]
        for name, one in kind.fields.items():
            inner = get_named_type(one.type)
            if not is_composite_type(inner):
                found.append(name)
            elif depth < 3 and isinstance(inner, GraphQLObjectType):
                found.append(f"{name} {{ {selection(inner, depth + 1)} }}")
        return " ".join(found)

    plans, name = Plans(), shown.type.__name__.lower()
    text = f"{{ {name} {{ {selection(kind, 0)} }} }}"
    standard, fast = both(text, {name: []}, {}, plans)
    assert fast == standard
    assert plans.completed == 1
