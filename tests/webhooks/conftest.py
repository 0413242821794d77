"""A served ledger whose own sender may tell programs on this machine, and is quick about it."""

from collections.abc import Iterator

import httpx
import psycopg
import pytest

from ledger.app import create_app
from ledger.settings import Settings
from ledger.store.application import Ledger
from ledger.webhooks import sender
from tests import databases
from tests.api.conftest import PEPPER, Api, served
from tests.databases import Server
from tests.rules.town import Team, Town


@pytest.fixture(scope="session")
def town(
    server: Server, _admin: psycopg.Connection, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Town]:
    with pytest.MonkeyPatch.context() as patch, databases.database(server, _admin, template) as url:
        for name, value in (("PAUSES_S", (0.05,)), ("POLL_S", 0.05), ("CLOCK_S", 0.1)):
            patch.setattr(sender, name, value)
        folder = tmp_path_factory.mktemp("webhooks")
        settings = Settings(
            database_url=url, data_dir=folder, token_pepper=PEPPER, pool_size=4, wait_s=20, webhooks_private=True
        )
        with (
            served(create_app(settings), settings) as base_url,
            Ledger(url) as ledger,
            psycopg.connect(url, autocommit=True) as directory,
            httpx.Client(base_url=base_url, timeout=30) as http,
        ):
            yield Town(Api(url, base_url, ledger), http, directory)


@pytest.fixture
def team(town: Town) -> Team:
    return town.team()
