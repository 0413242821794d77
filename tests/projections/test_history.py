"""All views over a seeded history of many teams: built again as followed, and each past state as a ledger that ended there."""

import multiprocessing
import random

import psycopg
import pytest

from benchmarks.facts import History
from ledger.events.proposal import ProposalSubmitted
from projections.building import BuildFailed
from projections.catalogue import VIEWS
from projections.follower import Follower
from projections.projector import PoisonFact, View
from projections.rebuild import rebuild
from projections.rows import Rows
from tests.projections.recording import Recorder, append_all, contents

FACTS = 1_200


@pytest.mark.parametrize(("seed", "processes"), [(1, 1), (2, 2)])
def test_a_rebuild_equals_following_and_the_past_equals_a_shorter_ledger(
    database_url: str, recorder: Recorder, seed: int, processes: int
) -> None:
    events = list(History(seed, teams=3, together=20).events(facts=FACTS))
    append_all(recorder.ledger, events)
    head = recorder.ledger.head()
    with Follower(database_url, recorder.ledger, VIEWS, batch=97) as follower:
        assert all(follower.wait_for(view.name, head, 60) for view in VIEWS)
    followed = contents(database_url, VIEWS)
    rebuild(database_url, recorder.ledger, VIEWS, processes=processes)
    assert contents(database_url, VIEWS) == followed
    ends = [n + 1 for n, event in enumerate(events[:-1]) if events[n + 1].command_id != event.command_id]
    for end in random.Random(seed).sample(ends, 5):
        shorter = recorder.ledger.read(0, end)
        past = contents(database_url, VIEWS, as_of=end)
        for view in VIEWS:
            rows = Rows(view.tables)
            view.fold(rows, shorter)
            for table in view.tables:
                kept = rows.tables[table]
                standing = [row for _, _, row in kept.fresh()]
                standing += [row for _, _, row in kept.versions if table.grows_only]
                docs = sorted(doc for *_, doc in past[table.name])
                assert docs == sorted(map(table.encode, standing)), f"{table} as of {end}"


def test_a_rebuild_stores_a_backlog_s_cards_side_by_side_in_the_order_of_its_pages(
    database_url: str, recorder: Recorder
) -> None:
    append_all(recorder.ledger, list(History(4, teams=3, together=20).events(facts=400)))
    rebuild(database_url, recorder.ledger, VIEWS)
    standing = "SELECT id FROM views.backlog WHERE valid_to IS NULL AND ranked_in IS NOT NULL ORDER BY"
    with psycopg.connect(database_url) as connection:
        stored = connection.execute(f"{standing} ctid").fetchall()
        assert len(stored) > 20
        assert stored == connection.execute(f"{standing} ranked_in, place, submitted_position").fetchall()


def _refuse(rows: Rows, event: object, fact: ProposalSubmitted) -> None:
    raise ValueError("no")


@pytest.mark.parametrize(
    ("views", "error"),
    [
        # The heaviest view is this process's own, the other one another's, which looks for its module.
        ([VIEWS[0], View("unknown", (), {})], "BuildFailed: ModuleNotFoundError"),
        ([View("broken", (), {ProposalSubmitted: _refuse}, weight=99), *VIEWS], "PoisonFact: view broken"),
    ],
)
def test_a_process_of_a_rebuild_that_fails_ends_it_and_leaves_nothing(
    database_url: str, recorder: Recorder, views: list[View], error: str
) -> None:
    append_all(recorder.ledger, list(History(3, teams=1, together=5).events(facts=50)))
    with Follower(database_url, recorder.ledger, VIEWS) as follower:
        assert all(follower.wait_for(view.name, recorder.ledger.head(), 60) for view in VIEWS)
    before = contents(database_url, VIEWS)
    with pytest.raises((BuildFailed, PoisonFact)) as raised:
        rebuild(database_url, recorder.ledger, views, processes=2)
    assert f"{type(raised.value).__name__}: {raised.value}".startswith(error)
    assert contents(database_url, VIEWS) == before
    assert not multiprocessing.active_children()
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT count(*) FROM pg_namespace WHERE nspname ~ '^views_b'").fetchone() == (0,)
