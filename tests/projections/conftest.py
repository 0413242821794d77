"""A ledger of the test's own, and a way to record facts in it."""

from collections.abc import Iterator

import psycopg
import pytest

from ledger.store.application import Ledger
from tests import databases
from tests.databases import Server
from tests.projections.recording import Recorder, ledger_of
from tests.projections.story import follow, tell


@pytest.fixture
def ledger(database_url: str) -> Iterator[Ledger]:
    with ledger_of(database_url) as ledger:
        yield ledger


@pytest.fixture(scope="module")
def url(server: Server, _admin: psycopg.Connection, template: str) -> Iterator[str]:
    """A database with the story told in it and followed, for all tests of a file to read."""
    with databases.database(server, _admin, template) as found, ledger_of(found) as ledger:
        recorder = Recorder(ledger)
        tell(recorder)
        follow(found, recorder)
        yield found


@pytest.fixture
def recorder(ledger: Ledger) -> Recorder:
    return Recorder(ledger)
