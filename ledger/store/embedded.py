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
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from psycopg import sql

from ledger.store import embedded_keeper as keeper
from ledger.store.connections import patient_connection
from ledger.store.embedded_cluster import DEFAULTS, SUPERUSER, checked
from ledger.store.embedded_install import EmbeddedPostgresError, Install, find_install
from ledger.store.embedded_launch import READY_S, Launch, until

__all__ = ["EmbeddedPostgres", "EmbeddedPostgresError"]

DATABASE = "ledger"


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
            launch = Launch(folder, install, wanted)
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
        with patient_connection(self.url_of(SUPERUSER)) as connection:
            known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
            if not known:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))


@contextmanager
def _start_lock(folder: Path) -> Iterator[None]:
    held: list[int] = []

    def take() -> bool:
        lock = keeper.try_lock(folder / keeper.START_LOCK)
        held.extend([lock] if lock is not None else [])
        return bool(held)

    if not until(take, seconds=READY_S + keeper.STOP_S):
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
