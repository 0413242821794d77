"""A program that appends in a transaction of its own and then does nothing: it holds the lock that all others need."""

import time
from uuid import uuid4

import pytest

from ledger.store import connections, recorder
from ledger.store.application import Ledger
from ledger.store.connections import IDLE_IN_TRANSACTION_TIMEOUT_MS
from ledger.store.faults import LedgerBusy
from tests.faults.figures import Figures
from tests.faults.oracle import Book, examine
from tests.faults.test_oracle import begun, remember
from tests.store.examples import append, command


@pytest.mark.faults
def test_it_is_ended_and_the_others_go_on(
    database_url: str, ledger: Ledger, figures: Figures, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = Book()
    remember(book, ledger)
    monkeypatch.setattr(recorder, "writer_connection", begun)
    with Ledger(database_url) as careless:
        append(careless, command(uuid4(), 1))
        at = time.monotonic()
        with pytest.raises(LedgerBusy):
            append(ledger, command(uuid4(), 1))
        assert ledger.head() == 2  # who reads does not wait
        busy = 1
        while True:
            try:
                remember(book, ledger)
                break
            except LedgerBusy:
                busy += 1
        recovered_s = time.monotonic() - at
    assert recovered_s < IDLE_IN_TRANSACTION_TIMEOUT_MS / 1_000 + 3
    found = examine(database_url, book, alone=False)
    assert found.facts == 4
    figures.survived(
        "a write transaction left open", found, recovered_s=recovered_s, more=f"{busy} × LedgerBusy meanwhile"
    )


@pytest.mark.faults
def test_a_session_that_may_do_nothing_for_longer_is_found_out(
    database_url: str, ledger: Ledger, figures: Figures, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that the test above can fail."""
    monkeypatch.setattr(connections, "IDLE_IN_TRANSACTION_TIMEOUT_MS", 2 * IDLE_IN_TRANSACTION_TIMEOUT_MS)
    check, given = test_it_is_ended_and_the_others_go_on, (database_url, ledger, figures, monkeypatch)
    figures.found_out(
        "a session that may stand idle in its transaction for longer", "recovered_s|assert", check, *given
    )
