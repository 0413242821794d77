import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ledger.importing import ImportReport, import_histories
from ledger.store.application import Ledger
from ledger.store.migrations import migrate
from tests.importing.told import Log, lines_of

SAMPLES = Path(__file__).parent / "samples"


@pytest.fixture
def ledger(database_url: str) -> Iterator[Ledger]:
    with Ledger(database_url) as made:
        yield made


@pytest.fixture
def other(empty_database_url: str) -> Iterator[tuple[Ledger, str]]:
    """A second ledger, to compare with."""
    migrate(empty_database_url)
    with Ledger(empty_database_url) as made:
        yield made, empty_database_url


@pytest.fixture
def orchard() -> Path:
    return SAMPLES / "orchard.jsonl"


@pytest.fixture
def load(ledger: Ledger, database_url: str) -> Callable[..., ImportReport]:
    """Imports files into this test's ledger."""

    def importing(*paths: Path, strict: bool = False) -> ImportReport:
        return import_histories(ledger, database_url, paths, strict=strict)

    return importing


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Path]:
    """Writes records, or lines as they are, into a file."""

    def write(*records: dict[str, object] | bytes, name: str = "history.jsonl") -> Path:
        path = tmp_path / name
        path.write_bytes(lines_of(records))
        return path

    return write


@pytest.fixture
def log(ledger: Ledger) -> Callable[[], Log]:
    return lambda: Log(ledger)


@pytest.fixture(scope="session")
def histories() -> Path:
    """The folder of the real histories, which are not part of the project."""
    named = os.environ.get("LEDGER_HISTORIES")
    folder = Path(named) if named else Path(__file__).parents[3] / "shared" / "histories"
    if not (folder / "peps.jsonl").is_file():
        pytest.skip(f"the real histories are not at {folder}; set LEDGER_HISTORIES to where they are")
    return folder
