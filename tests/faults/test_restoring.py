"""An older state of the database is put back: nothing is served on it until somebody has reconciled it with what was signed."""

import shutil
import time
from pathlib import Path

import pytest

from ledger.store.application import Ledger
from tests.cli.conftest import Cli
from tests.faults import cluster
from tests.faults.figures import Figures
from tests.faults.oracle import Book, examine
from tests.faults.outside import Outside
from tests.faults.test_oracle import remember


@pytest.mark.faults
def test_it_is_refused_until_it_is_reconciled(seed: Path, tmp_path: Path, outside: Outside, figures: Figures) -> None:
    folder, backup, book = cluster.copied(seed, tmp_path / "cluster"), tmp_path / "backup", Book()
    with cluster.running(folder) as server, Ledger(server.url) as ledger:
        for _ in range(10):
            remember(book, ledger)
    cluster.copied(folder, backup)
    with cluster.running(folder) as server, Ledger(server.url) as ledger:
        for _ in range(10):
            remember(book, ledger)
        outside.seal(server.url)
        assert examine(server.url, book, checkpoint=outside.checkpoint()).faults == ()
    shutil.rmtree(folder)
    cluster.copied(backup, folder)
    with cluster.running(folder) as server:
        settings = {"LEDGER_DATABASE_URL": server.url, "LEDGER_DATA_DIR": str(tmp_path)}
        cli = Cli({**settings, "LEDGER_SEAL_FOLDER": str(outside.kept.folder)})
        begun = time.monotonic()
        refused = cli.run("serve", "--port", "0")
        took_s = time.monotonic() - begun
        assert refused.code == 1
        assert "The ledger ends at 20, and 40 facts were signed: an older state was restored." in refused.err
        seen = examine(server.url, book, checkpoint=outside.checkpoint())
        assert seen.parts == {"once", "root"}
        assert seen.lost == 10
        # Somebody looks, and says that what is gone is gone.
        outside.kept.folder.rename(tmp_path / "before the restore")
        with cli.running("serve", "--port", "0", "--json") as process:
            assert process.document()["address"].startswith("http://")
    figures.named("an older state restored", f"refused: {refused.err.strip().partition('Error: ')[2]}", after_s=took_s)
