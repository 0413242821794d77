"""Processes of ours are killed at the worst moment: a worker in the middle of a mutation, a follower in the middle of a batch."""

import os
import signal
import threading
import time
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from ledger.store.application import Ledger
from projections.catalogue import VIEWS
from projections.follower import Follower
from projections.transparency import projector as transparency
from tests.cli.conftest import Cli
from tests.faults import breaking
from tests.faults.asking import ask, known
from tests.faults.cluster import children, until
from tests.faults.figures import Figures
from tests.faults.load import END, LIFE
from tests.faults.oracle import Book, examine
from tests.faults.serving import serving
from tests.projections.recording import Recorder

WAITING = """SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
    AND query LIKE %s"""


def workers(pid: int) -> list[int]:
    """The processes that answer, by the words with which they were started."""
    return [child for child in children(pid) if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]


@pytest.mark.faults
@pytest.mark.parametrize("recorded", [True, False], ids=["recorded without it", "not recorded"])
def test_a_worker_killed_in_the_middle_of_a_mutation(
    database_url: str, tmp_path: Path, figures: Figures, recorded: bool
) -> None:
    """It waits for the lock. Either the database goes on without it and commits, or what it was doing is undone."""
    with serving(database_url, tmp_path, LEDGER_WORKERS="2") as served, psycopg.connect(database_url) as superuser:
        book, command = known(served.api, Book()), uuid4()
        book.ask(command, 1)
        superuser.execute("SELECT FROM ledger.head FOR UPDATE")
        sender = threading.Thread(target=ask, args=(served.steward.http, command))
        sender.start()
        with psycopg.connect(database_url, autocommit=True) as watcher:
            until(lambda: watcher.execute(WAITING, ["%ledger.append%"]).fetchone())
            for pid in workers(served.process.process.pid):
                os.kill(pid, signal.SIGKILL)
            at = time.monotonic()
            sender.join()
            if not recorded:
                watcher.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
                )
        superuser.rollback()
        while (answer := ask(served.steward.http, command))[0] is not None:
            assert answer[0] in ("TRANSPORT", "UNAVAILABLE")
            time.sleep(0.02)
        recovered_s = time.monotonic() - at
        places = [int(fact["position"]) for fact in answer[1]]
        book.acknowledge(command, places[0], places[-1], [bytes.fromhex(fact["leaf"]) for fact in answer[1]])
        served.catch_up()
        figures.survived(
            f"kill -9 of the workers mid-mutation, {'recorded' if recorded else 'not recorded'}",
            examine(database_url, book, views=VIEWS),
            recovered_s=recovered_s,
            more="retried with the same id",
        )


@pytest.mark.faults
def test_a_ledger_that_does_not_know_its_commands_again_is_found_out(
    database_url: str, tmp_path: Path, figures: Figures
) -> None:
    """So that the test above can fail; where the database undoes it, by an appender that acknowledges before its commit (test_oracle)."""
    breaking.rewrite(database_url, breaking.DOES_NOT_KNOW_ITS_COMMANDS_AGAIN)
    check, given = test_a_worker_killed_in_the_middle_of_a_mutation, (database_url, tmp_path, figures, True)
    figures.found_out("an append() that does not know a retried command id again", "TRANSPORT", check, *given)


#: Who leads in this database; other tests' followers lead in others of the same server.
LEADING = """
SELECT count(*) FROM pg_locks AS l JOIN pg_database AS d ON d.oid = l.database
 WHERE l.locktype = 'advisory' AND d.datname = current_database()
"""


def test_a_follower_killed_in_the_middle_of_a_batch(
    database_url: str, ledger: Ledger, tmp_path: Path, figures: Figures
) -> None:
    """It has written some of the batch's rows and waits to write the others."""
    cli, recorder = Cli({"LEDGER_DATABASE_URL": database_url, "LEDGER_DATA_DIR": str(tmp_path)}), Recorder(ledger)
    recorder.record((uuid4(), LIFE[0][0]))
    last = transparency.VIEW.tables[0].name
    with (
        cli.running("project", "--json") as process,
        psycopg.connect(database_url) as superuser,
        psycopg.connect(database_url, autocommit=True) as watcher,
    ):
        done = "SELECT count(*) FROM views.positions WHERE position = 1"
        until(lambda: "leads the views" in "".join(process.err))
        until(lambda: watcher.execute(done).fetchone() == (len(VIEWS),))
        superuser.execute(f"LOCK TABLE views.{last}")  # type: ignore[arg-type]
        for _ in range(50):
            stream = uuid4()
            for facts in (*LIFE, END):
                recorder.record(*[(stream, fact) for fact in facts])
        until(lambda: watcher.execute(WAITING, [f"%{last}%"]).fetchone())
        process.process.kill()
        at = time.monotonic()
        process.process.wait()
        superuser.rollback()
        until(lambda: watcher.execute(LEADING).fetchone() == (0,))
        stored = watcher.execute("SELECT max(position) FROM views.positions").fetchone()
    assert stored is not None
    assert stored[0] < ledger.head()
    with Follower(database_url, ledger, VIEWS) as follower:
        assert all(follower.wait_for(view.name, ledger.head(), 30) for view in VIEWS)
    figures.survived(
        "follower killed mid-batch",
        examine(database_url, views=VIEWS),
        recovered_s=time.monotonic() - at,
        more=f"{ledger.head() - stored[0]} facts followed again",
    )
