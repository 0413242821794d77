"""The command line as its users have it: real processes, a real database, and nothing left behind."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ledger.store.embedded_keeper import running

ROOT = Path(__file__).parents[2]
PEPPER = bytes(range(32)).hex()
PROGRAM = (sys.executable, "-W", "error", "-m", "ledger.cli")
#: Longest wait for a process to do what it was asked, in seconds; a busy machine is slow.
WAIT_S = 120
#: How long PostgreSQL may take to go after its last user, in seconds.
GONE_S = 2


def environment(**settings: str) -> dict[str, str]:
    """The environment without what its owner may have set for a ledger of their own."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("LEDGER_")}
    return {**clean, "LEDGER_TOKEN_PEPPER": PEPPER, "COLUMNS": "200", **settings}


@dataclass
class Ran:
    """What a command said, and its exit code."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """The one document on stdout; there must be nothing else."""
        return json.loads(self.out)


@dataclass
class Cli:
    """Runs verbs with one environment."""

    settings: dict[str, str]

    def run(self, *arguments: str, **settings: str) -> Ran:
        done = subprocess.run(
            [*PROGRAM, *arguments],
            env=environment(**{**self.settings, **settings}),
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=WAIT_S,
            check=False,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    @contextmanager
    def running(self, *arguments: str, **settings: str) -> Iterator["Process"]:
        process = Process(arguments, environment(**{**self.settings, **settings}))
        try:
            yield process
        finally:
            process.finish()


@dataclass
class Process:
    """A verb that goes on until it is told to end."""

    arguments: Sequence[str]
    environment: dict[str, str]
    out: list[str] = field(default_factory=list)
    err: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.process = subprocess.Popen(
            [*PROGRAM, *self.arguments],
            env=self.environment,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.readers = [
            threading.Thread(target=lambda: self.out.extend(self.process.stdout or ()), daemon=True),
            threading.Thread(target=lambda: self.err.extend(self.process.stderr or ()), daemon=True),
        ]
        for reader in self.readers:
            reader.start()

    def said(self, *parts: str) -> str:
        """All of stdout, once it holds these."""
        until(lambda: all(part in "".join(self.out) for part in parts), self)
        return "".join(self.out)

    def document(self) -> Any:
        """The one document on stdout, once it is there."""
        return json.loads(self.said("\n"))

    def end(self, number: signal.Signals) -> int:
        """The exit code after a signal."""
        self.process.send_signal(number)
        return self.process.wait(WAIT_S)

    def finish(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for reader in self.readers:
            reader.join(20)
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()


def until(found: Callable[[], bool], process: Process | None = None, *, seconds: float = WAIT_S) -> None:
    """Waits until it is so; a process that has ended meanwhile, or too long a wait, fails the test."""
    deadline = time.monotonic() + seconds
    while not found():
        if process is not None and process.process.poll() is not None:
            time.sleep(0.2)  # its last words
            assert found(), f"it ended with {process.process.returncode}: {''.join(process.err)}"
            return
        assert time.monotonic() < deadline, "that took too long"
        time.sleep(0.01)


def named_in(folder: Path) -> list[int]:
    """The processes whose command line names a folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if str(folder).encode() in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue  # it has ended
    return found


def embedded_url(folder: Path) -> str | None:
    """The URL of the server that runs in a folder."""
    try:
        state = json.loads((folder / "server.json").read_text())
    except (OSError, ValueError):
        return None
    return f"host={state['sockets']} port={state['port']} user=postgres dbname=ledger"


def position(folder: Path) -> int:
    """The last position of the ledger in a folder; -1: there is none yet."""
    url = embedded_url(folder)
    try:
        with psycopg.connect(url or "host=/nowhere", autocommit=True) as connection:
            found = connection.execute("SELECT position FROM ledger.head").fetchone()
    except psycopg.Error:
        return -1
    return -1 if found is None else int(found[0])


def gone(folder: Path, pid: int) -> bool:
    """Has the server of a folder ended, with the keeper that watches it?"""
    return running(folder) is None and not Path(f"/proc/{pid}").exists() and not named_in(folder)


@pytest.fixture
def cli(database_url: str, tmp_path: Path) -> Cli:
    """Verbs on a migrated database of this test's own."""
    return Cli({"LEDGER_DATABASE_URL": database_url, "LEDGER_DATA_DIR": str(tmp_path)})


@pytest.fixture
def empty_cli(empty_database_url: str, tmp_path: Path) -> Cli:
    """Verbs on a database with nothing in it."""
    return Cli({"LEDGER_DATABASE_URL": empty_database_url, "LEDGER_DATA_DIR": str(tmp_path)})


@dataclass
class Told:
    """A data folder whose story was told, and the document of its first start."""

    folder: Path
    document: dict[str, Any]

    def copy(self, to: Path) -> Path:
        """A copy for a test that changes it."""
        subprocess.run(["cp", "-a", str(self.folder), str(to)], check=True)
        return to


@pytest.fixture(scope="session")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """The demo's first start, once for all tests."""
    folder = tmp_path_factory.mktemp("told") / "with a space"
    with Cli({"LEDGER_DATA_DIR": str(folder)}).running("demo", "--port", "0", "--json") as process:
        document = process.document()
        assert process.end(signal.SIGTERM) == 0
    yield Told(folder, document)
    shutil.rmtree(folder)
