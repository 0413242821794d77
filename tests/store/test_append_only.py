"""Nobody changes what was recorded: not the roles of the application, not the owner, not a superuser by mistake."""

from uuid import uuid4

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege
from psycopg.sql import SQL, Identifier

from ledger.store.application import Ledger
from tests.store.examples import append, command

CHANGES = [
    "UPDATE ledger.events SET topic = 'Other'",
    "DELETE FROM ledger.events",
    "TRUNCATE ledger.events",
    "UPDATE ledger.commands SET event_count = 2",
    "DELETE FROM ledger.commands",
    "TRUNCATE ledger.commands",
    "DELETE FROM ledger.head",
    "TRUNCATE ledger.head",
    "UPDATE ledger.identity SET clock = 'story'",
    "DELETE FROM ledger.migrations",
    "DROP TABLE ledger.events",
    "DROP SCHEMA ledger CASCADE",
    "DROP FUNCTION ledger.refuse_change CASCADE",
    "ALTER TABLE ledger.events DISABLE TRIGGER append_only",
    "ALTER TABLE ledger.events ADD COLUMN note text",
    "CREATE OR REPLACE FUNCTION ledger.refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
]
#: What takes the event triggers away: a superuser must be able to, and then nothing but the proof shows what he does next.
GUARDS = ["DROP SCHEMA ledger_guard CASCADE", "DROP EVENT TRIGGER ledger_refuse_drop"]  # the first drops the second
#: What only the owner and superusers may do.
INSERTS = [
    "INSERT INTO ledger.events SELECT 99, gen_random_uuid(), 1, 't', now(), now(), gen_random_uuid(), '', '', '', ''",
    "INSERT INTO ledger.commands VALUES (gen_random_uuid(), '', 99, 1)",
    "UPDATE ledger.head SET position = 99",
]
CALL = """SELECT ledger.append(ARRAY[gen_random_uuid()], ARRAY[''::bytea], ARRAY[now()], ARRAY[1], ARRAY[gen_random_uuid()],
    ARRAY[1], ARRAY['t'], ARRAY[now()], ARRAY[''::bytea], ARRAY[''::bytea], ARRAY[''::bytea])"""


@pytest.fixture(autouse=True)
def _recorded(ledger: Ledger) -> None:
    append(ledger, command(uuid4(), 1))


def become(connection: psycopg.Connection, role: str) -> None:
    connection.execute(SQL("SET ROLE {}").format(Identifier(role)))


def accepted(connection: psycopg.Connection, statements: list[str]) -> list[str]:
    """This will try each statement and give those that were not refused for want of a right."""
    found = []
    for statement in statements:
        try:
            connection.execute(statement)
        except InsufficientPrivilege:
            continue
        found.append(statement)
    return found


@pytest.mark.parametrize("role", ["ledger_writer", "ledger_reader"])
def test_the_application_s_roles_may_change_nothing(superuser: psycopg.Connection, role: str) -> None:
    become(superuser, role)
    assert accepted(superuser, CHANGES + GUARDS + INSERTS) == []


@pytest.mark.parametrize("role", ["ledger_owner", "ledger_migrator"])
def test_the_owner_may_not_change_what_is_there(superuser: psycopg.Connection, role: str) -> None:
    become(superuser, role)
    assert accepted(superuser, CHANGES + GUARDS) == []


@pytest.mark.parametrize("replication_role", ["origin", "replica"])
def test_a_superuser_is_stopped_too(superuser: psycopg.Connection, ledger: Ledger, replication_role: str) -> None:
    superuser.execute(SQL("SET session_replication_role = {}").format(Identifier(replication_role)))
    assert accepted(superuser, CHANGES) == []
    assert len(ledger.read(0, 10)) == 1


def test_a_statement_that_is_not_refused_would_be_seen(superuser: psycopg.Connection) -> None:
    changes = [*INSERTS, GUARDS[0], "DROP TABLE ledger.events CASCADE"]
    assert accepted(superuser, changes) == changes


def test_only_the_writer_may_append(superuser: psycopg.Connection, ledger: Ledger) -> None:
    become(superuser, "ledger_reader")
    with pytest.raises(InsufficientPrivilege):
        superuser.execute(CALL)
    become(superuser, "ledger_writer")
    superuser.execute(CALL)
    assert ledger.head() == 2


def test_the_ledger_s_own_connections_gave_their_power_up(ledger: Ledger) -> None:
    assert ledger.recorder.rows("SELECT current_user::text", []) == [("ledger_reader",)]  # type: ignore[attr-defined]


def test_arrays_that_do_not_agree_are_refused(superuser: psycopg.Connection, ledger: Ledger) -> None:
    with pytest.raises(psycopg.errors.ArraySubscriptError):
        superuser.execute(CALL.replace("ARRAY[1],", "ARRAY[2],", 1))
    with pytest.raises(psycopg.errors.ArraySubscriptError):
        superuser.execute(CALL.replace("ARRAY['t']", "ARRAY['t', 'u']"))
    assert ledger.head() == 1


def test_a_tampered_head_is_never_appended_to(superuser: psycopg.Connection, ledger: Ledger) -> None:
    superuser.execute("UPDATE ledger.head SET position = 0")
    with pytest.raises(psycopg.errors.UniqueViolation, match="events_pkey"):
        append(ledger, command(uuid4(), 1))
    assert len(ledger.read(0, 10)) == 1
