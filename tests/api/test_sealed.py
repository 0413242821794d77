"""The proof's files over HTTP, and a server that does not serve what was not signed."""

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import httpx
import psycopg
import pytest

from ledger import app
from ledger.app import create_app
from ledger.settings import Settings
from ledger.store.application import Ledger
from ledger.store.faults import NotReconciled
from ledger.store.integrity import reading
from ledger.store.integrity.checkpoint import open_checkpoint, origin
from ledger.store.integrity.keeping import Kept
from ledger.store.integrity.note import Signer, Verifier
from ledger.store.integrity.reconciling import reconcile
from ledger.store.integrity.sealer import Sealer
from tests.api.conftest import PEPPER, served
from tests.integrity.conftest import FACTS, do, fill
from tests.store.examples import append, command


@pytest.fixture
def kept(database_url: str, tmp_path: Path) -> Kept:
    """The folder of a sealer that has signed a few hundred facts."""
    with Ledger(database_url) as ledger:
        fill(ledger)
    found = Kept(tmp_path / "outside")
    with reading.reader(database_url) as connection:
        Sealer(connection, found, Signer.generate(origin(reading.ledger_id(connection)))).seal()
    return found


@pytest.fixture
def settings(database_url: str, tmp_path: Path, kept: Kept) -> Settings:
    return Settings(database_url, tmp_path, token_pepper=PEPPER, seal_folder=kept.folder)


@pytest.fixture
def http(settings: Settings) -> Iterator[httpx.Client]:
    with served(create_app(settings), settings) as address, httpx.Client(base_url=address) as client:
        yield client


def test_the_files_are_there_for_anybody_and_may_be_kept(http: httpx.Client, kept: Kept) -> None:
    note, key = http.get("/sealed/checkpoint"), http.get("/sealed/log.key")
    assert open_checkpoint(note.content, Verifier.parse(key.text)).size == FACTS
    assert note.headers["cache-control"] == "no-cache"
    assert note.headers["content-type"] == "text/plain; charset=utf-8"
    for path in ("tile/0/000", f"tile/0/001.p/{FACTS - 256}", "tile/1/000.p/1"):
        tile = http.get(f"/sealed/{path}")
        assert tile.content == (kept.folder / path).read_bytes(), path
        assert tile.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert tile.headers["content-type"] == "application/octet-stream"


@pytest.mark.parametrize(
    "path",
    [
        "tile/entries/000",
        "tile/0/002",
        "tile/0/0",
        "tile/64/000",
        "tile/0/%2e%2e/%2e%2e/checkpoint",
        "tile/..%2f..%2fcheckpoint",
        "tile/0",
        "other",
    ],
)
def test_nothing_else_is(http: httpx.Client, path: str) -> None:
    assert http.get(f"/sealed/{path}").status_code == 404


def test_a_restored_older_state_is_not_served(settings: Settings, database_url: str, kept: Kept) -> None:
    assert reconcile(database_url, kept) == FACTS
    with psycopg.connect(database_url, autocommit=True) as superuser:
        do(superuser, ["DELETE FROM ledger.events WHERE position > 280", "UPDATE ledger.head SET position = 280"])
    with pytest.raises(NotReconciled, match="ends at 280, and 300 facts were signed: an older state was restored"):
        app.serve(replace(settings, port=0))
    with Ledger(database_url) as ledger:  # other facts in their place make it no better
        for _ in range(30):
            append(ledger, command(uuid4(), 1))
    with pytest.raises(NotReconciled, match="are not those that were signed"):
        app.serve(replace(settings, port=0))


def test_a_rewritten_checkpoint_is_not_served_with(settings: Settings, kept: Kept) -> None:
    note = kept.note()
    assert note is not None
    (kept.folder / "checkpoint").write_text(note.replace("\n300\n", "\n299\n"))
    with pytest.raises(NotReconciled, match="does not hold"):
        app.serve(replace(settings, port=0))


def test_nothing_was_signed_yet(database_url: str, tmp_path: Path) -> None:
    assert reconcile(database_url, Kept(tmp_path / "none")) == 0


def test_a_server_tells_its_log_that_a_guard_is_down(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    assert settings.database_url is not None
    with psycopg.connect(settings.database_url, autocommit=True) as superuser:
        superuser.execute("GRANT INSERT ON ledger.events TO ledger_reader")
    with caplog.at_level(logging.CRITICAL), served(create_app(settings), settings):
        assert "ledger_reader was granted INSERT on the table events" in caplog.text
