"""A process knows the ledger again: another state under it is noticed, named, and forgiven once the facts are back."""

from collections.abc import Iterator
from uuid import uuid4

import psycopg
import pytest

from ledger.store.application import Ledger
from ledger.store.faults import NotReconciled
from ledger.store.integrity.keeping import Kept
from ledger.store.integrity.remembering import Memory
from tests.integrity.conftest import FACTS, Sealing, do
from tests.store.examples import append, command

#: The tail into a table beside, as a backup of before would lack it.
TAKEN = (
    "CREATE TABLE public.taken AS SELECT * FROM ledger.events WHERE position > 280",
    "CREATE TABLE public.taken_commands AS SELECT * FROM ledger.commands WHERE first_position > 280",
    "DELETE FROM ledger.events WHERE position > 280",
    "DELETE FROM ledger.commands WHERE first_position > 280",
    "UPDATE ledger.head SET position = 280",
)
GIVEN_BACK = (
    "DELETE FROM ledger.events WHERE position > 280",
    "DELETE FROM ledger.commands WHERE first_position > 280",
    "INSERT INTO ledger.events SELECT * FROM public.taken",
    "INSERT INTO ledger.commands SELECT * FROM public.taken_commands",
    "UPDATE ledger.head SET position = 300",
)


@pytest.fixture
def memory(database_url: str, filled: Ledger, kept: Kept) -> Iterator[Memory]:
    """One that has seen 300 facts, and looks when it is told to."""
    found = Memory(database_url, kept, every_s=3_600)
    found.start()
    assert found.fault() is None
    yield found
    found.stop()


def said(memory: Memory) -> str:
    memory.look()
    return str(memory.fault())


def test_an_older_state_is_refused_until_the_facts_are_back(memory: Memory, superuser: psycopg.Connection) -> None:
    do(superuser, TAKEN)
    assert said(memory) == f"The ledger ends at 280, and {FACTS} facts were seen here: an older state was restored."
    with pytest.raises(NotReconciled):
        memory.refuse()
    do(superuser, GIVEN_BACK)
    assert said(memory) == "None"
    memory.refuse()


def test_one_that_has_grown_again_is_no_better(memory: Memory, ledger: Ledger, superuser: psycopg.Connection) -> None:
    do(superuser, TAKEN)
    for _ in range(30):
        append(ledger, command(uuid4(), 1))
    assert said(memory) == f"The fact at {FACTS} is not the one that was seen here: another state was restored."
    assert said(memory) != "None"


def test_what_was_signed_outside_counts_for_a_process_that_has_just_started(
    database_url: str, filled: Ledger, kept: Kept, sealing: Sealing, superuser: psycopg.Connection
) -> None:
    sealing().seal()
    do(superuser, TAKEN)
    started = Memory(database_url, kept, every_s=3_600)
    assert said(started) == f"The ledger ends at 280, and {FACTS} facts were signed: an older state was restored."
    for _ in range(30):
        append(filled, command(uuid4(), 1))
    assert said(started) == f"The fact at {FACTS} is not the one that was signed: another state was restored."
    do(superuser, GIVEN_BACK)
    assert said(started) == "None"
    note = kept.note()
    assert note is not None
    (kept.folder / "checkpoint").write_text(note.replace(f"\n{FACTS}\n", f"\n{FACTS - 1}\n"))
    assert said(started) == "The checkpoint outside does not hold."
    started._connection.close()  # type: ignore[union-attr]


def test_a_ledger_that_grows_is_the_same(memory: Memory, ledger: Ledger) -> None:
    for _ in range(3):
        append(ledger, command(uuid4(), 1, 2))
        assert said(memory) == "None"
    assert memory._seen[0] == FACTS + 6


def test_nothing_is_appended_where_the_ledger_is_another(
    database_url: str, memory: Memory, superuser: psycopg.Connection
) -> None:
    with Ledger(database_url, stops=[memory.fault]) as served:
        append(served, command(uuid4(), 1))
        do(superuser, [*TAKEN[2:]])
        memory.look()
        with pytest.raises(NotReconciled, match="an older state was restored"):
            append(served, command(uuid4(), 1))
        assert served.head() == 280
