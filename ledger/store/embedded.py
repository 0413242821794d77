# ruff: noqa: S603  # every command is our own list of words; no shell reads it
"""A real PostgreSQL that starts with the program: the executables come from a wheel, the data live in one folder.

Several processes may use one folder at a time: the first starts the server, the others join it, and the last to stop, or
to be killed, ends it (see `ledger.store.embedded_keeper`). Writes are flushed to disk as in any PostgreSQL (fsync and
synchronous_commit on) unless the settings say otherwise.

The folder holds `pgdata` (the cluster, owned by the server's user), `postgres.log`, the locks and, while the server
runs, `server.json`. Sockets live in a folder of their own under the system's temporary one, since a socket's path is
limited to 107 bytes. Run by root, the server drops to the owner of `pgdata`, for new data to `nobody`; the folder may
lie where that user can't go, such as under /root, because the server is started inside it and never walks the path.
"""

import fcntl
import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

import psycopg
from psycopg import sql

from ledger.store import embedded_keeper as keeper
from ledger.store.embedded_cluster import (
    DEFAULTS,
    SUPERUSER,
    checked,
    create_cluster,
    socket_folder,
    walkable,
    write_settings,
)
from ledger.store.embedded_install import (
    EmbeddedPostgresError,
    Install,
    ServerUser,
    find_install,
    server_user,
)

__all__ = ["EmbeddedPostgres", "EmbeddedPostgresError"]

DATABASE = "ledger"
#: Recovery after a crash comes before the first connection, and may have gigabytes of log to read.
READY_S = 120.0
LOG_BYTES_MAX = 10_000_000

log = logging.getLogger(__name__)


class EmbeddedPostgres:
    """A lease on the server of one folder. Use it as a context manager, or call `stop()`."""

    def __init__(self, folder: Path, install: Install, lease: int, state: Mapping[str, str]) -> None:
        self.folder = folder
        #: Where pgbench, psql and pg_dump are.
        self.bin_dir = install.bin_dir
        self._lease: int | None = lease
        self._state = state

    @classmethod
    def start(cls, data_dir: Path, *, settings: Mapping[str, str] | None = None) -> Self:
        """This will start the folder's server, or join the one that runs, and return once it takes connections.

        A new folder takes about a second. `settings` are PostgreSQL's own names and values. They hold until the server
        stops, over `postgresql.conf` and under `ALTER SYSTEM`; who joins a server that others use takes it as it is.
        Raises EmbeddedPostgresError with a sentence that says what to do.
        """
        folder = data_dir.expanduser().resolve()
        wanted = {**DEFAULTS, **checked(settings or {})}
        try:
            folder.mkdir(mode=0o755, parents=True, exist_ok=True)
            with _start_lock(folder):
                return cls._start(folder, find_install(), wanted)
        except OSError as error:
            raise EmbeddedPostgresError(
                f"The folder {folder} can't hold a database: {error}. Set LEDGER_DATA_DIR to another one."
            ) from error

    @classmethod
    def _start(cls, folder: Path, install: Install, wanted: Mapping[str, str]) -> Self:
        lease = os.open(folder / keeper.LEASE_LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            alone = _try_exclusive(lease)
            launch = _Launch(folder, install, wanted)
            started = launch.ensure_server(alone=alone)
            fcntl.flock(lease, fcntl.LOCK_SH)
            self = cls(folder, install, lease, launch.state())
            if started:
                self._ensure_database()
        except BaseException:
            os.close(lease)  # the keeper ends a server that nobody uses
            raise
        return self

    @property
    def url(self) -> str:
        """This will give the libpq URL of the ledger's own database, over the Unix socket."""
        return self.url_of(DATABASE)

    def url_of(self, database: str) -> str:
        """This will give the libpq URL of any database of this server, over the Unix socket."""
        host = quote(self._state["sockets"], safe="")
        return f"postgresql://{SUPERUSER}@/{quote(database, safe='')}?host={host}&port={self._state['port']}"

    @property
    def pid(self) -> int | None:
        """This will give the server's process id, or None when it does not run."""
        found = keeper.running(self.folder)
        return found.pid if found else None

    @property
    def log_path(self) -> Path:
        """This will name the file with the server's own log."""
        return self.folder / keeper.LOG

    def stop(self) -> None:
        """This will give up the lease, and end the server if nobody else holds one. A second call does nothing."""
        if self._lease is None:
            return
        with _start_lock(self.folder):
            os.close(self._lease)
            self._lease = None
            with keeper.nobody_uses(self.folder) as unused:
                if unused:
                    keeper.shut_down(self.folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _ensure_database(self) -> None:
        with psycopg.connect(self.url_of(SUPERUSER), autocommit=True) as connection:
            known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
            if not known:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))


class _Launch:
    """One attempt to have the folder's server running, made under the start lock."""

    def __init__(self, folder: Path, install: Install, wanted: Mapping[str, str]) -> None:
        self.folder, self.install, self.wanted = folder, install, wanted
        self.pgdata = folder / keeper.PGDATA
        self.log_path = folder / keeper.LOG
        self.log_start = 0

    def state(self) -> Mapping[str, str]:
        """This will read what the running server was started with."""
        try:
            told = json.loads((self.folder / keeper.STATE).read_text())
        except (OSError, ValueError):
            raise EmbeddedPostgresError(
                f"A PostgreSQL that this program did not start runs on {self.pgdata}. Stop it, then start again."
            ) from None
        return {"sockets": told["sockets"], "port": told["port"]}

    def ensure_server(self, *, alone: bool) -> bool:
        """This will start the server unless it runs; True if it was started here."""
        server = keeper.running(self.folder) or self._await_keeper()
        if server and alone and not self._as_wanted():
            keeper.shut_down(self.folder)
            server = self._await_keeper()
        if server is None:
            self._start_server()
            return True
        self.state()
        if not self._keeper_lives():
            self._start_keeper([], ServerUser("", os.geteuid(), os.getegid()))
        self._await_ready(None)
        return False

    def _as_wanted(self) -> bool:
        try:
            return bool(json.loads((self.folder / keeper.STATE).read_text())["settings"] == dict(self.wanted))
        except (OSError, ValueError, KeyError):
            return False

    def _keeper_lives(self) -> bool:
        lock = keeper.try_lock(self.folder / keeper.KEEPER_LOCK)
        if lock is None:
            return True
        os.close(lock)
        return False

    def _await_keeper(self) -> keeper.Postmaster | None:
        """This will wait until a keeper without a server has ended, or has started its server again after a crash."""
        if not _until(lambda: keeper.running(self.folder) is not None or not self._keeper_lives(), seconds=20):
            raise EmbeddedPostgresError(
                f"Another machine or container uses {self.folder}, and its server can't be seen from here."
                " Stop it there, or set LEDGER_DATA_DIR to another folder."
            )
        return keeper.running(self.folder)

    def _start_server(self) -> None:
        self._tidy()
        user = server_user(self.pgdata)
        install = self.install.reachable_by(user)
        if not (self.pgdata / "PG_VERSION").exists():
            create_cluster(self.pgdata, install, user)
        made_by = (self.pgdata / "PG_VERSION").read_text().strip()
        if made_by != str(install.major):
            raise EmbeddedPostgresError(
                f"{self.pgdata} was made by PostgreSQL {made_by}, and {install.version} is installed. Install"
                f" PostgreSQL {made_by}, or set LEDGER_DATA_DIR to a new folder and import an export into it."
            )
        write_settings(self.pgdata, self.wanted, user)
        sockets = socket_folder(user)
        state = {"sockets": str(sockets), "port": self.wanted.get("port", "5432"), "settings": dict(self.wanted)}
        (self.folder / keeper.STATE).write_text(json.dumps(state))
        quoted = '"' + str(sockets).replace('"', '""') + '"'
        where = walkable(self.pgdata, user)
        command = [str(install.bin_dir / "postgres"), "-D", where, "-c", f"unix_socket_directories={quoted}"]
        self._await_ready(self._start_keeper(command, user))

    def _tidy(self) -> None:
        """This will clear what a killed predecessor left: sockets, state, and a pid file that names a stranger."""
        state = self.folder / keeper.STATE
        if state.exists():
            keeper.shut_down(self.folder)
        (self.pgdata / "postmaster.pid").unlink(missing_ok=True)
        if self.log_path.exists() and self.log_path.stat().st_size > LOG_BYTES_MAX:
            self.log_path.replace(self.log_path.with_suffix(".log.1"))

    def _start_keeper(self, command: list[str], user: ServerUser) -> int:
        """This will start the keeper and give the end of a pipe that closes when it ends."""
        process = {name: value for name, value in user.as_process().items() if command}
        order = {"folder": str(self.folder), "command": command, "cwd": str(self.pgdata), "process": process}
        end, other_end = os.pipe()
        self.log_start = self.log_path.stat().st_size if self.log_path.exists() else 0
        try:
            with self.log_path.open("ab") as output:
                subprocess.run(
                    [sys.executable, "-I", "-S", keeper.__file__, json.dumps(order)],
                    check=True,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    cwd="/",
                    pass_fds=[other_end],
                )
        finally:
            os.close(other_end)
        os.set_blocking(end, False)
        return end

    def _await_ready(self, keeper_end: int | None) -> None:
        def has_ended() -> bool:
            try:
                return keeper_end is not None and os.read(keeper_end, 1) == b""
            except BlockingIOError:
                return False

        def is_ready() -> bool:
            found = keeper.running(self.folder)
            return found is not None and found.ready

        try:
            in_time = _until(lambda: is_ready() or has_ended(), seconds=READY_S)
            if is_ready():
                return
        finally:
            if keeper_end is not None:
                os.close(keeper_end)
        with self.log_path.open("rb") as file:
            file.seek(self.log_start)
            tail = file.read().decode(errors="replace").splitlines()[-12:]
        why = "did not start" if in_time else f"was not ready after {READY_S:.0f} s"
        raise EmbeddedPostgresError("\n".join([f"PostgreSQL {why}. The end of {self.log_path} says why:", *tail]))


@contextmanager
def _start_lock(folder: Path) -> Iterator[None]:
    held: list[int] = []

    def take() -> bool:
        lock = keeper.try_lock(folder / keeper.START_LOCK)
        held.extend([lock] if lock is not None else [])
        return bool(held)

    if not _until(take, seconds=READY_S + keeper.STOP_S):
        raise EmbeddedPostgresError(
            f"Another process has been starting or stopping the server of {folder} for minutes: end it."
        )
    try:
        yield
    finally:
        os.close(held[0])


def _try_exclusive(lease: int) -> bool:
    try:
        fcntl.flock(lease, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _until(condition: Callable[[], bool], *, seconds: float) -> bool:
    """This will wait until the condition holds; False when it still does not after that many seconds."""
    ends = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > ends:
            return False
        time.sleep(0.01)
    return True
