"""Folding facts into rows in memory: what stands, and what each command closes."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from msgspec import Struct

from ledger.events import Event
from ledger.events.proposal import ProposalSubmitted, ProposalWithdrawn, SourceNoted
from ledger.values import SYSTEM, Actor, Role, TeamId
from projections.projector import PoisonFact
from projections.rows import Rows
from projections.table import Column, Table
from tests.projections.example import NOTES, TITLES, Title, titles

TEAM = TeamId(uuid4())
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def event(position: int, stream_id: UUID, fact: Struct, command_id: UUID | None = None) -> Event:
    command = command_id or uuid4()
    return Event(uuid4(), stream_id, 1, NOON, Actor(SYSTEM, Role.STEWARD), command, command, fact, position=position)


def test_a_replaced_row_is_closed_where_the_next_one_starts() -> None:
    view, one, rows = titles(), uuid4(), Rows(titles().tables)
    view.fold(rows, [event(1, one, ProposalSubmitted(TEAM, "slow build", None)), event(4, one, SourceNoted("k", "t"))])
    assert rows.tables[TITLES].versions == [(1, 4, Title(one, TEAM, "1. slow build"))]
    assert rows.get(TITLES, one) == Title(one, TEAM, "1. slow build", notes=1)


def test_the_facts_of_one_command_make_one_version_at_its_last_position() -> None:
    view, one, command, rows = titles(), uuid4(), uuid4(), Rows(titles().tables)
    facts = [ProposalSubmitted(TEAM, "slow build", None), SourceNoted("k", "t"), SourceNoted("k", "u")]
    view.fold(rows, [event(7 + n, one, fact, command) for n, fact in enumerate(facts)])
    assert rows.tables[TITLES].versions == []
    standing = rows.tables[TITLES].standing[one.int]
    assert standing is not None
    assert (standing[1], standing[0].notes) == (9, 2)
    assert [valid_from for valid_from, _, _ in rows.tables[NOTES].versions] == [9, 9]


def test_a_lookup_follows_what_is_put_and_removed() -> None:
    view, one, two, rows = titles(), uuid4(), uuid4(), Rows(titles().tables)
    view.fold(rows, [event(n, i, ProposalSubmitted(TEAM, "x", None)) for n, i in enumerate((one, two), 1)])
    assert {row.id for row in rows.where(TITLES, "team_id", TEAM)} == {one, two}
    view.fold(rows, [event(3, one, ProposalWithdrawn())])
    assert [row.title for row in rows.where(TITLES, "team_id", TEAM)] == ["2. x"]
    assert rows.get(TITLES, one) is None


def test_changing_a_row_leaves_the_version_before_it_as_it_was() -> None:
    one, rows = uuid4(), Rows((TITLES,))
    rows.put(TITLES, Title(one, TEAM, "x"))
    rows.change(TITLES, rows.need(TITLES, one), notes=1)
    rows.settle(1)
    rows.change(TITLES, rows.need(TITLES, one), notes=2)
    rows.change(TITLES, rows.need(TITLES, one), title="y")
    rows.settle(2)
    rows.put(TITLES, rows.need(TITLES, one))  # the very row that stands
    rows.change(TITLES, rows.need(TITLES, one), notes=3)
    rows.settle(3)
    assert rows.tables[TITLES].versions == [(1, 2, Title(one, TEAM, "x", 1)), (2, 3, Title(one, TEAM, "y", 2))]
    assert rows.get(TITLES, one) == Title(one, TEAM, "y", 3)


def test_a_lookup_sees_the_command_s_own_changes_however_often_it_is_asked() -> None:
    one, other, rows = uuid4(), TeamId(uuid4()), Rows((TITLES,))
    rows.put(TITLES, Title(one, TEAM, "x"))
    assert [row.id for row in rows.where(TITLES, "team_id", TEAM)] == [one]
    rows.change(TITLES, rows.need(TITLES, one), team_id=other)
    assert rows.where(TITLES, "team_id", TEAM) == []
    assert [row.id for row in rows.where(TITLES, "team_id", other)] == [one]
    rows.remove(TITLES, one)
    assert rows.where(TITLES, "team_id", other) == []
    rows.settle(1)
    assert rows.where(TITLES, "team_id", other) == []
    assert rows.tables[TITLES].versions == rows.tables[TITLES].fresh() == []


def test_a_fact_about_an_unknown_row_raises() -> None:
    with pytest.raises(PoisonFact, match="view titles, position 1, SourceNoted: LookupError: table titles has no row"):
        titles().fold(Rows(titles().tables), [event(1, uuid4(), SourceNoted("k", "t"))])


def test_a_changed_column_is_another_definition() -> None:
    other = Table("titles", Title, key=("id",), columns=(Column("id", "uuid"),), by_stream=True)
    assert other.definition != TITLES.definition
