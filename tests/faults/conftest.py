"""Real parts to break: servers of a test's own, a wire that can be cut, processes that serve."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import pytest

from ledger.store.application import Ledger
from ledger.store.embedded import EmbeddedPostgres
from ledger.store.migrations import migrate
from tests.api.conftest import api, provider, settings, wait_s
from tests.faults import cluster
from tests.faults.cluster import Cluster
from tests.faults.figures import figures
from tests.faults.outside import Outside

__all__ = ["api", "figures", "provider", "settings", "wait_s"]

#: Makes a server of the test's own with these settings over the usual ones.
Clusters = Callable[..., Cluster]


@pytest.fixture(scope="session")
def seed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a stopped server with an empty ledger in it: copying one is quicker than making one."""
    folder = tmp_path_factory.mktemp("seed") / "seed"
    with EmbeddedPostgres.start(folder) as server:
        migrate(server.url)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def clusters(seed: Path, tmp_path: Path) -> Iterator[Clusters]:
    """Servers that flush each commit to the disk and may be killed; the test's end ends them."""
    with ExitStack() as stack:
        made: list[Path] = []

        def start(**settings: str) -> Cluster:
            folder = cluster.copied(seed, tmp_path / f"cluster-{len(made)}")
            made.append(folder)
            context: AbstractContextManager[Cluster] = cluster.running(folder, settings)
            return stack.enter_context(context)

        yield start
    for folder in made:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def outside(tmp_path: Path) -> Outside:
    return Outside(tmp_path / "outside")


@pytest.fixture
def ledger(database_url: str) -> Iterator[Ledger]:
    with Ledger(database_url) as made:
        yield made
