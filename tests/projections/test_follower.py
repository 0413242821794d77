"""Following: batches, leaders and spares, and facts that a view can't make sense of."""

import logging
import multiprocessing
import os
import signal
import threading
import time
from uuid import UUID, uuid4

import psycopg
import pytest

from ledger.events.proposal import ProposalSubmitted, ProposalWithdrawn, SourceNoted
from ledger.store.application import Ledger
from ledger.values import TeamId
from projections.follower import Follower
from projections.projector import View
from projections.rows import Rows
from projections.table import Column, Table
from tests.projections.example import TITLES, Title, titles
from tests.projections.recording import Recorder, contents, ledger_of, position_of

TEAM = TeamId(uuid4())
OTHERS = Table("others", Title, key=("id",), columns=(Column("id", "uuid"),), by_stream=True)


def fill(recorder: Recorder, count: int = 30) -> list[UUID]:
    streams = [uuid4() for _ in range(count)]
    for number, stream in enumerate(streams):
        recorder.record((stream, ProposalSubmitted(TEAM, f"title {number}", None)), (stream, SourceNoted("k", "a")))
        if number % 3 == 0:
            recorder.record((streams[number // 2], SourceNoted("k", "b")))
    recorder.record((streams[0], ProposalWithdrawn()))
    return streams


def others(poison: str = "poison") -> View:
    def submitted(rows: Rows, event: object, fact: ProposalSubmitted) -> None:
        if fact.title == poison:
            raise ValueError("this title is poison")
        rows.put(OTHERS, Title(event.stream_id, fact.team_id, fact.title))  # type: ignore[attr-defined]

    return View("others", (OTHERS,), {ProposalSubmitted: submitted})


@pytest.mark.parametrize("batch", [1, 4, 1000])
def test_the_size_of_a_batch_changes_nothing(database_url: str, recorder: Recorder, batch: int) -> None:
    streams = fill(recorder)
    head = recorder.ledger.head()
    with Follower(database_url, recorder.ledger, [titles()], batch=batch) as follower:
        assert follower.wait_for("titles", head, 20)
        assert follower.lag() == {"titles": 0}
    rows = contents(database_url, [titles()])
    whole = titles()
    folded = Rows(whole.tables)
    whole.fold(folded, recorder.ledger.read(0, 1000))
    for table in whole.tables:
        assert len(rows[table.name]) == len(folded.tables[table].versions + folded.tables[table].fresh())
    assert len(contents(database_url, [titles()], head)["titles"]) == len(streams) - 1


def test_a_poison_fact_stops_its_own_view_at_its_own_position_and_loudly(
    database_url: str, recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    fill(recorder, 5)
    poison = recorder.record((uuid4(), ProposalSubmitted(TEAM, "poison", None)))
    fill(recorder, 5)
    head = recorder.ledger.head()
    with caplog.at_level(logging.CRITICAL), Follower(database_url, recorder.ledger, [others(), titles()]) as follower:
        assert follower.wait_for("titles", head, 20)
        assert not follower.wait_for("others", head, 20)
        later = recorder.record((uuid4(), ProposalSubmitted(TEAM, "after it", None)))
        assert follower.wait_for("titles", later, 20)
    position, fault = position_of(database_url, "others")
    assert position == poison - 1
    assert fault is not None
    assert "this title is poison" in fault
    assert [record.getMessage() for record in caplog.records] == [
        f"view others has stopped before position {poison}; the other views go on"
    ]
    with Follower(database_url, recorder.ledger, [others("mended")]) as follower:
        assert follower.wait_for("others", later, 20)
    assert position_of(database_url, "others") == (later, None)


def test_of_views_that_another_version_built_the_one_that_cannot_be_built_again_stops_alone(
    database_url: str, recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    fill(recorder, 5)
    poison = recorder.record((uuid4(), ProposalSubmitted(TEAM, "poison", None)))
    head = recorder.ledger.head()
    with Follower(database_url, recorder.ledger, [others("none"), titles()]) as follower:
        assert follower.wait_for("titles", head, 20)
        assert follower.wait_for("others", head, 20)
    newer = [View(view.name, view.tables, view.on, version=2) for view in (others(), titles())]
    with caplog.at_level(logging.CRITICAL), Follower(database_url, recorder.ledger, newer) as follower:
        later = recorder.record((uuid4(), ProposalSubmitted(TEAM, "after it", None)))
        assert follower.wait_for("titles", later, 20)
        assert not follower.wait_for("others", later, 20)
    _, fault = position_of(database_url, "others")
    assert f"position {poison}" in str(fault)
    assert position_of(database_url, "titles") == (later, None)
    assert [record.getMessage() for record in caplog.records] == ["view others cannot be built; the other views go on"]
    mended = View("others", newer[0].tables, others("none").on, version=2)
    with Follower(database_url, recorder.ledger, [mended]) as follower:
        recorder.record((uuid4(), ProposalSubmitted(TEAM, "and after", None)))
        assert follower.wait_for("others", recorder.ledger.head(), 20)
    assert position_of(database_url, "others") == (recorder.ledger.head(), None)


def test_one_that_is_ended_while_it_builds_ends_without_an_error(
    database_url: str, recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    fill(recorder, 5)
    with Follower(database_url, recorder.ledger, [titles()]) as follower:
        assert follower.wait_for("titles", recorder.ledger.head(), 20)
    began = threading.Event()

    def ended_at(rows: Rows, event: object, fact: ProposalSubmitted) -> None:
        began.set()
        ended.wait(20)

    ended = threading.Event()
    newer = View("titles", titles().tables, {ProposalSubmitted: ended_at}, version=2)
    with caplog.at_level(logging.INFO), Follower(database_url, recorder.ledger, [newer]) as follower:
        assert began.wait(20)
        follower._stopping.set()
        ended.set()
    assert [one.getMessage() for one in caplog.records if one.levelno >= logging.WARNING] == []
    _, fault = position_of(database_url, "titles")
    assert "waits to be built again" in str(fault)


def test_a_row_that_the_database_refuses_stops_its_view_at_that_fact(database_url: str, recorder: Recorder) -> None:
    unique = Table(
        "unique_titles", Title, key=("title",), columns=(Column("title", "text", lambda row: row.title[:3]),)
    )

    def submitted(rows: Rows, event: object, fact: ProposalSubmitted) -> None:
        rows.put(unique, Title(event.stream_id, fact.team_id, fact.title))  # type: ignore[attr-defined]

    view = View("unique", (unique,), {ProposalSubmitted: submitted})
    for title in ("abc", "bcd", "cde"):
        recorder.record((uuid4(), ProposalSubmitted(TEAM, title, None)))
    clash = recorder.record((uuid4(), ProposalSubmitted(TEAM, "abcd", None)))
    unique.key_of = lambda row: row.title
    with Follower(database_url, recorder.ledger, [view]) as follower:
        assert not follower.wait_for("unique", clash, 20)
    position, fault = position_of(database_url, "unique")
    assert position == clash - 1
    assert "duplicate key" in str(fault)


def _follow_forever(url: str, ready: "multiprocessing.synchronize.Event") -> None:
    with ledger_of(url) as ledger:
        follower = Follower(url, ledger, [titles()])
        follower.start()
        while True:
            if follower.leads:
                ready.set()
            time.sleep(0.01)


def test_a_spare_takes_over_when_the_leader_is_killed(database_url: str, recorder: Recorder) -> None:
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    leader = context.Process(target=_follow_forever, args=(database_url, ready), daemon=True)
    leader.start()
    assert ready.wait(30)
    with Follower(database_url, recorder.ledger, [titles()]) as spare:
        fill(recorder, 10)
        # Whoever waits for a view here sees how far the other has got.
        assert spare.wait_for("titles", recorder.ledger.head(), 20)
        assert spare.lag() == {"titles": 0}
        assert not spare.leads
        assert leader.pid is not None
        os.kill(leader.pid, signal.SIGKILL)
        leader.join()
        fill(recorder, 10)
        assert spare.wait_for("titles", recorder.ledger.head(), 20)
        assert spare.leads
    assert len(contents(database_url, [titles()], recorder.ledger.head())["titles"]) == 18


def test_a_batch_that_is_cut_off_leaves_nothing_and_is_done_again(database_url: str, recorder: Recorder) -> None:
    fill(recorder, 10)
    head = recorder.ledger.head()
    cuts: list[int] = []

    def cutting(rows: Rows, event: object, fact: SourceNoted) -> None:
        if len(cuts) < 2 and event.position > head // 2:  # type: ignore[attr-defined]
            cuts.append(1)
            with psycopg.connect(database_url, autocommit=True) as admin:
                admin.execute("SELECT pg_terminate_backend(backend) FROM views.leader WHERE beat_at IS NOT NULL")
        titles().on[SourceNoted](rows, event, fact)  # type: ignore[arg-type]

    with Follower(database_url, recorder.ledger, [titles({SourceNoted: cutting})], batch=7) as follower:
        assert follower.wait_for("titles", head, 20)
    assert len(cuts) == 2
    cut = contents(database_url, [titles()])
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA views CASCADE")
    with Follower(database_url, recorder.ledger, [titles()]) as follower:
        assert follower.wait_for("titles", head, 20)
    assert contents(database_url, [titles()]) == cut


def test_a_command_is_never_cut_in_two(database_url: str, ledger: Ledger, recorder: Recorder) -> None:
    stream = uuid4()
    recorder.record((stream, ProposalSubmitted(TEAM, "many notes", None)), *[(stream, SourceNoted("k", "n"))] * 20)
    with Follower(database_url, ledger, [titles()], batch=3) as follower:
        assert follower.wait_for("titles", 21, 20)
    ((*_, valid_from, valid_to, doc),) = contents(database_url, [titles()])["titles"]
    assert (valid_from, valid_to) == (21, None)
    assert TITLES.decode(doc).notes == 20
