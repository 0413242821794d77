"""A ledger of the test's own, and a team in it."""

from collections.abc import Iterator

import pytest

from ledger.store.application import Ledger
from tests.handlers.world import World


@pytest.fixture
def ledger(database_url: str) -> Iterator[Ledger]:
    opened = Ledger(database_url)
    yield opened
    opened.close()


@pytest.fixture
def world(ledger: Ledger) -> World:
    return World(ledger).staffed()
