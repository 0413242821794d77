"""Building views again: equal to following, beside the live ones, and harmless when it is called off."""

import threading
from time import monotonic, sleep
from uuid import uuid4

import psycopg
import pytest

from ledger.events.proposal import ProposalSubmitted
from ledger.values import TeamId
from projections import rebuild as rebuilding
from projections.follower import Follower
from projections.projector import PoisonFact, View
from projections.rebuild import Cancelled, Progress, rebuild
from projections.rows import Rows
from tests.projections.example import NOTES, TITLES, titles
from tests.projections.recording import Recorder, contents, position_of
from tests.projections.test_follower import fill

TEAM = TeamId(uuid4())


def schemas(url: str) -> list[str]:
    with psycopg.connect(url) as connection:
        found = connection.execute("SELECT nspname FROM pg_namespace WHERE nspname ~ '^views' ORDER BY 1").fetchall()
    return [name for (name,) in found]


def test_a_rebuild_equals_following_row_for_row(database_url: str, recorder: Recorder) -> None:
    fill(recorder)
    head = recorder.ledger.head()
    with Follower(database_url, recorder.ledger, [titles()], batch=5) as follower:
        assert follower.wait_for("titles", head, 20)
    followed = contents(database_url, [titles()])
    seen: list[Progress] = []
    assert rebuild(database_url, recorder.ledger, [titles()], progress=seen.append) == head
    assert contents(database_url, [titles()]) == followed
    assert [step for step, *_ in seen] == ["fold", "index", "switch"]
    assert seen[0] == Progress("fold", head, head)
    assert schemas(database_url) == ["views"]


def test_what_is_recorded_during_a_rebuild_is_in_it(
    database_url: str, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuilding, "LAST_FACTS", 10)
    fill(recorder)
    with Follower(database_url, recorder.ledger, [titles()]) as follower:
        more = threading.Thread(target=fill, args=(recorder, 60))

        def at(progress: Progress) -> None:
            if progress.step == "index" and not more.ident:
                more.start()

        rebuild(database_url, recorder.ledger, [titles()], progress=at)
        more.join()
        assert follower.wait_for("titles", recorder.ledger.head(), 20)
    found = contents(database_url, [titles()])
    rebuild(database_url, recorder.ledger, [titles()])
    assert contents(database_url, [titles()]) == found


@pytest.mark.parametrize("error", [Cancelled, KeyboardInterrupt])
@pytest.mark.parametrize("step", ["fold", "index", "switch"])
def test_a_rebuild_that_is_called_off_leaves_the_live_view_alone(
    database_url: str, recorder: Recorder, step: str, error: type[BaseException]
) -> None:
    fill(recorder)
    with Follower(database_url, recorder.ledger, [titles()]) as follower:
        assert follower.wait_for("titles", recorder.ledger.head(), 20)
        before = contents(database_url, [titles()])

        def at(progress: Progress) -> None:
            if progress.step == step:
                raise error

        with pytest.raises(error):
            rebuild(database_url, recorder.ledger, [titles()], progress=at)
        assert contents(database_url, [titles()]) == before
        assert schemas(database_url) == ["views"]
        last = recorder.record((uuid4(), ProposalSubmitted(TEAM, "one more", None)))
        assert follower.wait_for("titles", last, 20)


def test_a_built_table_is_known_to_the_planner_and_need_not_be_sampled_again(
    database_url: str, recorder: Recorder
) -> None:
    fill(recorder)
    rebuild(database_url, recorder.ledger, [titles()])
    changed = (
        "SELECT n_mod_since_analyze FROM pg_stat_user_tables WHERE relname = 'titles' AND last_analyze IS NOT NULL"
    )
    deadline = monotonic() + 10  # a connection tells its figures as it ends
    with psycopg.connect(database_url, autocommit=True) as connection:
        while (found := connection.execute(changed).fetchone()) != (0,) and monotonic() < deadline:
            sleep(0.05)
    assert found == (0,)


def test_a_poison_fact_ends_a_rebuild_and_names_itself(database_url: str, recorder: Recorder) -> None:
    fill(recorder, 4)

    def refuse(rows: Rows, event: object, fact: ProposalSubmitted) -> None:
        raise ValueError("no")

    with pytest.raises(PoisonFact, match="view titles, position 1, ProposalSubmitted: ValueError: no"):
        rebuild(database_url, recorder.ledger, [titles({ProposalSubmitted: refuse})])
    assert schemas(database_url) == ["views"]


def test_what_a_killed_build_left_is_dropped_by_the_next(database_url: str, recorder: Recorder) -> None:
    fill(recorder, 4)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA views_b7 CREATE TABLE titles (n int)")
    rebuild(database_url, recorder.ledger, [titles()])
    assert schemas(database_url) == ["views"]


def test_a_view_whose_definition_has_changed_is_built_again_at_the_start(database_url: str, recorder: Recorder) -> None:
    fill(recorder)
    head = recorder.ledger.head()
    with Follower(database_url, recorder.ledger, [titles()]) as follower:
        assert follower.wait_for("titles", head, 20)
    shorter = View("titles", (TITLES, NOTES), {ProposalSubmitted: titles().on[ProposalSubmitted]}, version=2)
    with Follower(database_url, recorder.ledger, [shorter]) as follower:
        assert follower.wait_for("titles", head, 20)
    assert contents(database_url, [shorter])["title_notes"] == []
    assert position_of(database_url, "titles") == (head, None)
