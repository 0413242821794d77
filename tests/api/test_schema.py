"""The schema is a promise to clients: it is committed, described throughout, and breaks nobody unnoticed."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    build_schema,
    find_breaking_changes,
    introspection_types,
    is_specified_scalar_type,
)

import ledger.api
from ledger.api.connection import Connection
from ledger.api.node import READERS
from ledger.api.reading import CHANGING
from ledger.api.schema import NODES, NOUNS, build, sdl
from ledger.commands import catalogue, member, policy, proposal, review, simulation, team
from ledger.domain.authority import PERMISSIONS
from ledger.domain.rejected import Code

COMMITTED = Path(ledger.api.__file__).parent / "schema.graphql"


def told(before: str, after: str) -> str:
    """What a client must be told about a change of the schema: a failure's text."""
    breaking = [
        f"- {change.description}" for change in find_breaking_changes(build_schema(before), build_schema(after))
    ]
    return (
        "The schema is not the committed one. "
        + ("It breaks clients:\n" + "\n".join(breaking) if breaking else "Nothing of it breaks a client.")
        + "\nIf that is meant: python -m ledger.api.schema > ledger/api/schema.graphql, and a line in CHANGELOG.md."
    )


def test_the_schema_is_the_committed_one() -> None:
    committed, now = COMMITTED.read_text("utf-8"), sdl()
    if committed != now:
        pytest.fail(told(committed, now), pytrace=False)


def test_a_breaking_change_is_named() -> None:
    now = sdl()
    changed = now.replace('  """The program that the token was made for."""\n  client: String!\n', "")
    assert changed != now
    assert "Viewer.client was removed." in told(now, changed)
    assert "Nothing of it breaks" in told(changed, now)
    needed = now.replace("input FormTeamInput {\n", 'input FormTeamInput {\n  """New."""\n  motto: String!\n\n')
    assert "motto" in told(now, needed)


def lacking(schema: GraphQLSchema) -> Iterator[str]:
    """Everything in a schema that has no description."""
    for name, kind in schema.type_map.items():
        if name in introspection_types or is_specified_scalar_type(kind):
            continue
        if not kind.description:
            yield name
        if isinstance(kind, GraphQLEnumType):
            yield from (f"{name}.{value}" for value, found in kind.values.items() if not found.description)
        if isinstance(kind, (GraphQLObjectType, GraphQLInterfaceType, GraphQLInputObjectType)):
            for field, found in kind.fields.items():
                if not found.description:
                    yield f"{name}.{field}"
                for argument, value in getattr(found, "args", {}).items():
                    if not value.description:
                        yield f"{name}.{field}({argument})"


def test_everything_is_described() -> None:
    assert list(lacking(build()._schema)) == []


def test_what_is_not_described_is_found() -> None:
    bare = build_schema("type Query { a(b: C): D } input C { e: Int } enum D { F }")
    assert sorted(lacking(bare)) == ["C", "C.e", "D", "D.F", "Query", "Query.a", "Query.a(b)"]


def test_every_command_has_a_mutation_and_every_rejection_a_code() -> None:
    mutation, codes = build()._schema.mutation_type, build()._schema.type_map["UserErrorCode"]
    assert mutation is not None
    commands = {
        name[0].lower() + name[1:]
        for module in (proposal, review, team, member, policy, catalogue, simulation)
        for name, found in vars(module).items()
        if isinstance(found, type) and found.__module__ == module.__name__ and found is not proposal.BusinessCase
    }
    assert set(mutation.fields) == commands | set(CHANGING)
    assert len(commands) == len(PERMISSIONS)
    assert isinstance(codes, GraphQLEnumType)
    assert set(codes.values) == set(Code)


def test_every_mutation_takes_one_input_and_answers_alike() -> None:
    mutation = build()._schema.mutation_type
    assert mutation is not None
    for name, field in mutation.fields.items():
        assert list(field.args) == ["input"], name
        assert not str(field.type).endswith("!"), (
            f"an error of {name} would empty the payloads of the others in its document"
        )
        kind = build()._schema.type_map[f"{name[0].upper()}{name[1:]}Payload"]
        assert isinstance(kind, GraphQLObjectType)
        assert [interface.name for interface in kind.interfaces] == ["Payload"]


def test_every_list_that_grows_is_paged() -> None:
    query = build()._schema.query_type
    assert query is not None
    for name, field in query.fields.items():
        if "after" in field.args:
            assert "first" in field.args, name
            assert str(field.type).rstrip("!").endswith(Connection.__name__), name


def test_nouns_and_nodes_are_each_named_once() -> None:
    assert len(set(NOUNS)) == len(NOUNS)
    schema = build()._schema
    assert READERS == NODES  # building it fills them in
    kinds = schema.get_possible_types(schema.type_map["Node"])  # type: ignore[arg-type]
    assert {kind.name for kind in kinds} == set(NODES)
