"""The columns hold what the log says, are extended rather than read anew, and know only what was known."""

from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import numpy as np
import psycopg
import pytest

from ledger.demo.showing import show
from ledger.events.proposal import DecisionTaken, EstimateChanged, EstimateGiven, ProposalSubmitted
from ledger.handlers.redaction import RedactionAsked, redact
from ledger.ranking import Item, expected_days
from ledger.replay import loading
from ledger.replay.history import DAY_US, UNSAID, History, micros, ordered
from ledger.replay.keeping import forget
from ledger.replay.kinds import Kind
from ledger.replay.loading import load
from ledger.store.application import Ledger
from ledger.values import SYSTEM, Verdict
from tests import databases
from tests.databases import Server
from tests.replay.tale import START_US, Tale


def test_the_columns_say_what_the_log_says(story_url: str, story: History) -> None:
    with Ledger(story_url) as ledger:
        events = ledger.read(0, 10_000)
    by_position = {int(position): row for row, position in enumerate(story.positions)}
    checked = 0
    for event in events:
        row = by_position.get(event.position)
        match event.fact:
            case EstimateGiven() | EstimateChanged() as fact:
                days = expected_days(Item(fact.optimistic, fact.likely, fact.pessimistic))
                assert row is not None
                assert story.figures[row, 1] == days
            case DecisionTaken() as fact:
                assert row is not None
                assert story.figures[row, 0] == (fact.verdict is Verdict.YES)
                assert fact.review_id is not None
                assert story.names.review(int(story.figures[row, 2])) == fact.review_id
            case ProposalSubmitted() as fact:
                assert row is not None
                assert story.names.titles[story.subject[row]] == fact.title
                assert story.names.proposal(story.subject[row]) == event.stream_id
            case _:
                continue
        assert event.recorded_at is not None
        assert story.known[row] == micros(event.recorded_at)
        assert story.occurred[row] == micros(event.occurred_at)
        checked += 1
    assert checked > 150
    assert story.position == events[-1].position


def test_a_cached_history_is_extended_and_equals_one_read_anew(
    story_url: str, story: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    half = story.position // 2
    with monkeypatch.context() as patched:
        patched.setattr(loading, "_HEAD", f"SELECT i.ledger_id, {half}::bigint FROM ledger.identity AS i")
        first = load(story_url, tmp_path)
    assert first.position == half
    read: list[int] = []
    extended = load(story_url, tmp_path, lambda done, total: read.append(done))
    assert read[0] > half
    for name in ("kind", "subject", "positions", "known", "occurred", "imported", "figures"):
        assert np.array_equal(getattr(extended, name), getattr(story, name), equal_nan=name == "figures")
    assert extended.names.titles == story.names.titles
    assert np.array_equal(extended.names.proposals, story.names.proposals)
    read.clear()
    again = load(story_url, tmp_path, lambda done, total: read.append(done))
    assert read == [story.position]  # nothing was read
    assert np.array_equal(again.figures, story.figures, equal_nan=True)


@pytest.mark.parametrize("harm", ["truncated", "flipped", "foreign", "restored"])
def test_a_cache_that_does_not_belong_to_the_log_is_read_anew(
    story_url: str, story: History, tmp_path: Path, harm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(story_url, tmp_path)
    (path,) = tmp_path.glob("history-*.npz")
    stored = bytearray(path.read_bytes())
    if harm == "truncated":
        path.write_bytes(stored[: len(stored) // 2])
    elif harm == "flipped":
        stored[len(stored) // 2] ^= 1
        path.write_bytes(stored)
    elif harm == "foreign":
        path.rename(tmp_path / f"history-{uuid4()}.npz")
    else:
        monkeypatch.setattr(loading, "_leaf", lambda connection, position: b"another log")
    read: list[int] = []
    again = load(story_url, tmp_path, lambda done, total: read.append(done))
    assert len(read) == 2  # a page, and the end
    assert np.array_equal(again.figures, story.figures, equal_nan=True)


def test_the_database_is_only_read(story_url: str) -> None:
    def facts() -> tuple[int, int]:
        with psycopg.connect(story_url) as connection:
            found = connection.execute("SELECT count(*), max(position) FROM ledger.events").fetchone()
            assert found is not None
            return found

    before = facts()
    load(story_url)
    assert facts() == before


def test_facts_are_in_the_order_of_knowing(imported: History) -> None:
    assert (np.diff(imported.known) >= 0).all()
    ties = np.diff(imported.known) == 0
    assert (np.diff(imported.positions)[ties] > 0).all()


def test_nothing_is_known_of_a_proposal_before_the_proposal(imported: History) -> None:
    first: dict[int, int] = {}
    for row in np.flatnonzero(imported.kind <= Kind.LOSS):
        first.setdefault(int(imported.subject[row]), int(imported.kind[row]))
    assert set(first.values()) == {int(Kind.SUBMITTED)}


def test_a_cut_holds_no_trace_of_what_came_later() -> None:
    tale = Tale()
    tale.submit(1, 0, days=2, drag=3)
    tale.submit(5, 1, days=4, drag=9)
    whole = tale.history()
    cut = whole.cut(whole.known_by(whole.known[0] + 2 * 86_400_000_000))
    assert len(cut.names.proposals) == 1
    assert cut.names.titles == ("Item 0",)
    assert set(cut.kind) == {Kind.TEAM_FORMED, Kind.SUBMITTED, Kind.ESTIMATED, Kind.IMPACT}
    for name in ("kind", "subject", "known", "figures"):
        column = getattr(cut, name)
        assert column.base is None or len(column.base) == len(column)
        assert not np.shares_memory(column, getattr(whole, name))


@pytest.mark.parametrize("has_started", [True, False])
def test_an_undated_fact_is_known_no_earlier_than_the_next_that_is_dated(has_started: bool) -> None:
    """Known too early it would be hindsight: nobody could see on the day of the estimate that the task would be dropped."""
    tale = Tale()
    tale.submit(1, 0, days=2)
    tale.tell(2, Kind.DECIDED, 0, 1, 0, -1, imported=True)
    if has_started:
        tale.tell(40, Kind.STARTED, 0, 0, imported=True)
    tale.submit(90, 1)
    tale.tell(90, Kind.ESTIMATED, 1, 1, 4, 4, 4, 4, imported=True)
    told = tale.history()
    undated = np.flatnonzero(told.kind == Kind.DECIDED)
    known = told.known.copy()
    known[undated] = UNSAID
    laid = ordered(
        told.ledger_id,
        told.position,
        told.kind,
        told.subject,
        told.positions,
        known,
        told.occurred,
        told.imported,
        told.figures,
        told.names,
    )
    (row,) = np.flatnonzero(laid.kind == Kind.DECIDED)
    assert (laid.known[row] - START_US) // DAY_US == (40 if has_started else 90)
    assert laid.known.max() == told.known.max()  # and the log ends when it ended


def test_no_undated_fact_of_a_real_history_is_known_before_the_work_that_followed(imported: History) -> None:
    yes = imported.of(Kind.DECIDED)
    yes = yes[imported.figures[yes, 0] == 1]
    decided = dict(zip(imported.subject[yes].tolist(), imported.known[yes].tolist(), strict=True))
    starts = [row for row in imported.of(Kind.STARTED) if int(imported.subject[row]) in decided]
    later = [row for row in starts if decided[int(imported.subject[row])] == imported.known[row]]
    assert len(later) > 3_000


def test_a_title_that_was_redacted_is_in_no_file_of_the_replay(server: Server, tmp_path: Path) -> None:
    with server.admin() as admin, databases.database(server, admin) as url:
        show(url, b"x" * 32, lambda done, total: None)
        before = load(url, tmp_path)
        (path,) = tmp_path.glob("history-*.npz")
        title, number = before.names.titles[3], 3
        assert title.encode() in path.read_bytes()
        row = int(before.submission_of(number)[0])
        with Ledger(url) as ledger:
            asked = RedactionAsked(
                int(before.positions[row]), SYSTEM, "a customer's name was in it", "GDPR Article 17(1)(d)"
            )
            redact(ledger, url, asked, command_id=uuid4(), at=datetime.now(UTC))
        after = load(url, tmp_path)
        assert after.names.titles[number] == "Redacted"
        assert after.names.titles[:number] == before.names.titles[:number]
        assert np.array_equal(after.figures, before.figures, equal_nan=True)
        assert after.names.titles == load(url).names.titles  # read anew, it is the same
        assert title.encode() not in path.read_bytes()
        forget(tmp_path)  # as the command line does at once
        assert list(tmp_path.iterdir()) == []


def test_a_log_that_has_grown_is_read_up_to_where_it_was(story_url: str, story: History, tmp_path: Path) -> None:
    load(story_url, tmp_path)
    half = load(story_url, tmp_path, upto=story.position // 2)
    assert half.position == story.position // 2
    assert set(half.positions) == {position for position in story.positions if position <= half.position}
    assert load(story_url, tmp_path).position == story.position
