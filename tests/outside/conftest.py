"""What the outside suites run against, and with: a served ledger, and programs of npm in a folder of their own."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.api.conftest import begun, served_api  # noqa: F401 - fixtures

HERE = Path(__file__).parent
INSTALL_S = 120


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the clients and suites of npm, as the lock has them. Skips where they can't be had."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("there is no node or no npm here: the suites of npm are not run")
    folder = tmp_path_factory.mktemp("outside")
    for name in ("package.json", "package-lock.json", ".npmrc", "audits.mjs", "clients.mjs"):
        shutil.copy(HERE / name, folder)
    done = subprocess.run(
        [npm, "ci", "--silent"], cwd=folder, capture_output=True, text=True, timeout=INSTALL_S, check=False
    )
    if done.returncode:
        pytest.skip(f"npm can't install the suites here: {done.stderr.strip()[-200:]}")
    return folder


def ran(folder: Path, *command: str) -> tuple[int, list[list[str]]]:
    """The exit code of a program, and the columns of what it printed."""
    done = subprocess.run(
        ["node", *command], cwd=folder, capture_output=True, text=True, timeout=INSTALL_S, check=False
    )
    assert not done.stderr, done.stderr
    return done.returncode, [line.split("\t") for line in done.stdout.splitlines()]
