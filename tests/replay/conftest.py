"""The demo's story and real histories, each loaded once."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.demo.showing import show
from ledger.importing import import_histories
from ledger.replay.history import History
from ledger.replay.loading import load
from ledger.store.application import Ledger
from ledger.store.migrations import migrate
from tests import databases
from tests.databases import Server
from tests.importing.conftest import histories

__all__ = ["histories"]

SIP, PEPS = "Derek-Jones/SiP_dataset", "python/peps"


@pytest.fixture(scope="session")
def story_url(server: Server) -> Iterator[str]:
    with server.admin() as admin, databases.database(server, admin) as url:
        show(url, b"x" * 32, lambda done, total: None)
        yield url


@pytest.fixture(scope="session")
def story(story_url: str) -> History:
    """Eighteen months of three teams, told through the commands."""
    return load(story_url)


@pytest.fixture(scope="session")
def imported(histories: Path, server: Server) -> Iterator[History]:
    """The SiP tasks and the PEPs in one ledger."""
    with server.admin() as admin, databases.database(server, admin) as url:
        migrate(url)
        with Ledger(url) as ledger:
            assert import_histories(ledger, url, [histories / "sip_tasks.jsonl", histories / "peps.jsonl"]).ok
        yield load(url)
