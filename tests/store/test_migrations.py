"""Migrations go forward, once each, whoever starts them and however many do."""

import logging
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from ledger.store import migrations
from ledger.store.application import Ledger
from ledger.store.faults import ClockIsFixed, MigrationChanged, MigrationFailed
from ledger.store.migrations import migrate, pending
from tests.store.examples import append, command

NAMES = [step.name for step in migrations.migrations()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the migrations that may be changed."""
    return Path(shutil.copytree(Path(migrations.__file__).parent, tmp_path / "migrations"))


def add(folder: Path, name: str, sql: str, check: str = "SELECT true") -> None:
    (folder / name).mkdir()
    (folder / name / "up.sql").write_text(sql)
    (folder / name / "check.sql").write_text(check)


def test_a_new_database_gets_all_of_them_and_a_migrated_one_none(empty_database_url: str) -> None:
    assert pending(empty_database_url) == NAMES
    assert migrate(empty_database_url) == NAMES
    assert pending(empty_database_url) == []
    assert migrate(empty_database_url) == []


def test_each_says_why_and_checks_itself() -> None:
    for step in migrations.migrations():
        notes = (Path(migrations.__file__).parent / step.name / "notes.md").read_text()
        assert all(word in notes for word in ("**Why.**", "**Locks.**", "**Duration.**"))
        assert step.check.startswith("SELECT")


def test_ten_that_start_at_once_apply_each_one_once(empty_database_url: str) -> None:
    with ThreadPoolExecutor(10) as threads:
        applied = list(threads.map(lambda _: migrate(empty_database_url), range(10)))
    assert max(applied, key=len) == NAMES
    assert sum(map(len, applied)) == len(NAMES)


def test_a_changed_text_is_refused(empty_database_url: str, folder: Path) -> None:
    migrate(empty_database_url, folder=folder)
    changed = folder / "0001_log" / "up.sql"
    changed.write_text(changed.read_text() + "\n-- a harmless remark\n")
    with pytest.raises(MigrationChanged, match="0001_log"):
        migrate(empty_database_url, folder=folder)


def test_a_database_of_a_newer_program_is_refused(empty_database_url: str, folder: Path) -> None:
    add(folder, "9999_newer", "CREATE TABLE ledger.newer (n int)")
    assert migrate(empty_database_url, folder=folder)[-1] == "9999_newer"
    with pytest.raises(MigrationChanged, match="9999_newer"):
        migrate(empty_database_url)


def test_what_fails_leaves_nothing_behind(empty_database_url: str, folder: Path) -> None:
    add(folder, "9999_half", "CREATE TABLE ledger.half (n int)", "SELECT false")
    with pytest.raises(MigrationFailed, match="9999_half"):
        migrate(empty_database_url, folder=folder)
    assert pending(empty_database_url) == []
    with psycopg.connect(empty_database_url) as connection:
        assert connection.execute("SELECT to_regclass('ledger.half')").fetchone() == (None,)


def test_a_ledger_keeps_its_clock(empty_database_url: str) -> None:
    migrate(empty_database_url, clock="story")
    assert migrate(empty_database_url) == []
    assert migrate(empty_database_url, clock="story") == []
    with pytest.raises(ClockIsFixed, match="story"):
        migrate(empty_database_url, clock="wall")


def test_without_a_superuser_it_works_and_says_what_is_missing(
    empty_database_url: str, superuser: psycopg.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    # The superuser fixture's own database is migrated, so the cluster's roles are there.
    role = f"deployer_{uuid4().hex}"
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        connection.execute(SQL("CREATE ROLE {} IN ROLE ledger_owner").format(Identifier(role)))
        try:
            database = Identifier(connection.info.dbname)
            connection.execute(SQL("GRANT CREATE ON DATABASE {} TO {}").format(database, Identifier(role)))
            joint = "&" if "?" in empty_database_url else "?"
            with caplog.at_level(logging.WARNING, "ledger.store.migrations"):
                assert migrate(f"{empty_database_url}{joint}options=-c%20role%3D{role}") == NAMES
            assert "event triggers" in caplog.text
            with Ledger(empty_database_url) as ledger:
                append(ledger, command(uuid4(), 1))
        finally:
            connection.execute(SQL("DROP OWNED BY {}").format(Identifier(role)))
            connection.execute(SQL("DROP ROLE {}").format(Identifier(role)))
