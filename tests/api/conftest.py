"""The whole application on a real socket and a real database, and clients with tokens."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import psycopg
import pytest
import uvicorn
from litestar import Litestar

from ledger.app import ViewLookups, address, create_app, server_config
from ledger.commands import Issued
from ledger.commands.team import AddMember, FormTeam, GrantRole
from ledger.directory import members, tokens
from ledger.directory.members import Person
from ledger.handlers import Handlers, bootstrap
from ledger.settings import Settings
from ledger.store.application import Ledger
from ledger.values import GLOBAL_ROLES, ORGANISATION, SYSTEM, MemberId, Role, TeamId
from projections.catalogue import VIEWS
from projections.rebuild import rebuild
from tests import databases
from tests.databases import Server

if TYPE_CHECKING:
    from tests.api.provider import IdentityProvider

PEPPER = bytes(range(32))
START_S = 30


def plain(base_url: str, **more: Any) -> httpx.Client:
    """A client that has not read the certificates of all authorities, for which it would take 30 ms: here is no TLS."""
    return httpx.Client(base_url=base_url, verify=False, **more)


class Client:
    """One member's program."""

    def __init__(self, base_url: str, token: str, member_id: MemberId) -> None:
        self.token = token
        self.member_id = member_id
        self.http = plain(base_url, headers={"Authorization": f"Bearer {token}"}, timeout=30)

    def answer(self, query: str, **variables: Any) -> dict[str, Any]:
        """The whole answer, errors and all."""
        return self.http.post("/graphql", json={"query": query, "variables": variables}).json()

    def ask(self, query: str, **variables: Any) -> Any:
        """The data of an answer that must have no errors."""
        found = self.answer(query, **variables)
        assert "errors" not in found, found["errors"]
        return found["data"]

    def do(self, mutation: str, **given: Any) -> dict[str, Any]:
        """The payload of a mutation by its name."""
        kind = mutation[0].upper() + mutation[1:] + "Input"
        text = (
            f"mutation M($input: {kind}!) {{ {mutation}(input: $input) {{ "
            "userErrors { code message path } position version commandId repeated receipt { recordedAt facts { position leaf } } } }"
        )
        return self.ask(text, input=given)[mutation]

    def error(self, query: str, **variables: Any) -> dict[str, Any]:
        """The only error of an answer."""
        (found,) = self.answer(query, **variables)["errors"]
        return found


class Api:
    """A served ledger, in which members can be given roles."""

    def __init__(self, url: str, base_url: str, ledger: Ledger) -> None:
        self.database_url = url
        self.base_url = base_url
        self.ledger = ledger
        self.handlers = Handlers(ledger, ViewLookups(url))
        self.clients: list[Client] = []

    def issue(self, command: Any) -> Any:
        """What the system itself does."""
        return self.handlers.handle(Issued(command=command, command_id=uuid4(), member_id=SYSTEM, at=datetime.now(UTC)))

    def team(self, name: str = "Checkout") -> TeamId:
        team_id = TeamId(uuid4())
        self.issue(FormTeam(team_id=team_id, name=name))
        return team_id

    def client(self, role: Role | None = None, team_id: TeamId | None = None, name: str = "Ada") -> Client:
        """A member with a role: in a team, or across teams."""
        member_id = MemberId(uuid4())
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            members.put(connection, [Person(member_id, name)])
            secret, _ = tokens.create(connection, PEPPER, member_id, "tests")
        if role is not None:
            where = ORGANISATION if role in GLOBAL_ROLES else team_id
            assert where is not None
            self.issue(AddMember(where, member_id))
            self.issue(GrantRole(where, member_id, role))
        found = Client(self.base_url, secret, member_id)
        self.clients.append(found)
        return found

    def until_ready(self) -> dict[str, Any]:
        """The answer of `/health/ready` of the first time that all is up to date."""
        deadline = time.monotonic() + START_S
        with plain(self.base_url, timeout=START_S) as http:
            while (response := http.get("/health/ready")).status_code != 200:
                assert time.monotonic() < deadline, response.text
                time.sleep(0.02)
        ready: dict[str, Any] = response.json()
        return ready

    def sql(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            cursor = connection.execute(statement, values)  # type: ignore[arg-type]
            return cursor.fetchall() if cursor.description else []


@contextmanager
def served(app: Litestar, settings: Settings) -> Iterator[str]:
    """The address at which an application answers inside the block."""
    listening = socket.create_server(("127.0.0.1", 0))
    config = server_config(app, settings)
    server = uvicorn.Server(config)

    def run() -> None:  # on the loop that serves in earnest; asyncio's own holds each answer back for 40 ms
        with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
            runner.run(server.serve([listening]))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    deadline = time.monotonic() + START_S
    while not server.started and thread.is_alive() and time.monotonic() < deadline:
        time.sleep(0.005)
    assert server.started
    try:
        yield address(listening)
    finally:
        server.should_exit = True
        thread.join(START_S)
        listening.close()


@pytest.fixture
def provider() -> "Iterator[IdentityProvider]":
    from tests.api.provider import identity_provider  # its keys take a while to make, and few need them

    with identity_provider() as found:
        yield found


@pytest.fixture(scope="session")
def begun(server: Server, _admin: psycopg.Connection, template: str) -> Iterator[str]:
    """The name of a database with a new ledger and its views in it: to build them takes a quarter of a second, to copy them nothing."""
    with databases.database(server, _admin, template) as url:
        with closing(Ledger(url)) as ledger:
            bootstrap(ledger, datetime.now(UTC), uuid4())
            rebuild(url, ledger, VIEWS)
        yield urlsplit(url).path.removeprefix("/")


@pytest.fixture
def database_url(
    request: pytest.FixtureRequest, server: Server, _admin: psycopg.Connection, template: str
) -> Iterator[str]:
    """A database of this test's own: what it asks is asked of a ledger that has begun, where it is served."""
    like = request.getfixturevalue("begun") if "api" in request.fixturenames else template
    with databases.database(server, _admin, like) as url:
        yield url


@pytest.fixture
def wait_s() -> float:
    """How long a reader waits for a view: on a busy machine too; a test of one that comes too late says less."""
    return 20


@pytest.fixture
def settings(request: pytest.FixtureRequest, database_url: str, tmp_path: Path, wait_s: float) -> Settings:
    """Where the test has an identity provider the ledger lets its people in."""
    found = Settings(database_url=database_url, data_dir=tmp_path, token_pepper=PEPPER, pool_size=4, wait_s=wait_s)
    if "provider" not in request.fixturenames:
        return found
    return replace(found, oidc=(request.getfixturevalue("provider").settings(),))


@pytest.fixture
def api(settings: Settings) -> Iterator[Api]:
    """A served ledger of this test's own, with its views followed."""
    assert settings.database_url is not None
    ledger = Ledger(settings.database_url)
    bootstrap(ledger, datetime.now(UTC), uuid4())
    with served(create_app(settings), settings) as base_url:
        found = Api(settings.database_url, base_url, ledger)
        found.until_ready()
        yield found
        for client in found.clients:
            client.http.close()
    ledger.close()


@pytest.fixture(scope="module")
def served_api(
    server: Server, _admin: psycopg.Connection, begun: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Api]:
    """One served ledger for all tests of a file, whose first client has no role, and whose clients may ask for as much as they like."""
    folder = tmp_path_factory.mktemp("served")
    with databases.database(server, _admin, begun) as url, closing(Ledger(url)) as ledger:
        settings = Settings(url, folder, token_pepper=PEPPER, points_per_minute=10**8)
        with served(create_app(settings), settings) as base_url:
            found = Api(url, base_url, ledger)
            found.until_ready()
            found.client()
            yield found
            for client in found.clients:
                client.http.close()


def case(**more: Any) -> dict[str, Any]:
    """A business case that is whole."""
    return {
        "problem": "Every change to the price rules breaks the basket.",
        "benefitsOfFixing": [
            {"code": "EASES_CHANGE", "text": "A rule changes in one place, in an hour instead of two days."}
        ],
        "risksOfIgnoring": [
            {"text": "A wrong price is charged.", "probability": 0.2, "lossHours": "40", "windowWeeks": 12}
        ],
        "noRisksOfFixing": "The rules are covered by tests.",
        "noBenefitsOfIgnoring": "Nothing is won by waiting.",
        **more,
    }
