"""Whoever takes a copy out leaves a trace of it, and gets a whole file or none."""

import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import duckdb
import psycopg
import pytest
from cloudevents.http import from_json
from msgspec.json import encode

from ledger.exports import views
from ledger.exports.choosing import Chosen
from ledger.store.application import Ledger
from ledger.store.integrity.export import verify_export
from projections.catalogue import VIEWS
from projections.rebuild import rebuild
from tests.cli.conftest import Cli
from tests.projections import story
from tests.projections.recording import Recorder, ledger_of

ELSEWHERE = UUID(int=77)


@pytest.fixture
def told(database_url: str) -> int:
    """A story of the team checkout, and one fact of another; the last position."""
    with ledger_of(database_url) as ledger:
        recorder = Recorder(ledger)
        story.tell(recorder)
        head = recorder.record((ELSEWHERE, story.proposal.ProposalSubmitted(story.OTHER_TEAM, "=1+1", story.ANA)))
        rebuild(database_url, ledger, VIEWS)
    return head


def subjects(url: str) -> list[str]:
    with psycopg.connect(url) as connection:
        query = "SELECT kind, subject FROM directory.access ORDER BY access_id"
        found = connection.execute(query).fetchall()
    assert {kind for kind, _ in found} <= {"EXPORTED"}
    return [subject for _, subject in found]


def facts(url: str) -> list[Any]:
    with Ledger(url) as ledger:
        return ledger.read(0, 10_000)


def test_an_export_is_recorded_and_not_written_over(cli: Cli, database_url: str, tmp_path: Path) -> None:
    exported = cli.run("export", str(tmp_path / "facts.jsonl"), "--json")
    assert exported.code == 0, exported.err
    again = cli.run("export", str(tmp_path / "facts.jsonl"))
    assert again.code == 1
    alone = cli.run("verify", "--export", str(tmp_path / "facts.jsonl"))
    assert "There is no checkpoint to hold them against: give one with --checkpoint and --key." in alone.out
    assert cli.run("export", "-").code == 0
    assert subjects(database_url) == ["0 facts as JSON Lines, all there are"] * 2


def test_a_part_says_that_it_is_one_and_is_not_taken_for_the_whole(
    cli: Cli, database_url: str, told: int, tmp_path: Path
) -> None:
    file = tmp_path / "part.jsonl"
    exported = cli.run("export", str(file), "--team", "Checkout", "--until", "2026-01-02T12:30:00", "--json")
    assert exported.code == 0, exported.err
    first, *lines = map(json.loads, file.read_bytes().splitlines())
    assert first["partial"]["team_id"] == str(story.TEAM)
    assert (first["partial"]["until"], first["partial"]["head"]) == ("2026-01-02T12:30:00Z", told)
    until = datetime(2026, 1, 2, 12, 30, tzinfo=UTC)
    ours = {story.TEAM, story.REVIEW, story.SECOND_REVIEW, story.DECLINED, story.POSTPONED, story.ACCEPTED}
    ours |= {story.CARRIED, story.REDIRECTED, story.UNSEEN}
    wanted = [
        event.position
        for event in facts(database_url)
        if event.occurred_at < until and (event.stream_id in ours or type(event.fact).__name__ == "PolicyActivated")
    ]
    assert [line["position"] for line in lines] == wanted
    assert exported.json() | {"seconds": 0, "root": ""} == {
        "facts": len(wanted),
        "of": told,
        "partial": True,
        "seconds": 0,
        "root": "",
    }

    found = verify_export(file)
    assert found.fault is not None
    assert "a part of ledger" in found.fault.message
    checked = cli.run("verify", "--export", str(file))
    assert checked.code == 1
    assert "A part can't show that nothing is missing" in checked.out
    refused = cli.run("import", str(file), "--format", "facts")
    assert refused.code == 1

    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[1:]))
    assert not verify_export(file).holds
    assert subjects(database_url) == [
        f"{len(wanted)} facts as JSON Lines, team {story.TEAM} to before 2026-01-02 12:30Z"
    ]


def test_cloud_events_are_read_by_the_library_and_say_every_fact(
    cli: Cli, database_url: str, told: int, tmp_path: Path
) -> None:
    file = tmp_path / "events.jsonl"
    exported = cli.run("export", str(file), "--format", "cloudevents")
    assert exported.code == 0, exported.err
    found = [from_json(line) for line in file.read_bytes().splitlines()]
    events = facts(database_url)
    assert [event["id"] for event in found] == [str(event.event_id) for event in events]
    assert [event.data for event in found] == [json.loads(encode(event.fact)) for event in events]
    assert sorted(event["sequence"] for event in found) == [event["sequence"] for event in found]
    assert all(name.isalnum() and name.islower() for event in found for name in event.get_attributes())
    assert {event["specversion"] for event in found} == {"1.0"}
    imported = [event for event in found if event.get_attributes().get("origin")]
    assert {event["origin"] for event in imported} == {"peps/pep-0315"}
    assert subjects(database_url) == [f"{told} facts as CloudEvents, all there are"]


@pytest.mark.parametrize("format_", ["parquet", "csv"])
def test_a_view_is_a_table_for_other_programs(
    cli: Cli, database_url: str, told: int, tmp_path: Path, format_: str
) -> None:
    file = tmp_path / f"it's declined.{format_}"
    exported = cli.run("export", str(file), "--format", format_, "--view", "declined", "--json")
    assert exported.code == 0, exported.err
    assert exported.json()["position"] == told
    with duckdb.connect() as reading:
        query = "SELECT decision_id::VARCHAR, disposition, told, reasons, epoch(decided_at) FROM read_"
        query += f"{format_}(?) ORDER BY decided_at"
        rows = reading.execute(query, [str(file)]).fetchall()
    by_id = {row[0]: row for row in rows}
    assert set(by_id) == {
        str(each) for each in (story.NO, story.NOT_NOW, story.ELSEWHERE, story.OLD_DEFERRAL, story.OLD_NO)
    }
    _, disposition, was_told, reasons, decided = by_id[str(story.NO)]
    (taken,) = (
        e
        for e in facts(database_url)
        if isinstance(e.fact, story.proposal.DecisionTaken) and e.fact.decision_id == story.NO
    )
    assert (disposition, was_told, decided) == ("DECLINE", True, taken.occurred_at.timestamp())
    assert json.loads(reasons)[0]["text"] == story.TEXT
    called = "Parquet" if format_ == "parquet" else "CSV"
    assert subjects(database_url) == [f"5 rows of declined as {called}, all there are"]
    assert [each.name for each in tmp_path.iterdir()] == [file.name]


@pytest.mark.parametrize("name", views.VIEWS)
def test_every_view_is_written_by_team_and_period(database_url: str, told: int, tmp_path: Path, name: str) -> None:
    def rows(chosen: Chosen) -> int:
        out = tmp_path / "rows.parquet"
        copied = views.copy(database_url, name, chosen, out, "parquet")
        with duckdb.connect() as reading:
            found = reading.execute("SELECT count(*) FROM read_parquet(?)", [str(out)]).fetchone()
        assert found == (copied.rows,)
        return copied.rows

    everything = rows(Chosen())
    assert everything > 0
    assert rows(Chosen(story.TEAM)) + rows(Chosen(story.OTHER_TEAM)) == everything
    noon = datetime(2026, 1, 2, 12, 12, tzinfo=UTC)
    assert rows(Chosen(until=noon)) + rows(Chosen(since=noon)) == everything


def test_a_page_at_a_time_gives_every_row_once(
    database_url: str, told: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = views.copy(database_url, "proposals", Chosen(), tmp_path / "a.csv", "csv")
    monkeypatch.setattr(views, "PAGE", 2)
    assert views.copy(database_url, "proposals", Chosen(), tmp_path / "b.csv", "csv") == whole
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()


def test_without_the_extra_it_is_named(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(views.ExtraMissing, match=r"decision-ledger\[export\]"):
        views.copy(database_url, "declined", Chosen(), tmp_path / "a.csv", "csv")


def test_what_can_t_be_exported_leaves_nothing_and_says_why(cli: Cli, database_url: str, tmp_path: Path) -> None:
    file = str(tmp_path / "x")
    for arguments, code, says in [
        (("--format", "csv", "--view", "declined"), 1, "not built yet"),
        (("--format", "csv"), 2, "--view"),
        (("--view", "declined"), 2, "--view"),
        (("--team", "nobody"), 1, "No team is called nobody"),
        (("--since", "2026-02-01", "--until", "2026-01-01"), 2, "nothing can lie between"),
    ]:
        ran = cli.run("export", file, *arguments)
        assert (ran.code, says in ran.err) == (code, True), (arguments, ran.err)
    assert os.listdir(tmp_path) == []
    assert subjects(database_url) == []


def test_a_report_is_a_page_or_markdown_and_is_recorded(cli: Cli, database_url: str, told: int, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    written = cli.run("report", str(story.DECLINED), "--out", str(file), "--json")
    assert written.code == 0, written.err
    assert written.json()["position"] == told
    assert file.read_text("utf-8").startswith("<!doctype html>")
    assert cli.run("report", str(story.DECLINED), "--out", str(file)).code == 1
    printed = cli.run("report", str(story.DECLINED), "--as-of", "40")
    assert printed.code == 0, printed.err
    assert printed.out.startswith("# ")
    by_source = cli.run("report", "no-such", "--source", "peps")
    assert (by_source.code, "There is no proposal no-such of the source peps " in by_source.err) == (1, True)
    mistyped = cli.run("report", "pep-0315")
    assert (mistyped.code, "goes with --source" in mistyped.err) == (2, True)
    unknown = cli.run("report", str(story.TEAM))
    assert (unknown.code, "There is no proposal" in unknown.err) == (1, True)
    assert subjects(database_url) == [
        f"report of proposal {story.DECLINED} at position {told}",
        f"report of proposal {story.DECLINED} at position 40",
    ]
    assert [each.name for each in tmp_path.iterdir()] == ["report.html"]
