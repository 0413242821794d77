"""A ledger of the test's own, and a way to record facts in it."""

from collections.abc import Iterator

import pytest

from ledger.store.application import Ledger
from tests.projections.recording import Recorder, ledger_of


@pytest.fixture
def ledger(database_url: str) -> Iterator[Ledger]:
    with ledger_of(database_url) as ledger:
        yield ledger


@pytest.fixture
def recorder(ledger: Ledger) -> Recorder:
    return Recorder(ledger)
