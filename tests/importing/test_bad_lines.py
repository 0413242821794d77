"""A line that can't be is named with its number and a sentence; nothing of it is recorded, and the rest goes on."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ledger.domain.source_fact import ImportingTeam
from ledger.events.proposal import ProposalSubmitted, WorkStarted
from ledger.importing import BadLine, ImportReport, Progress, import_histories
from ledger.importing.draft import draft
from ledger.importing.lines import LINE_BYTES_MAX, Line
from ledger.importing.naming import Names
from ledger.store.application import Ledger
from ledger.store.migrations import migrate
from tests.importing.told import Log, lines_of, proposal

Load = Callable[..., ImportReport]


def changed(**more: Any) -> dict[str, Any]:
    return {**proposal("pear-bad"), **more}


def facts(*given: dict[str, Any]) -> dict[str, Any]:
    return changed(facts=list(given))


DATED = {"seq": 1, "type": "proposed", "at": "2020-05-01"}
BAD: dict[str, tuple[dict[str, Any] | bytes, str]] = {
    "broken JSON": (b'{"id": "pear-bad", "title"', "It is no whole JSON object"),
    "a list": (b"[1, 2]", "Expected `object`, got `array`"),
    "not UTF-8": (b'{"id": "pear-\xff"}', "Its bytes are not UTF-8"),
    "nested deeply": (b'{"area": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
    "too long": (b'{"id": "' + b"x" * LINE_BYTES_MAX + b'"}', "longer than 4 MiB"),
    "a lone surrogate": (b'{"id": "\\ud800"}', "It is no whole JSON object"),
    "a NUL": (json.dumps(changed(title="a\0b")).encode(), "NUL character"),
    "no id": ({"title": "x", "source": {"repo": "r"}, "facts": [DATED]}, "missing required field `id`"),
    "an empty title": (changed(title=""), "length >= 1 - at `$.title`"),
    "a title of a number": (changed(title=7), "Expected `str`, got `int` - at `$.title`"),
    "no source": ({"id": "pear-bad", "title": "x", "facts": [DATED]}, "missing required field `source`"),
    "no facts": (changed(facts=[]), "length >= 1 - at `$.facts`"),
    "too many facts": (
        changed(facts=[{"seq": n, "type": "posted", "at": "2020-05-01"} for n in range(1, 10_002)]),
        "length <= 10000 - at `$.facts`",
    ),
    "a fact of a wrong type": (facts({**DATED, "type": 5}), "fact 1: Expected `str`, got `int` - at `$.type`"),
    "a gap in seq": (
        facts(DATED, {"seq": 3, "type": "posted", "at": "2020-05-02"}),
        "fact 2: seq is 3, but seq counts 1, 2, 3",
    ),
    "seq twice": (facts(DATED, {"seq": 1, "type": "posted", "at": "2020-05-02"}), "fact 2: seq is 1"),
    "a moment without a zone": (
        facts({**DATED, "at": "2020-05-01T08:00:00"}),
        "fact 1: at is '2020-05-01T08:00:00': it names no time zone. Write 2026-01-31",
    ),
    "a day that never was": (facts({**DATED, "at": "2020-02-31"}), "fact 1: at is '2020-02-31': date."),
    "a moment before all": (facts({**DATED, "at": "0001-01-01T00:00:00+14:00"}), "it is out of range"),
    "a moment to come": (
        facts({**DATED, "at": "2999-01-31T12:00:00Z"}),
        "fact 1: at is '2999-01-31T12:00:00Z', but the ledger's clock has not passed 2",
    ),
    "a day to come": (facts({**DATED, "recorded_at": "2999-01-31"}), "fact 1: recorded_at is '2999-01-31', but"),
    "a bound to come": (
        facts(DATED, {"seq": 2, "type": "posted", "not_after": "2999-01-31"}),
        "fact 2: not_after is '2999-01-31', but the ledger's clock",
    ),
    "known at a day to come": (
        facts(DATED, {"seq": 2, "type": "posted", "known_by": "2999-01-31"}),
        "fact 2: known_by is '2999-01-31', but",
    ),
    "a case to come": (
        changed(business_case={"text": "The pears rot.", "recorded_at": "2999-01-31"}),
        "business_case.recorded_at is '2999-01-31', but",
    ),
    "no date at all": (facts({"seq": 1, "type": "proposed"}), "None of its facts has a date"),
    "never proposed": (facts({"seq": 1, "type": "posted", "at": "2020-05-01"}), "It has 0 facts of the type proposed"),
    "proposed twice": (facts(DATED, {**DATED, "seq": 2}), "It has 2 facts of the type proposed"),
    "an unknown verdict": (
        proposal("pear-bad", {"type": "decided", "at": "2020-06-01", "verdict": "perhaps"}),
        "fact 2: It is decided with the verdict perhaps. Use accepted, rejected, deferred, duplicate, invalid.",
    ),
    "no verdict": (
        proposal("pear-bad", {"type": "decided", "at": "2020-06-01"}),
        "fact 2: It is decided with no verdict.",
    ),
    "effort below zero": (
        proposal("pear-bad", {"type": "estimated", "at": "2020-06-01", "estimate": {"value": -3, "unit": "hours"}}),
        "fact 2: An effort of -3 hours cannot be. Give a number from 0 to 10000000.",
    ),
    "hours in words": (
        proposal("pear-bad", {"type": "estimated", "at": "2020-06-01", "estimate": {"value": "two", "unit": "hours"}}),
        "An effort of two hours cannot be.",
    ),
    "a true estimate": (
        proposal("pear-bad", {"type": "estimated", "at": "2020-06-01", "estimate": {"value": True, "unit": "hours"}}),
        "Expected `int | float | str | null`, got `bool`",
    ),
    "a case without text": (changed(business_case={"truncated": True}), "business_case: Object missing required"),
    "a name that is no name": (changed(proposers=[""]), "length >= 1 - at `$.proposers[0]`"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_line_that_cannot_be_is_named_and_leaves_nothing(
    case: str, load: Load, log: Callable[[], Log], written: Callable[..., Path]
) -> None:
    line, sentence = BAD[case]
    report = load(written(proposal("pear-1"), line, proposal("pear-2")))
    (bad,) = report.files[0].bad_lines
    assert bad.line == 2
    assert sentence in bad.reason
    assert str(bad).startswith(f"{bad.path}:2")
    assert not report.ok
    assert sorted(e.source.external_id for e in log().of(ProposalSubmitted) if e.source) == ["pear-1#1", "pear-2#1"]
    assert report.facts_recorded == 2
    assert len(log().events) == 3  # the team, and two proposals


def test_clocks_may_disagree_a_little_and_a_day_begins_in_the_east(
    load: Load, log: Callable[[], Log], written: Callable[..., Path]
) -> None:
    now = datetime.now(UTC)

    def begun(at: datetime, form: str = "%Y-%m-%dT%H:%M:%SZ") -> dict[str, Any]:
        return {"type": "started", "at": at.strftime(form)}

    east = now + timedelta(hours=13)  # where it is this day already
    far = now + timedelta(hours=40)  # where it is nowhere
    report = load(
        written(
            proposal("pear-1", begun(now + timedelta(minutes=3))),
            proposal("pear-2", begun(now + timedelta(minutes=30))),
            proposal("pear-3", begun(east, "%Y-%m-%d")),
            proposal("pear-4", begun(far, "%Y-%m-%d")),
        )
    )
    assert [bad.external_id for bad in report.files[0].bad_lines] == ["pear-2", "pear-4"]
    assert sorted(e.source.external_id for e in log().of(WorkStarted) if e.source) == ["pear-1#2", "pear-3#2"]


def test_a_process_that_decides_beside_leaves_what_is_to_come_to_be_refused() -> None:
    names = Names("example/orchard")
    teams = {names.system: ImportingTeam(names.team_id, Decimal(8))}
    content = lines_of([proposal("pear-1")])
    line = Line(1, 0, len(content), content)
    begun = datetime(2020, 5, 1, 8, tzinfo=UTC)
    assert draft(line, teams, begun) is not None
    assert draft(line, teams, begun - timedelta(microseconds=1)) is None


def test_a_story_tells_of_times_that_are_still_to_come(empty_database_url: str, written: Callable[..., Path]) -> None:
    migrate(empty_database_url, clock="story")
    later = {"type": "withdrawn", "at": "2999-01-01T00:00:00Z"}
    with Ledger(empty_database_url) as story:
        assert import_histories(story, empty_database_url, [written(proposal("pear-1", later))]).ok


def test_a_second_line_of_an_id_is_refused(load: Load, log: Callable[[], Log], written: Callable[..., Path]) -> None:
    report = load(written(proposal("pear-1"), proposal("pear-2"), proposal("pear-1", title="Another")))
    (bad,) = report.files[0].bad_lines
    assert (bad.line, bad.code, bad.external_id) == (3, "CONFLICT", "pear-1")
    assert bad.reason == "Line 1 has the id pear-1 already. Keep one of them."
    assert len(log().of(ProposalSubmitted)) == 2


def test_the_same_number_with_other_content_is_a_conflict_and_nothing_of_the_line_is_recorded(
    load: Load, log: Callable[[], Log], written: Callable[..., Path]
) -> None:
    withdrawn = {"type": "withdrawn", "at": "2020-06-01", "reason": "The pears are ripe."}
    load(written(proposal("pear-1", withdrawn)))
    before = log().story()
    rewritten = proposal("pear-1", {**withdrawn, "reason": "It hailed."}, {"type": "posted", "at": "2020-07-01"})
    report = load(written(rewritten, proposal("pear-2")))
    (bad,) = report.files[0].bad_lines
    assert (bad.line, bad.code, bad.external_id) == (1, "CONFLICT", "pear-1")
    assert "pear-1#2 was imported before with other content, and what is recorded stays." in bad.reason
    assert log().story()[: len(before)] == before
    assert len(log().events) == len(before) + 1


def test_strict_stops_at_the_first_bad_line(ledger: Ledger, database_url: str, written: Callable[..., Path]) -> None:
    told: list[BadLine] = []
    good = written(proposal("pear-0"), name="good.jsonl")
    bad = written(proposal("pear-1"), b"{", b"{", proposal("pear-2"), name="bad.jsonl")
    never = written(proposal("pear-3"), name="never.jsonl")
    report = import_histories(ledger, database_url, [good, bad, never], strict=True, bad_line=told.append)
    assert report.stopped
    assert [(line.path, line.line) for line in told] == [(str(bad), 2)]
    assert [file.path for file in report.files] == [str(good), str(bad)]
    assert [e.fact.title for e in Log(ledger).of(ProposalSubmitted)] == ["Prune pear-0"]


def test_bad_lines_are_told_in_their_order(ledger: Ledger, database_url: str, written: Callable[..., Path]) -> None:
    told: list[BadLine] = []
    unknown = proposal("pear-1", {"type": "decided", "at": "2020-06-01", "verdict": "maybe"})
    path = written(unknown, b"{", proposal("pear-2"), proposal("pear-2"), b"{")
    import_histories(ledger, database_url, [path], bad_line=told.append)
    assert [line.line for line in told] == [1, 2, 4, 5]


def test_empty_lines_and_unknown_keys_are_let_through(load: Load, written: Callable[..., Path]) -> None:
    further = {"type": "posted", "at": "2020-06-01", "mood": None, "depth": {"a": [1, {"b": 2.5}]}}
    report = load(written(b"", proposal("pear-1", further, weather="wet"), b"   "))
    assert report.ok
    assert report.facts_recorded == 2


def test_the_mark_that_some_programs_set_before_utf_8_is_passed_over(
    load: Load, written: Callable[..., Path], tmp_path: Path
) -> None:
    path = tmp_path / "marked.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + written(proposal("pear-1"), b"{", proposal("pear-2")).read_bytes())
    report = load(path)
    assert [bad.line for bad in report.files[0].bad_lines] == [2]
    assert report.facts_recorded == 2
    strict = load(path, strict=True)
    assert (strict.stopped, [bad.line for bad in strict.files[0].bad_lines]) == (True, [2])


def test_a_file_that_cannot_be_read_is_said_before_anything_begins(
    ledger: Ledger, database_url: str, written: Callable[..., Path], tmp_path: Path
) -> None:
    good = written(proposal("pear-1"))
    with pytest.raises(FileNotFoundError):
        import_histories(ledger, database_url, [good, tmp_path / "nowhere.jsonl"])
    assert ledger.head() == 0


def test_progress_counts_bytes_and_then_facts(ledger: Ledger, database_url: str, orchard: Path) -> None:
    told: list[Progress] = []
    report = import_histories(ledger, database_url, [orchard], progress=told.append)
    assert [p.phase for p in told] == ["READING", "RECORDING"]
    assert (told[0].done, told[0].total) == (orchard.stat().st_size, orchard.stat().st_size)
    assert told[1].done == told[1].total == report.facts_recorded
