"""On a server where nobody is a superuser for us, the guard finds nothing wrong that isn't."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from ledger.store.application import Ledger
from ledger.store.embedded import EmbeddedPostgres
from ledger.store.integrity import guard, reading
from ledger.store.integrity.verifying import verify
from ledger.store.migrations import migrate
from tests.integrity.conftest import fill


@pytest.fixture
def deployed(tmp_path: Path) -> Iterator[str]:
    """A server of its own, since roles are the server's: a login that may make roles and databases, and is no superuser."""
    with EmbeddedPostgres.start(tmp_path / "server") as server:
        with psycopg.connect(server.url, autocommit=True) as superuser:
            superuser.execute("CREATE ROLE deployer LOGIN CREATEROLE CREATEDB")
            superuser.execute("CREATE DATABASE managed OWNER deployer")
        yield make_conninfo(server.url, user="deployer", dbname="managed")


def test_a_ledger_that_no_superuser_migrated_is_guarded_without_false_alarms(deployed: str) -> None:
    migrate(deployed)
    with psycopg.connect(deployed, autocommit=True) as connection:
        assert connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone() == (False,)
        connection.execute("GRANT ledger_writer, ledger_reader TO deployer")
    with Ledger(deployed) as ledger:
        fill(ledger, 20)
    assert verify(deployed).holds
    with reading.reader(deployed) as connection:
        assert guard.faults(connection, event_triggers=False) == []
        assert [fault.message for fault in guard.faults(connection)] == [
            f"the event trigger {name} is gone" for name in guard.EVENT_TRIGGERS
        ]
        told = guard.members(connection)
        assert len(told) == len(set(told))
        assert "deployer is a member of ledger_owner" in told
    watch = guard.Watch(deployed, event_triggers=False)
    watch.look()
    assert watch.faults == []
