"""One served ledger for all the rules; each test has a team of its own in it."""

from collections.abc import Iterator

import httpx
import psycopg
import pytest

from ledger.app import create_app
from ledger.settings import Settings
from ledger.store.application import Ledger
from tests import databases
from tests.api.conftest import PEPPER, Api, served
from tests.databases import Server
from tests.rules.town import Team, Town


@pytest.fixture(scope="session")
def town(
    server: Server, _admin: psycopg.Connection, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Town]:
    """A real uvicorn on a real socket, over a database that no other folder's tests use."""
    with databases.database(server, _admin, template) as url:
        folder = tmp_path_factory.mktemp("rules")
        settings = Settings(database_url=url, data_dir=folder, token_pepper=PEPPER, pool_size=4, wait_s=20)
        with (
            served(create_app(settings), settings) as base_url,
            Ledger(url) as ledger,
            psycopg.connect(url, autocommit=True) as directory,
            httpx.Client(base_url=base_url, timeout=30) as http,
        ):
            yield Town(Api(url, base_url, ledger), http, directory)


@pytest.fixture
def team(town: Town) -> Team:
    """A team with an engineer, a lead and a product manager, which no other test knows."""
    return town.team()
