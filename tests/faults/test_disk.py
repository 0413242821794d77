"""The disk fills up: writes are refused while there is room to read, and where it is full after all nothing acknowledged is lost."""

import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from ledger.store.application import Ledger
from ledger.store.disk import Disk
from ledger.store.faults import LedgerFull, LedgerUnavailable
from ledger.store.flights import Flights
from ledger.store.receipt import Receipt
from ledger.store.waiting import deliver
from projections.catalogue import VIEWS
from tests.faults import disk_of_its_own
from tests.faults.asking import ask, caught_up, known
from tests.faults.cluster import running, until
from tests.faults.disk_of_its_own import Mounted
from tests.faults.figures import Figures
from tests.faults.load import writing
from tests.faults.oracle import Book, examine
from tests.faults.serving import serving
from tests.faults.test_oracle import remember
from tests.store.examples import append, command


class Usage(NamedTuple):
    total: int
    used: int
    free: int


@pytest.fixture
def small(seed: Path, tmp_path: Path) -> Iterator[Mounted]:
    """A file system of 200 MB with a cluster on it. Only who may mount can have one; a plain container may not."""
    with disk_of_its_own.mounted(tmp_path / "disk", megabytes=200) as found:
        subprocess.run(["cp", "-a", str(seed), str(found.folder / "cluster")], check=True)
        yield found


def test_from_90_percent_on_nothing_is_appended_and_all_is_read(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = 89
    monkeypatch.setattr("ledger.store.disk.LOOKED_S", 0.0)
    monkeypatch.setattr("shutil.disk_usage", lambda _: Usage(105, used, 100 - used))
    with Ledger(database_url, stops=[Disk(tmp_path).fault]) as ledger:
        first = command(uuid4(), 1)
        receipt = append(ledger, first)
        used = 90
        with pytest.raises(LedgerFull, match="is 90 % full, and from 90 % on it takes nothing new"):
            append(ledger, command(uuid4(), 1))
        assert len(ledger.read(0, 10)) == 1
        # Whoever lost the answer and asks again is told what became of it.
        assert append(ledger, first).leaves == receipt.leaves
        used = 89
        assert append(ledger, command(uuid4(), 1)).first_position == 2


def test_a_disk_that_nobody_can_look_at_has_no_say(database_url: str, tmp_path: Path) -> None:
    with Ledger(database_url, stops=[Disk(tmp_path / "nowhere").fault]) as ledger:
        assert append(ledger, command(uuid4(), 1)).first_position == 1


@pytest.mark.faults
def test_a_server_on_a_full_disk_refuses_writes_and_answers_reads(
    small: Mounted, tmp_path: Path, figures: Figures
) -> None:
    with running(small.folder / "cluster") as cluster:
        watched = {"LEDGER_DISK_FOLDER": str(small.folder)}
        with serving(cluster.url, tmp_path, **watched) as served:
            book, query = known(served.api, Book()), {"query": "{ teams(first: 1) { totalCount } }"}
            for _ in range(20):
                begin = uuid4()
                book.ask(begin, 1)
                code, facts = ask(served.steward.http, begin)
                assert code is None
                places = [int(fact["position"]) for fact in facts]
                book.acknowledge(begin, places[0], places[-1], [bytes.fromhex(fact["leaf"]) for fact in facts])
            small.fill(percent=91)
            time.sleep(0.6)
            refused = served.steward.answer(
                "mutation M($input: FormTeamInput!) { formTeam(input: $input) { position } }", input={"name": "Late"}
            )
            assert refused["errors"][0]["extensions"]["code"] == "UNAVAILABLE"
            said = refused["errors"][0]["message"]
            assert "from 90 % on it takes nothing new" in said
            assert "errors" not in served.steward.http.post("/graphql", json=query).json()
            assert served.is_ready()
            small.empty()
            at = time.monotonic()
            last = uuid4()
            book.ask(last, 1)
            until(lambda: ask(served.steward.http, last)[0] is None)
            recovered_s = time.monotonic() - at
            caught_up(served.api)
            figures.survived(
                "disk 91 % full, watched",
                examine(cluster.url, book, views=VIEWS),
                recovered_s=recovered_s,
                more=f"reads go on; writes: “{said}”",
            )


@pytest.mark.faults
def test_a_disk_that_is_full_to_the_last_byte_loses_nothing(small: Mounted, figures: Figures) -> None:
    """Nobody watched. PostgreSQL can't write its log and stops; with room again it comes back with all that was acknowledged."""
    with running(small.folder / "cluster") as cluster:
        book = Book()
        with writing(cluster.url, book) as load:
            until(lambda: load.acknowledged >= 200)
            small.fill(percent=100)
            before, unanswered = load.acknowledged, load.unanswered
            until(lambda: load.unanswered > unanswered, seconds=90)
            time.sleep(2)
            filled = load.acknowledged - before
            small.empty()
            at = time.monotonic()
            until(lambda: load.first_after(at))
            first = load.first_after(at)
        assert first is not None
        figures.survived(
            "disk full to the last byte",
            examine(cluster.url, book),
            recovered_s=first - at,
            more=f"{filled} more were acknowledged until it was; {load.unanswered} answers asked for again",
        )


# So that the tests above can fail.


def test_a_server_that_does_not_look_at_its_disk_is_found_out(
    database_url: str, tmp_path: Path, figures: Figures, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Disk, "_looked", lambda _: None)
    check = test_from_90_percent_on_nothing_is_appended_and_all_is_read
    given = (database_url, tmp_path, monkeypatch)
    figures.found_out("a server that does not look at its disk", "DID NOT RAISE .*LedgerFull", check, *given)


READ_ONLY = "ALTER DATABASE {} SET default_transaction_read_only = {}"


def test_a_queue_that_says_done_of_what_the_database_does_not_take_is_found_out(
    database_url: str, figures: Figures, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database that takes nothing now answers as one whose disk is full: it is there, and refuses."""
    name, book = sql.Identifier(conninfo_to_dict(database_url)["dbname"]), Book()

    def let(value: str) -> None:
        with psycopg.connect(database_url, autocommit=True) as superuser:
            superuser.execute("SET default_transaction_read_only = off")
            superuser.execute(sql.SQL(READ_ONLY).format(name, sql.SQL(value)))

    let("on")
    with Ledger(database_url) as ledger, pytest.raises(LedgerUnavailable):
        remember(Book(), ledger)

    def done(self: Flights, _: object) -> None:
        batch = self._batches.popleft()
        deliver(batch, [Receipt(1, 2, (b"", b""), datetime.now(UTC)) for _ in batch])

    monkeypatch.setattr(Flights, "_retry", done)
    with Ledger(database_url) as ledger:
        remember(book, ledger)
    let("off")
    figures.caught("once", "a queue that says done of what was refused", examine(database_url, book))
