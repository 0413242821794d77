"""The tests' own ground: which server is taken, and that no test sees another's rows."""

import os
import time
from pathlib import Path

import psycopg
import pytest

from tests import databases
from tests.databases import Backend, Server


@pytest.fixture
def no_engine(monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")


def test_without_a_docker_engine_auto_takes_the_embedded_server_and_says_why(no_engine):
    found = databases.choose("auto", "")

    assert found.kind == "embedded"
    assert "no Docker engine answers" in found.why


def test_docker_asked_for_and_not_there_is_an_error_not_a_fallback(no_engine):
    with pytest.raises(LookupError, match="no Docker engine answers"):
        databases.choose("docker", "")


def test_a_dsn_must_be_named(no_engine):
    with pytest.raises(LookupError, match="--dsn=postgresql://"):
        databases.choose("dsn", "")
    assert databases.choose("dsn", "postgresql://u@h/d") == Backend("dsn", "as asked by --db=dsn", "postgresql://u@h/d")


def test_a_server_may_be_named_by_its_dsn(server):
    with (
        databases.serve(Backend("dsn", "", server.url)) as named,
        named.admin() as admin,
        databases.database(named, admin) as url,
        psycopg.connect(url) as connection,
    ):
        assert connection.execute("SELECT current_database()").fetchone()[0].startswith("test_")


@pytest.mark.parametrize(
    ("url", "other"),
    [
        ("postgresql://u:p@h:1/d?sslmode=require", "postgresql://u:p@h:1/x?sslmode=require"),
        ("postgresql://u@/d?host=%2Ftmp", "postgresql://u@/x?host=%2Ftmp"),
        ("postgresql:///d", "postgresql:///x"),
    ],
)
def test_another_database_of_a_server_keeps_the_rest_of_its_url(url, other):
    assert Server(url).url_of("x") == other


@pytest.mark.parametrize("_time", [1, 2])
def test_each_test_has_a_database_of_its_own(empty_database_url, _time):
    with psycopg.connect(empty_database_url) as connection:
        connection.execute("CREATE TABLE mine ()")


def test_a_database_is_dropped_even_from_under_an_open_connection(server):
    with server.admin() as admin:
        with databases.database(server, admin) as url:
            open_still = psycopg.connect(url)
        assert not admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", [url.rpartition("/")[2]]).fetchone()
        with pytest.raises(psycopg.OperationalError):
            open_still.execute("SELECT 1")
        open_still.close()


def test_a_copy_has_all_migrations(database_url):
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT to_regclass('ledger.events')").fetchone()[0] == "ledger.events"


def test_what_a_killed_run_left_is_removed_and_what_is_used_is_not(no_engine, tmp_path, monkeypatch):
    monkeypatch.setattr(databases, "MEMORY_BYTES_MIN", 2**80)
    monkeypatch.setattr(databases.tempfile, "tempdir", str(tmp_path))
    old, used, young = (tmp_path / f"{databases.FOLDER_PREFIX}{name}" for name in ("old", "used", "young"))
    for folder in (old, used, young):
        folder.mkdir()
    lease = _hold(used)
    long_ago = time.time() - databases.LEFT_S - 60
    for folder in (old, used):
        os.utime(folder, (long_ago, long_ago))

    databases.choose("embedded", "")

    os.close(lease)
    assert not old.exists()
    assert used.exists()
    assert young.exists()


def _hold(folder: Path) -> int:
    import fcntl

    from ledger.store.embedded_keeper import LEASE_LOCK, try_lock

    lease = try_lock(folder / LEASE_LOCK, fcntl.LOCK_SH)
    assert lease is not None
    return lease
