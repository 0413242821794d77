# ruff: noqa: S603  # every command is our own list of words; no shell reads it
"""Gets the server of one folder running: finds it, adopts it, or starts it with a keeper."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ledger.store import embedded_keeper as keeper
from ledger.store.embedded_cluster import create_cluster, socket_folder, walkable, write_settings
from ledger.store.embedded_install import EmbeddedPostgresError, Install, server_user

#: Recovery after a crash comes before the first connection, and may have gigabytes of log to read.
READY_S = 120.0
LOG_BYTES_MAX = 10_000_000
#: A keeper that finds its server crashed takes this long at most to have it back.
KEEPER_S = 20.0
#: What PostgreSQL says while the children of a killed server still hold its memory; they go within moments.
MEMORY_HELD = "pre-existing shared memory block"
MEMORY_HELD_S = 10.0


class Launch:
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
        if server:
            self.state()  # raises for a server that somebody else started
        if server and alone and not self._as_wanted():
            keeper.shut_down(self.folder)
            server = self._await_keeper()
        if server is None:
            self._start_server()
            return True
        if not self._keeper_lives():
            os.close(self._start_keeper([], {}))
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
        if not until(lambda: keeper.running(self.folder) is not None or not self._keeper_lives(), seconds=KEEPER_S):
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
        try:
            self._await_new_server(command, user.as_process())
        except BaseException:
            keeper.shut_down(self.folder)
            raise

    def _await_new_server(self, command: list[str], process: Mapping[str, Any]) -> None:
        gives_up = time.monotonic() + MEMORY_HELD_S
        while True:
            try:
                self._await_ready(self._start_keeper(command, process))
            except EmbeddedPostgresError as error:
                if MEMORY_HELD not in str(error) or time.monotonic() > gives_up:
                    raise
                time.sleep(0.1)
            else:
                return

    def _tidy(self) -> None:
        """This will clear what a killed predecessor left: sockets, state, and a pid file that names a stranger."""
        if (self.folder / keeper.STATE).exists():
            keeper.shut_down(self.folder)
        keeper.disown_stranger(self.pgdata / "postmaster.pid")
        if self.log_path.exists() and self.log_path.stat().st_size > LOG_BYTES_MAX:
            self.log_path.replace(self.log_path.with_suffix(".log.1"))

    def _start_keeper(self, command: list[str], process: Mapping[str, Any]) -> int:
        """This will start the keeper of a new server, or with no command of the running one.

        Gives the end of a pipe that closes when the keeper ends.
        """
        order = {"folder": str(self.folder), "command": command, "cwd": str(self.pgdata), "process": process}
        end, other_end = os.pipe()
        self.log_start = self.log_path.stat().st_size if self.log_path.exists() else 0
        try:
            log_file = os.open(self.log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            with open(log_file, "ab") as output:
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
            in_time = until(lambda: is_ready() or has_ended(), seconds=READY_S)
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


def until(condition: Callable[[], bool], *, seconds: float) -> bool:
    """This will wait until the condition holds; False when it still does not after that many seconds."""
    ends = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > ends:
            return False
        time.sleep(0.01)
    return True
