"""A page of new commands is recorded as one command after the other would be, or not at all, and nothing overtakes it."""

from collections.abc import Iterator
from uuid import uuid4

import psycopg
import pytest

from ledger.store.application import Ledger, prepared
from ledger.store.codec import encode, leaf
from ledger.store.pages import Lost, Pages
from ledger.store.receipt import CommandEvents
from ledger.store.rendering import rendered, taken_apart
from tests.store.examples import OTHER_REQUEST, append, command, days


@pytest.fixture
def pages(ledger: Ledger) -> Iterator[Pages]:
    made = ledger.pages()
    yield made
    made.start_over()


def on_page(one: CommandEvents) -> bytes:
    return rendered(one.command_id, one.request_hash, one.at, [encode(event) for event in one.events])


def send(pages: Pages, *commands: CommandEvents) -> None:
    pages.send([on_page(one) for one in commands], sum(len(one.events) for one in commands))


def test_a_page_is_recorded_as_single_commands_are(ledger: Ledger, pages: Pages, superuser: psycopg.Connection) -> None:
    team, other = uuid4(), uuid4()
    append(ledger, command(team, 1))
    sent = [command(other, 1), command(team, 2, 3), command(other, 2), command(uuid4(), 1), command(team, 4)]
    send(pages, *sent)
    assert pages.recorded()
    receipts = [ledger.outcome(one.command_id, one.request_hash) for one in sent]
    assert [(r.first_position, r.last_position) for r in receipts if r] == [(2, 2), (3, 4), (5, 5), (6, 6), (7, 7)]
    recorded = ledger.read(1, 10)
    assert [e.event_id for e in recorded] == [event.event_id for one in sent for event in one.events]
    assert [e.version for e in ledger.events(team)] == [1, 2, 3, 4]
    for position, recorded_at, meta, stored, occurred_at, at in superuser.execute(
        "SELECT e.position, e.recorded_at, meta, leaf, occurred_at, h.recorded_at FROM ledger.events AS e, ledger.head AS h"
        " WHERE e.position > 1"
    ):
        assert stored == leaf(position, recorded_at, meta)
        assert recorded_at == at
        assert occurred_at == sent[0].at
    # append() says the same of them afterwards, and goes on from there.
    assert append(ledger, sent[1]).repeated
    assert append(ledger, command(team, 5)).last_position == 8


def test_a_command_is_taken_apart_as_it_was_rendered() -> None:
    one = command(uuid4(), 1, 2, 3)
    late = CommandEvents(one.events, one.command_id, one.request_hash, one.at + days(2))
    packed, again = prepared(late), taken_apart(on_page(late))
    assert (again.command_id, again.at, again.event_count) == (packed.command_id, packed.at, 3)
    assert again.per_command == packed.per_command
    salts_and_what_holds_them = {4, 5}
    for column in set(range(7)) - salts_and_what_holds_them:
        assert again.per_event[column] == packed.per_event[column]
    assert [len(meta) for meta in again.metas()] == [len(meta) for meta in packed.metas()]


def test_a_hash_of_another_length_is_not_rendered() -> None:
    with pytest.raises(ValueError, match="has 3 bytes, not 32"):
        rendered(uuid4(), b"abc", command(uuid4(), 1).at, [])


@pytest.mark.parametrize("versions", [(0,), (1,), (2,), (4,), (3, 5), (3, 3), (4, 3)])
def test_a_page_with_a_version_that_does_not_follow_leaves_nothing_behind(
    ledger: Ledger, pages: Pages, versions: tuple[int, ...]
) -> None:
    team = uuid4()
    append(ledger, command(team, 1, 2))
    send(pages, command(uuid4(), 1), command(team, *versions))
    assert not pages.recorded()
    assert ledger.head() == 2


def test_versions_against_the_order_of_the_page_are_refused(ledger: Ledger, pages: Pages) -> None:
    team = uuid4()
    send(pages, command(team, 2), command(team, 1))
    assert not pages.recorded()
    assert ledger.head() == 0


@pytest.mark.parametrize("request_hash", [None, OTHER_REQUEST])
def test_a_page_with_a_known_command_leaves_nothing_behind(
    ledger: Ledger, pages: Pages, request_hash: bytes | None
) -> None:
    known = command(uuid4(), 1)
    append(ledger, known)
    send(
        pages,
        command(uuid4(), 1),
        CommandEvents(known.events, known.command_id, request_hash or known.request_hash, known.at),
    )
    assert not pages.recorded()
    assert ledger.head() == 1


def test_a_command_twice_in_a_page_is_refused(ledger: Ledger, pages: Pages) -> None:
    one = command(uuid4(), 1)
    send(pages, one, one)
    assert not pages.recorded()
    assert ledger.head() == 0


def without_hash(one: CommandEvents) -> bytes:
    """This will give the later events of a command alone."""
    whole, first = on_page(one), on_page(CommandEvents(one.events[:1], one.command_id, one.request_hash, one.at))
    return whole[len(first) :]


def test_events_without_a_command_of_their_own_are_refused(ledger: Ledger, pages: Pages) -> None:
    stray = without_hash(command(uuid4(), 2, 1))
    pages.send([stray], 1)
    assert not pages.recorded()
    pages.start_over()
    pages.send([on_page(command(uuid4(), 1)), stray], 2)
    assert not pages.recorded()
    assert ledger.head() == 0


def test_no_page_is_recorded_after_one_that_was_refused(ledger: Ledger, pages: Pages) -> None:
    send(pages, command(uuid4(), 1))
    send(pages, command(uuid4(), 2))
    send(pages, command(uuid4(), 1))
    assert [pages.recorded() for _ in range(3)] == [True, False, False]
    assert ledger.head() == 1
    pages.start_over()
    send(pages, command(uuid4(), 1))
    assert pages.recorded()


def test_no_page_is_recorded_after_one_that_failed(ledger: Ledger, pages: Pages, superuser: psycopg.Connection) -> None:
    send(pages, command(uuid4(), 1))
    assert pages.recorded()
    with superuser.transaction():
        superuser.execute("SELECT FROM ledger.head FOR UPDATE")
        send(pages, command(uuid4(), 1))
        assert not pages.recorded()  # it waited too long for its turn
    send(pages, command(uuid4(), 1))
    assert not pages.recorded()
    assert ledger.head() == 1


def test_a_page_on_a_head_that_was_set_back_is_an_error(
    ledger: Ledger, pages: Pages, superuser: psycopg.Connection
) -> None:
    append(ledger, command(uuid4(), 1))
    superuser.execute("UPDATE ledger.head SET position = 0")
    send(pages, command(uuid4(), 1))
    assert not pages.recorded()
    assert superuser.execute("SELECT count(*) FROM ledger.events").fetchone() == (1,)


def test_a_story_is_told_by_append(story: Ledger) -> None:
    pages = story.pages()
    send(pages, command(uuid4(), 1))
    assert not pages.recorded()
    pages.start_over()
    assert story.head() == 0


def test_a_broken_connection_is_lost_and_the_next_page_opens_another(
    ledger: Ledger, pages: Pages, superuser: psycopg.Connection
) -> None:
    send(pages, command(uuid4(), 1))
    assert pages.recorded()
    with superuser.transaction():
        superuser.execute("SELECT FROM ledger.head FOR UPDATE")
        sent = command(uuid4(), 1)
        send(pages, sent)
        superuser.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE %s",
            ["%append_page%"],
        )
        with pytest.raises(Lost):
            pages.recorded()
    send(pages, sent)
    assert pages.recorded()
    assert ledger.head() == 2


def test_a_reader_in_this_process_hears_of_a_page(ledger: Ledger, pages: Pages) -> None:
    send(pages, command(uuid4(), 1, 2))
    assert pages.recorded()
    assert ledger.wait_past(1, timeout_s=0)
