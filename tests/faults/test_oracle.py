"""Each part of the oracle is shown what it must catch: a ledger that is broken on purpose, and one that is not."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from ledger.events.proposal import ProposalWithdrawn
from ledger.store import recorder
from ledger.store.application import Ledger
from ledger.store.connections import Connection, writer_connection
from ledger.store.receipt import Receipt
from projections import follower
from projections.catalogue import VIEWS
from projections.follower import Follower
from projections.storing import Storing
from tests.faults import load
from tests.faults.figures import Figures
from tests.faults.oracle import Book, Found, examine
from tests.faults.outside import Outside
from tests.integrity.conftest import do
from tests.integrity.test_tampering import REHASH
from tests.projections.recording import Recorder
from tests.store.examples import append, command

FACTS = 160

Examine = Callable[[], Found]


@pytest.fixture
def superuser(database_url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def book(ledger: Ledger) -> Book:
    """A ledger with 160 facts, all of them asked for and acknowledged."""
    found = Book()
    for _ in range(FACTS // 2):
        remember(found, ledger)
    return found


def begun(url: str, statement_timeout_ms: int) -> Connection:
    """A writer's connection in a transaction that nobody commits."""
    connection = writer_connection(url, statement_timeout_ms)
    connection.execute("BEGIN")
    return connection


def remember(book: Book, ledger: Ledger) -> Receipt:
    """This will append one command of two facts and note it."""
    sent = command(uuid4(), 1, 2)
    book.ask(sent.command_id, 2)
    receipt = append(ledger, sent)
    book.acknowledge(sent.command_id, receipt.first_position, receipt.last_position, receipt.leaves)
    return receipt


@pytest.fixture
def look(database_url: str, book: Book, outside: Outside) -> Examine:
    outside.seal(database_url)
    return lambda: examine(database_url, book, checkpoint=outside.checkpoint())


def test_it_finds_nothing_wrong_where_nothing_is(look: Examine) -> None:
    assert look() == Found(FACTS // 2, 0, 0, 0, FACTS, ())


def test_it_sees_a_command_that_was_acknowledged_before_its_commit(
    database_url: str, book: Book, figures: Figures, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The appender's own call, in a transaction that is open when the sender is answered, and that then never is committed."""
    monkeypatch.setattr(recorder, "writer_connection", begun)
    with Ledger(database_url) as eager:
        remember(book, eager)
    found = examine(database_url, book)
    figures.caught("once", "an appender that acknowledges before the commit", found)
    assert (found.lost, found.repeated, found.gaps) == (1, 0, 0)


COPY = """
INSERT INTO ledger.events SELECT position + 2, gen_random_uuid(), version, topic, recorded_at, occurred_at, command_id, salt, meta, payload,
    leaf FROM ledger.events WHERE position > (SELECT position - 2 FROM ledger.head)"""
SEEN: dict[str, tuple[str, tuple[str, ...]]] = {
    "a command recorded a second time": ("once", (COPY, "UPDATE ledger.head SET position = position + 2")),
    "a row dropped from the middle": ("order", ("DELETE FROM ledger.events WHERE position = 120",)),
    "a writer that skips the lock and writes position 999": (
        "order",
        ("UPDATE ledger.events SET position = 999 WHERE position = 160",),
    ),
    "a version recorded out of turn": ("order", ("UPDATE ledger.events SET version = 3 WHERE position = 120",)),
    "a payload rewritten with its commitment and leaf": (
        "root",
        (
            "UPDATE ledger.events SET payload = set_byte(payload, 20, get_byte(payload, 20) # 1) WHERE position = 120",
            REHASH,
        ),
    ),
    "the tail cut off cleanly": (
        "root",
        (
            "DELETE FROM ledger.events WHERE position > 150",
            "DELETE FROM ledger.commands WHERE first_position > 150",
            "UPDATE ledger.head SET position = 150",
        ),
    ),
}


@pytest.mark.parametrize("mutation", SEEN)
def test_it_sees(look: Examine, superuser: psycopg.Connection, figures: Figures, mutation: str) -> None:
    assert look().faults == ()
    part, statements = SEEN[mutation]
    do(superuser, statements)
    figures.caught(part, mutation, look())


def test_it_sees_facts_that_nobody_asked_for(ledger: Ledger, look: Examine, figures: Figures) -> None:
    """A sender that asks again under a new id: each is recorded once, and yet the work is done twice."""
    append(ledger, command(uuid4(), 1, 2))
    figures.caught("once", "a retry under a new command id", look())


@pytest.fixture
def followed(ledger: Ledger) -> Recorder:
    """A ledger of proposals that the views can follow."""
    recorder = Recorder(ledger)
    for _ in range(20):
        stream = uuid4()
        for facts in (*load.LIFE, load.END):
            recorder.record(*[(stream, fact) for fact in facts])
    return recorder


def follow(url: str, ledger: Ledger) -> None:
    with Follower(url, ledger, VIEWS, batch=10) as following:
        for view in VIEWS:
            assert following.wait_for(view.name, ledger.head(), 30)


def test_it_finds_nothing_wrong_with_views_that_were_followed(database_url: str, followed: Recorder) -> None:
    follow(database_url, followed.ledger)
    assert examine(database_url, views=VIEWS).faults == ()


def test_it_sees_a_follower_that_skips(
    database_url: str, followed: Recorder, figures: Figures, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Storing.store

    def skipping(self: Storing, connection: Any, events: Any) -> None:
        whole(self, connection, [event for event in events if not isinstance(event.fact, ProposalWithdrawn)])

    monkeypatch.setattr(Storing, "store", skipping)
    follow(database_url, followed.ledger)
    monkeypatch.undo()
    figures.caught("views", "a follower that skips facts", examine(database_url, views=VIEWS))


def test_it_sees_a_follower_that_does_a_batch_twice(
    database_url: str, followed: Recorder, figures: Figures, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows and position in two transactions instead of one, and a crash between them."""
    follow(database_url, followed.ledger)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("UPDATE views.positions SET position = position - 4, leaf = NULL")
    followed.record((uuid4(), load.LIFE[0][0]))
    monkeypatch.setattr(follower.log, "critical", lambda *_, **__: None)
    with Follower(database_url, followed.ledger, VIEWS) as following:
        for view in VIEWS:
            following.wait_for(view.name, followed.ledger.head(), 30)
    figures.caught("views", "a follower that stores a batch twice", examine(database_url, views=VIEWS))


DAMAGES = {
    "a row dropped from a view": "DELETE FROM views.backlog WHERE ctid = (SELECT min(ctid) FROM views.backlog)",
    "a column changed in a view": "UPDATE views.backlog SET title = 'x' WHERE ctid = (SELECT min(ctid) FROM views.backlog)",
    "a row of a view that stands a position too long": "UPDATE views.backlog SET valid_to = valid_to + 1 WHERE valid_to = 4",
}


@pytest.mark.parametrize("mutation", DAMAGES)
def test_it_sees_in_the_views(
    database_url: str, followed: Recorder, superuser: psycopg.Connection, figures: Figures, mutation: str
) -> None:
    follow(database_url, followed.ledger)
    assert superuser.execute(DAMAGES[mutation]).rowcount == 1  # type: ignore[arg-type]
    figures.caught("views", mutation, examine(database_url, views=VIEWS))
