"""One PostgreSQL for the run, one database per test; see `tests.databases`."""

import os
import signal
from collections.abc import Iterator
from dataclasses import asdict

import psycopg
import pytest
from hypothesis import HealthCheck, settings

from tests import databases
from tests.databases import Backend, Server
from tests.faults.figures import pytest_terminal_summary

__all__ = ["pytest_terminal_summary"]

BACKEND = pytest.StashKey[Backend]()

# A run says of the same code the same as the one before, on a slow machine too; `make search` draws what no run has drawn yet.
settings.register_profile("same", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("search", settings.get_profile("same"), derandomize=False, print_blob=True)
settings.load_profile("same")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("databases")
    group.addoption(
        "--db",
        choices=["auto", "docker", "embedded", "dsn"],
        default="auto",
        help="where PostgreSQL comes from; auto: a container if a Docker engine can give one, else the embedded server",
    )
    group.addoption("--dsn", default="", metavar="URL", help="with --db=dsn: a role that may make databases and roles")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as under `nohup … &`: what is started here must hear Ctrl-C
        signal.signal(signal.SIGINT, signal.default_int_handler)
    given = getattr(config, "workerinput", None)
    if given is not None:  # a worker of pytest-xdist takes what the first process chose
        config.stash[BACKEND] = Backend(**given["ledger_backend"])
        return
    try:
        config.stash[BACKEND] = databases.choose(config.getoption("--db"), config.getoption("--dsn"))
    except LookupError as error:
        raise pytest.UsageError(str(error)) from None


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """This will give one worker more than processors: a test often waits, for a server that starts or a disk."""
    return (os.cpu_count() or 1) + 1


class _Workers:
    def pytest_configure_node(self, node) -> None:  # type: ignore[no-untyped-def]
        node.workerinput["ledger_backend"] = asdict(node.config.stash[BACKEND])


def pytest_sessionstart(session: pytest.Session) -> None:
    if session.config.pluginmanager.hasplugin("xdist"):
        session.config.pluginmanager.register(_Workers())


def pytest_report_header(config: pytest.Config) -> str:
    chosen = config.stash[BACKEND]
    return f"PostgreSQL: {chosen.kind} ({chosen.why})"


def pytest_unconfigure(config: pytest.Config) -> None:
    if BACKEND in config.stash and not hasattr(config, "workerinput"):
        databases.clear(config.stash[BACKEND])


@pytest.fixture(scope="session")
def server(pytestconfig: pytest.Config) -> Iterator[Server]:
    """The run's PostgreSQL; its superuser may make databases and roles."""
    with databases.serve(pytestconfig.stash[BACKEND]) as found:
        yield found


@pytest.fixture(scope="session")
def _admin(server: Server) -> Iterator[psycopg.Connection]:
    with server.admin() as connection:
        yield connection


@pytest.fixture(scope="session")
def template(server: Server, _admin: psycopg.Connection) -> Iterator[str]:
    """The name of a database with all migrations in it."""
    from ledger.store.migrations import migrate

    with databases.migrated_template(server, _admin, migrate) as name:
        yield name


@pytest.fixture
def database_url(server: Server, _admin: psycopg.Connection, template: str) -> Iterator[str]:
    """A migrated database of this test's own."""
    with databases.database(server, _admin, template) as url:
        yield url


@pytest.fixture
def empty_database_url(server: Server, _admin: psycopg.Connection) -> Iterator[str]:
    """A database of this test's own with nothing in it."""
    with databases.database(server, _admin) as url:
        yield url
