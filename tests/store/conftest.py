from collections.abc import Iterator

import psycopg
import pytest

from ledger.store.application import Ledger
from ledger.store.migrations import migrate


@pytest.fixture
def ledger(database_url: str) -> Iterator[Ledger]:
    with Ledger(database_url) as made:
        yield made


@pytest.fixture
def story(empty_database_url: str) -> Iterator[Ledger]:
    """A ledger whose clock is the commands' own."""
    migrate(empty_database_url, clock="story")
    with Ledger(empty_database_url) as made:
        yield made


@pytest.fixture
def superuser(database_url: str) -> Iterator[psycopg.Connection]:
    """What the store itself never is, to look at the tables with."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection
