"""The application's login: it does all that a server does, and can't change what was recorded."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from ledger.app import erasing
from ledger.commands.issued import Issued
from ledger.commands.member import EraseMember
from ledger.commands.team import FormTeam
from ledger.demo.lookups import LogLookups
from ledger.directory import members
from ledger.directory.members import Person
from ledger.handlers import Handlers, bootstrap
from ledger.store.application import Ledger
from ledger.store.embedded import EmbeddedPostgres
from ledger.store.integrity.verifying import verify
from ledger.store.logins import LoginRefused, admit
from ledger.store.migrations import migrate
from ledger.values import SYSTEM, MemberId, TeamId
from projections.catalogue import VIEWS
from projections.rebuild import rebuild
from tests.cli.test_erasing import stored

NAME = "Ana Qwertzuiop"


@pytest.fixture
def admin(tmp_path: Path) -> Iterator[str]:
    """A migrated database on a server of its own, since roles are the server's."""
    with EmbeddedPostgres.start(tmp_path / "server") as server:
        migrate(server.url)
        yield server.url


def test_it_appends_builds_views_and_erases_and_changes_nothing_that_was_recorded(admin: str) -> None:
    for password in ("first", "it's the 2nd"):
        admit(admin, "app", password)
    url = make_conninfo(admin, user="app", password=password)
    with Ledger(url) as ledger:
        bootstrap(ledger, datetime.now(UTC), uuid4())
        handlers = Handlers(ledger, LogLookups(ledger))
        member_id = MemberId(uuid4())
        with psycopg.connect(url, autocommit=True) as connection:
            members.put(connection, [Person(member_id, NAME)])
        handlers.handle(issued(FormTeam(team_id=TeamId(uuid4()), name="Checkout")))
        erasing.erasing(url, handlers.handle)(issued(EraseMember(member_id, "She asked for it.", "GDPR Article 17")))
        rebuild(url, ledger, VIEWS)
        head = ledger.head()
    assert head > 2
    assert verify(url).holds
    assert NAME.encode() not in stored(admin)
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in (
            "UPDATE ledger.events SET payload = ''",
            "DELETE FROM ledger.events",
            "UPDATE ledger.head SET position = 99",
            "DROP TABLE ledger.events",
            "SELECT ledger.redact(1, 2)",
            "SET ROLE ledger_owner",
            "SET ROLE ledger_migrator",
        ):
            with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.UndefinedFunction)):
                connection.execute(statement)  # type: ignore[call-overload]


def test_a_login_that_may_do_more_is_refused(admin: str) -> None:
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute("CREATE ROLE root SUPERUSER")
        connection.execute("CREATE ROLE maker CREATEROLE")
        me = connection.info.user
    for login in (me, "root", "maker"):
        with pytest.raises(LoginRefused, match="login of its own"):
            admit(admin, login, "secret")


def issued(command: object) -> Issued[object]:
    return Issued(command, uuid4(), SYSTEM, datetime.now(UTC))
