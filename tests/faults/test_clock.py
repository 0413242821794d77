"""A clock that is a day off: the database's, a server's, a client's."""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from ledger.store import embedded_install
from ledger.store.application import Ledger
from ledger.values import Role
from projections.catalogue import VIEWS
from tests.api.conftest import Api
from tests.faults import breaking
from tests.faults.asking import ask, caught_up, known, team
from tests.faults.cluster import until
from tests.faults.conftest import Clusters
from tests.faults.figures import Figures
from tests.faults.oracle import Book, examine
from tests.faults.serving import serving
from tests.faults.test_oracle import remember
from tests.integrity.conftest import do

DAY_S = 86_400
LAST = "SELECT recorded_at FROM ledger.events ORDER BY position DESC LIMIT 1"


class Clock:
    """The wall clock of the processes that are started with `environment`."""

    def __init__(self, library: Path) -> None:
        self._shift = library.with_name("shift")
        self.environment = {"LD_PRELOAD": str(library), "CLOCK_SHIFT": str(self._shift)}
        self.set(0)

    def set(self, seconds: int) -> None:
        """This will put the clock so far ahead of the true time; below 0: behind it."""
        draft = self._shift.with_suffix(".draft")
        draft.write_text(str(seconds))
        draft.chmod(0o644)
        draft.replace(self._shift)


@pytest.fixture
def clock() -> Iterator[Clock]:
    """A clock that can be set, made by the machine's C compiler."""
    if shutil.which("cc") is None:
        pytest.skip("a clock that can be set needs a C compiler, and there is none")
    folder = Path(tempfile.mkdtemp(prefix="clock-"))
    folder.chmod(0o755)  # the server's user reads it too
    library = folder / "clock.so"
    source = Path(__file__).with_name("clock.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl"], check=True)
    yield Clock(library)
    shutil.rmtree(folder)


def last_recorded(url: str) -> datetime:
    with psycopg.connect(url) as connection:
        row = connection.execute(LAST).fetchone()
    assert row is not None
    return row[0]  # type: ignore[no-any-return]


def test_a_database_whose_clock_was_a_day_ahead_goes_on_from_there(
    database_url: str, ledger: Ledger, figures: Figures
) -> None:
    """Needs nothing: the ledger is put where such a clock leaves it."""
    book = Book()
    remember(book, ledger)
    with psycopg.connect(database_url, autocommit=True) as superuser:
        do(superuser, ["UPDATE ledger.head SET recorded_at = recorded_at + interval '1 day'"])
    receipt = remember(book, ledger)
    assert receipt.recorded_at > datetime.now(UTC) + timedelta(hours=23)
    remember(book, ledger)
    figures.survived("the ledger's last time is a day ahead", examine(database_url, book), more="times never run back")


@pytest.mark.faults
def test_the_clock_of_the_database_jumps_a_day_ahead_and_two_back(
    clock: Clock, clusters: Clusters, figures: Figures, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in clock.environment.items():
        monkeypatch.setitem(embedded_install.ENVIRONMENT, name, value)
    cluster, book, times = clusters(), Book(), []
    with Ledger(cluster.url) as ledger:
        for shift in (0, DAY_S, -DAY_S, 0):
            clock.set(shift)
            remember(book, ledger)
            times.append(last_recorded(cluster.url))
    now = datetime.now(UTC)
    assert abs(times[0] - now) < timedelta(minutes=1)
    assert abs(times[1] - now - timedelta(days=1)) < timedelta(minutes=1)
    assert times == sorted(times)
    figures.survived(
        "the database's clock a day ahead, then behind", examine(cluster.url, book), more="times never run back"
    )


@pytest.mark.faults
def test_a_server_whose_clock_is_a_day_off_says_so(
    clock: Clock, database_url: str, tmp_path: Path, figures: Figures
) -> None:
    clock.set(DAY_S)
    with serving(database_url, tmp_path, **clock.environment) as served:
        book, command = known(served.api, Book()), uuid4()
        book.ask(command, 1)
        code, facts = ask(served.steward.http, command)
        assert code is None
        places = [int(fact["position"]) for fact in facts]
        book.acknowledge(command, places[0], places[-1], [bytes.fromhex(fact["leaf"]) for fact in facts])
        assert abs(last_recorded(database_url) - datetime.now(UTC)) < timedelta(minutes=5)
        until(lambda: "is 86,4" in "".join(served.process.err), seconds=10, what="the alarm")
        (said,) = [line.split("CRITICAL ")[-1].strip() for line in served.process.err if "is 86,4" in line][:1]
        served.catch_up()
        figures.survived("a server's clock a day ahead", examine(database_url, book, views=VIEWS), more=said)


def test_a_client_whose_clock_is_a_day_off(api: Api, figures: Figures) -> None:
    """What is said to have happened tomorrow is refused, what happened yesterday is kept as such; both are recorded now or not at all."""
    steward, book = api.client(Role.STEWARD), known(api, Book())
    begun = time.time()
    ahead = steward.do("formTeam", **team(uuid4()), occurredAt=(datetime.now(UTC) + timedelta(days=1)).isoformat())
    (no,) = ahead["userErrors"]
    assert (no["code"], no["path"]) == ("BAD_USER_INPUT", ["input", "occurredAt"])
    assert "only what has happened is recorded" in no["message"]
    command = uuid4()
    book.ask(command, 1)
    yesterday = datetime.now(UTC) - timedelta(days=1)
    done = steward.do("formTeam", **team(command), occurredAt=yesterday.isoformat())
    assert done["userErrors"] == []
    ((occurred_at, recorded_at),) = api.sql(
        "SELECT occurred_at, recorded_at FROM ledger.events WHERE command_id = %s", command
    )
    assert occurred_at == yesterday
    assert abs(recorded_at.timestamp() - begun) < 60
    caught_up(api)
    figures.survived(
        "a client's clock a day off", examine(api.database_url, book, views=VIEWS), more="tomorrow is refused"
    )


# So that the tests above can fail.


def test_a_ledger_whose_times_follow_the_clock_back_is_found_out(
    database_url: str, ledger: Ledger, figures: Figures
) -> None:
    breaking.rewrite(database_url, breaking.LETS_TIMES_RUN_BACK)
    book = Book()
    remember(book, ledger)
    with psycopg.connect(database_url, autocommit=True) as superuser:
        ahead = "recorded_at = recorded_at + interval '1 day'"
        do(superuser, [f"UPDATE ledger.head SET {ahead}"])
    remember(book, ledger)
    with psycopg.connect(database_url, autocommit=True) as superuser:  # as the first is recorded on such a clock
        do(superuser, [f"UPDATE ledger.events SET {ahead} WHERE position <= 2"])
    figures.caught("order", "an append() whose times follow the clock back", examine(database_url))
    check = test_a_database_whose_clock_was_a_day_ahead_goes_on_from_there
    figures.found_out(
        "an append() whose times follow the clock", r"recorded_at|datetime", check, database_url, ledger, figures
    )


def test_a_ledger_that_takes_a_clients_clock_is_found_out(api: Api, figures: Figures) -> None:
    breaking.rewrite(api.database_url, breaking.TAKES_THE_SENDERS_CLOCK)
    check = test_a_client_whose_clock_is_a_day_off
    figures.found_out("an append() that records at the client's time", r"\d+ < 60", check, api, figures)


@pytest.mark.faults
def test_a_ledger_that_takes_a_servers_clock_is_found_out(
    clock: Clock, database_url: str, tmp_path: Path, figures: Figures
) -> None:
    breaking.rewrite(database_url, breaking.TAKES_THE_SENDERS_CLOCK)
    check = test_a_server_whose_clock_is_a_day_off_says_so
    figures.found_out(
        "an append() that records at the server's time", "last_recorded", check, clock, database_url, tmp_path, figures
    )
