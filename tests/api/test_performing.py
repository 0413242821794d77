"""The fast way through a mutation gives the same bytes as graphql-core's own, and hands the same commands to the handlers."""

import asyncio
import string
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import anyio
import msgspec
import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLError,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    Undefined,
    coerce_input_value,
    get_named_type,
    is_composite_type,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Struct
from strawberry.types.arguments import convert_argument

from ledger.api import mutations, schema
from ledger.api.coercing import coercion
from ledger.api.completing import Irregular
from ledger.api.context import Context, Resources, Viewer
from ledger.api.cost import cost_of
from ledger.api.documents import prepare
from ledger.api.mutations import VERBS
from ledger.api.performing import performed, steps_of
from ledger.api.standing import Standings
from ledger.commands.issued import Issued
from ledger.directory.scopes import Scope
from ledger.domain.rejected import Code, Rejected
from ledger.handlers.outcome import Outcome
from ledger.store.faults import LedgerBusy, OutcomeUnknown
from ledger.values import MemberId

SCHEMA = schema.build()
TYPES = SCHEMA._schema
NAMES = sorted(VERBS)
#: Its defaults are lists; it is answered by a worker anyway.
NO_FAST_WAY = {"simulate"}
ADA = Viewer(MemberId(UUID(int=1)), "test", {}, scopes=frozenset({Scope.MUTATE}))
READER = msgspec.structs.replace(ADA, scopes=frozenset())
AT = datetime(2026, 1, 2, 3, 4, 5, 60_000, UTC)
FIRST = UUID(int=7)


def recorded(issued: Issued[Struct], version: int = 3) -> Outcome:
    return Outcome(12, 11, issued.command_id, version, AT, (b"a" * 32, b"b" * 32), False, ())


#: What the handlers may do with a command.
DONE: dict[str, Any] = {
    "recorded": recorded,
    "no position that GraphQL can say": lambda issued: recorded(issued, 2**40),
    "refused": lambda _: Rejected(Code.CONFLICT, "Look at `proposal_id` again.", "proposal_id", "0"),
    "forbidden": lambda _: Rejected(Code.FORBIDDEN, "No."),
    "unknown": lambda issued: OutcomeUnknown(issued.command_id),
    "busy": lambda _: LedgerBusy("busy"),
    "broken": lambda _: ValueError("a bug"),
    "left to a thread": lambda _: None,
}


class Desk:
    """Stands where the handlers do: it keeps what it is asked, and does what the test says, in turn."""

    def __init__(self, todo: list[str]) -> None:
        self.todo = todo
        self.asked: list[Any] = []

    def resources(self) -> Resources:
        # There is nothing else that a mutation needs.
        rest = dict.fromkeys(field.name for field in msgspec.structs.fields(Resources) if field.required)
        limiter = anyio.CapacityLimiter(1)
        return Resources(**{**rest, "handle_at_once": self.at_once, "handle": self.in_thread, "commands": limiter})

    async def at_once(self, issued: Issued[Struct], _: int) -> Any:
        what = self.todo[len(self.asked) % len(self.todo)]
        found = DONE[what](issued)
        if found is not None:
            self._keep(issued)
        if isinstance(found, Exception):
            raise found
        return found

    def in_thread(self, issued: Issued[Struct]) -> Any:
        self._keep(issued)
        return recorded(issued)

    def _keep(self, issued: Issued[Struct]) -> None:
        self.asked.append(msgspec.structs.replace(issued, at=AT))


async def run(
    text: str, variables: Any, todo: list[str], viewer: Viewer, *, fast: bool
) -> tuple[bytes, Any, list[Any]]:
    desk = Desk(todo)
    resources = desk.resources()
    context = Context(viewer, resources, known=Standings(0, {}), plans=prepare(SCHEMA, text).plans)
    execute = SCHEMA.execute if fast else super(type(SCHEMA), SCHEMA).execute
    result = await execute(text, variables, context)
    assert not context.done
    errors = [(error.formatted, repr(error.original_error)) for error in result.errors or ()]
    refusals = [(entry.kind, entry.subject, entry.count) for entry in resources.attempts.due(all_=True)]
    return msgspec.json.encode(result.data), (errors, context.recorded, refusals), desk.asked


# Variables: what an input type takes, now and then with what it doesn't.

ODD = st.sampled_from(
    [None, "", "text", 0, 1, -1, 2**31, 2**63, 1.5, 2.0, True, [], ["a"], [None], {}, {"a": 1}, "2026-13-01", "é\0"]
)
SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "String": st.text(string.ascii_letters + " é`", max_size=6),
    "Int": st.integers(-(2**31), 2**31 - 1),
    "Float": st.floats(allow_nan=False, allow_infinity=False) | st.integers(-5, 5),
    "Boolean": st.booleans(),
    "UUID": st.uuids().map(str) | st.uuids().map(lambda found: found.hex),
    "Decimal": st.sampled_from(["2.25", "-1", 3, 0.5, "1e3"]),
    "DateTime": st.sampled_from(["2026-01-31T12:00:00Z", "2026-01-31T12:00:00+02:00", "2026-01-31T12:00:00"]),
    "Position": st.sampled_from(["0", "17", 4]),
}


def values(kind: Any, odd: bool) -> st.SearchStrategy[Any]:
    if isinstance(kind, GraphQLNonNull):
        found = values(kind.of_type, odd)
    elif isinstance(kind, GraphQLList):
        inner = values(kind.of_type, odd)
        found = st.lists(inner, max_size=3) | (inner if odd else st.nothing())
    elif isinstance(kind, GraphQLInputObjectType):
        found = objects(kind, odd)
    elif isinstance(kind, GraphQLEnumType):
        found = st.sampled_from(sorted(kind.values))
    else:
        found = SCALARS[kind.name]
    return found | ODD if odd else found


def objects(kind: GraphQLInputObjectType, odd: bool) -> st.SearchStrategy[Any]:
    @st.composite
    def build(draw: Any) -> dict[str, Any]:
        found = {}
        for name, field in kind.fields.items():
            is_odd = odd and draw(st.integers(0, 7)) == 0
            needed = isinstance(field.type, GraphQLNonNull) and not is_odd
            if needed or draw(st.booleans()):
                is_null = not isinstance(field.type, GraphQLNonNull) and draw(st.integers(0, 3)) == 0
                found[name] = None if is_null else draw(values(field.type, is_odd))
        if odd and draw(st.integers(0, 7)) == 0:
            found["unheardOf"] = 1
        return found

    return build()


@st.composite
def selections(draw: Any, kind: GraphQLObjectType, fragments: list[str], depth: int = 0) -> str:
    found = []
    for _ in range(draw(st.integers(1, 4))):
        directive = draw(st.sampled_from(["", "", "", " @include(if: true)", " @skip(if: true)", " @skip(if: $b)"]))
        what = draw(st.integers(0, 8))
        if what == 0:
            found.append("__typename" + directive)
        elif what == 1 and depth == 0:
            found.append(f"... on Payload{directive} {{ commandId repeated }}")
        elif what == 2 and depth < 2:
            fragments.append(
                f"fragment F{len(fragments)} on {kind} {{ {draw(selections(kind, fragments, depth + 1))} }}"
            )
            name = fragments[-1].split()[1]
            found.append(f"...{name}{directive}")
        else:
            name, field = draw(st.sampled_from(sorted(kind.fields.items())))
            inner_kind = get_named_type(field.type)
            inner = f" {{ {draw(selections(inner_kind, fragments, 2))} }}" if is_composite_type(inner_kind) else ""
            alias = draw(st.sampled_from(["", f"x{name}: "]))
            found.append(f"{alias}{name}{directive}{inner}")
    return " ".join(found)


@st.composite
def cases(draw: Any) -> tuple[str, Any, list[str]]:
    odd = draw(st.booleans())
    fragments: list[str] = []
    fields, definitions, variables = [], [], {}
    chosen = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=2))
    for number, name in enumerate(chosen):
        field = TYPES.mutation_type.fields[name]  # type: ignore[union-attr]
        kind = field.args["input"].type.of_type  # type: ignore[union-attr]
        form = draw(st.integers(0, 11)) if odd else 3
        bang = "" if form == 0 else "!"
        default = ' = {commandId: "00000000-0000-0000-0000-000000000007"}' if form == 1 else ""
        definitions.append(f"$v{number}: {kind}{bang}{default}")
        if not odd or draw(st.integers(0, 9)):
            variables[f"v{number}"] = draw(values(kind, odd and draw(st.booleans())))
        given = f"$v{number}" if form != 2 else '{commandId: "00000000-0000-0000-0000-000000000007"}'
        inner = draw(selections(get_named_type(field.type), fragments))
        key = draw(st.sampled_from(["", "b: ", f"a{number}: "])) if not number else f"a{number}: "
        fields.append(f"{key}{name}(input: {given}) {{ {inner} }}")
    if odd and draw(st.booleans()):
        fields.append("__typename")
    body = " ".join([*fields, *fragments])
    if "$b" in body:
        definitions.append("$b: Boolean!")
        variables["b"] = draw(st.booleans()) if draw(st.integers(0, 5)) else "no"
    text = f"mutation M({', '.join(definitions)}) {{ {' '.join(fields)} }} {' '.join(fragments)}"
    return text, variables, draw(st.lists(st.sampled_from(sorted(DONE)), min_size=1, max_size=3))


@pytest.fixture(autouse=True)
def one_made_id(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mutations, "uuid4", lambda: FIRST)


def test_the_fast_way_gives_the_bytes_and_the_errors_of_the_standard_one() -> None:
    #: How often each way was taken: if it were never, this would test nothing.
    taken = {"fast": 0, "standard": 0, "begun": 0}

    async def both(text: str, variables: Any, todo: list[str]) -> None:
        assert await run(text, variables, todo, ADA, fast=True) == await run(text, variables, todo, ADA, fast=False)
        context = Context(ADA, Desk(todo).resources(), known=Standings(0, {}))
        data = await performed(SCHEMA, text, variables, context, None)
        taken["fast" if data is not None else "begun" if context.done else "standard"] += 1

    @given(cases())
    @settings(max_examples=200, deadline=None, suppress_health_check=[*HealthCheck])
    def compare(case: tuple[str, Any, list[str]]) -> None:
        if not prepare(SCHEMA, case[0]).errors:
            asyncio.run(both(*case))

    compare()
    for _ in range(4):  # chance may leave a way out once
        if not all(taken.values()):
            compare()
    assert all(taken.values()), taken


def by_the_standard_way(kind: Any, origin: type, value: Any) -> Any:
    found = coerce_input_value(value, kind)
    converter = SCHEMA.schema_converter
    return found if found is Undefined else convert_argument(found, origin, converter.scalar_registry, SCHEMA.config)


def test_an_input_is_what_the_standard_way_makes_of_the_variables_or_is_left_to_it() -> None:
    compiled = {
        name: coercion(TYPES.mutation_type.fields[name].args["input"].type)  # type: ignore[union-attr]
        for name in NAMES
        if name not in NO_FAST_WAY
    }
    taken = {"fast": 0, "left": 0, "refused": 0}

    @given(st.sampled_from(sorted(compiled)), st.booleans(), st.data())
    @settings(max_examples=200, deadline=None, suppress_health_check=[*HealthCheck])
    def compare(name: str, odd: bool, data: st.DataObject) -> None:
        kind = TYPES.mutation_type.fields[name].args["input"].type  # type: ignore[union-attr]
        value = data.draw(values(kind, odd))
        standard = by_the_standard_way(kind, VERBS[name].input, value)
        try:
            found = compiled[name](value)
        except Exception:
            taken["refused" if standard is Undefined else "left"] += 1
        else:
            taken["fast"] += 1
            assert (found, vars(found)) == (standard, vars(standard))

    compare()
    assert min(taken["fast"], taken["refused"]) > 0, taken  # each is a third of the cases or more


@pytest.mark.parametrize("number", [2**31 - 1, 2**31, -(2**31), -(2**31) - 1, True, 1.0, 1.5, "1", None])
def test_a_whole_number_is_taken_within_the_bounds_of_the_standard_way(number: Any) -> None:
    kind = TYPES.mutation_type.fields["startWork"].args["input"].type  # type: ignore[union-attr]
    value = {"proposalId": str(FIRST), "expectedVersion": number}
    standard = by_the_standard_way(kind, VERBS["startWork"].input, value)
    if standard is Undefined:
        with pytest.raises((Irregular, GraphQLError)):
            coercion(kind)(value)
    else:
        assert coercion(kind)(value) == standard


@pytest.mark.parametrize("name", NAMES)
def test_every_mutation_has_a_fast_way(name: str) -> None:
    kind = TYPES.mutation_type.fields[name].args["input"].type.of_type  # type: ignore[union-attr]
    text = (
        f"mutation M($input: {kind}!) {{ {name}(input: $input) {{ userErrors {{ code message path }} commandId position version "
        "repeated receipt { recordedAt facts { position leaf } } } }"
    )
    prepared = prepare(SCHEMA, text)
    given = {"input": _least(kind)}
    steps = steps_of(SCHEMA, prepared, prepared.operation(None), given, Context(ADA, Desk([]).resources()))
    assert (steps is None) == (name in NO_FAST_WAY)


def _least(kind: Any) -> Any:
    """This will give the least that a type takes."""
    if isinstance(kind, GraphQLNonNull):
        return _least(kind.of_type)
    if isinstance(kind, GraphQLList):
        return []
    if isinstance(kind, GraphQLInputObjectType):
        return {n: _least(f.type) for n, f in kind.fields.items() if isinstance(f.type, GraphQLNonNull)}
    if isinstance(kind, GraphQLEnumType):
        return next(iter(kind.values))
    least = {"UUID": str(FIRST), "DateTime": "2026-01-31T12:00:00Z", "Boolean": True, "Decimal": "1", "Position": "1"}
    return least.get(kind.name, 1 if kind.name in ("Int", "Float") else "x")


def test_a_token_that_may_not_mutate_is_told_so_as_by_the_standard_way() -> None:
    text = "mutation M($input: StartWorkInput!) { startWork(input: $input) { position } }"
    variables = {"input": {"proposalId": str(FIRST)}}

    async def both() -> list[Any]:
        return [await run(text, variables, ["recorded"], READER, fast=fast) for fast in (True, False)]

    fast, standard = asyncio.run(both())
    assert fast == standard
    assert fast[2] == []
    assert "mutate" in str(fast[1])


@pytest.mark.parametrize("fast", [True, False])
def test_a_mutation_whose_outcome_is_not_known_leaves_the_others_of_its_document_their_payloads(fast: bool) -> None:
    text = (
        "mutation M($a: StartWorkInput!) { first: startWork(input: $a) { position } second: startWork(input: $a) { position } "
        "third: startWork(input: $a) { position } }"
    )
    todo = ["recorded", "unknown", "recorded"]
    data, told, asked = asyncio.run(run(text, {"a": {"proposalId": str(FIRST)}}, todo, ADA, fast=fast))
    assert msgspec.json.decode(data) == {"first": {"position": "12"}, "second": None, "third": {"position": "12"}}
    assert [error["path"] for error, _ in told[0]] == [["second"]]
    assert len(asked) == 3


def test_what_was_done_is_not_done_again_when_the_rest_is_left_to_the_standard_way() -> None:
    text = (
        "mutation M($a: StartWorkInput!) { a: startWork(input: $a) { position } b: startWork(input: $a) { position version } "
        "c: startWork(input: $a) { position } }"
    )
    variables = {"a": {"proposalId": str(FIRST)}}
    todo = ["recorded", "no position that GraphQL can say", "recorded"]
    data, told, asked = asyncio.run(run(text, variables, todo, ADA, fast=True))
    assert len(asked) == 3
    assert msgspec.json.decode(data) == {
        "a": {"position": "12"},
        "b": {"position": "12", "version": None},
        "c": {"position": "12"},
    }
    assert "Int cannot represent" in str(told)


def test_a_cost_is_reckoned_once_for_each_length_of_a_page() -> None:
    fixed = prepare(SCHEMA, "{ backlog(first: 7) { edges { node { title } } } }")
    first = cost_of(SCHEMA, fixed, fixed.operation(None), None)
    assert cost_of(SCHEMA, fixed, fixed.operation(None), {"n": 9}) is first
    asked = prepare(SCHEMA, "query Q($n: Int) { backlog(first: $n) { edges { node { title } } } }")
    lengths: list[Any] = [7, 70, 7, 7.0, "7", None, [7], 2**40, 7]
    nodes = [cost_of(SCHEMA, asked, asked.operation(None), {"n": n}).nodes for n in lengths]
    # A list is as long as its ids are many; one for an Int is refused with the other variables, before anything is read.
    assert nodes == [7, 70, 7, 100, 100, 100, 1, 100, 7]
    assert cost_of(SCHEMA, asked, asked.operation(None), {}).nodes == 50
    again = [cost_of(SCHEMA, asked, asked.operation(None), given) for given in ({"n": 70}, {"n": 70}, {}, {})]
    assert again[0] is again[1]
    assert again[2] is again[3]
    assert first.nodes == 7
