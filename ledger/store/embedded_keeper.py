# ruff: noqa: S603  # every command is our own list of words; no shell reads it
"""Keeps one embedded server for as long as somebody holds its lease, then stops it.

Runs as a process of its own, from this file alone and with the standard library only, so that it outlives whoever
started it: the kernel drops a killed owner's lease, and the keeper sees that nobody is left. A server that crashes is
started again.

Two locks (flock) in the server's folder say who does what: `start.lock` is held, exclusively, by whoever is starting or
stopping the server; `lease.lock` is held, shared, by each process that uses it, and tried exclusively only under the
first.
"""

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

START_LOCK, LEASE_LOCK, KEEPER_LOCK = "start.lock", "lease.lock", "keeper.lock"
PGDATA, LOG, STATE = "pgdata", "postgres.log", "server.json"
SOCKET_PREFIX = "ledger-pg-"
POLL_S = 0.25
STOP_S = 30.0
#: Above every system's highest pid.
NO_PID = 2**22 + 1
#: After a crash the old server's children may hold its shared memory for a moment; each try takes at least POLL_S.
RESTARTS_MAX = 40


@dataclass(frozen=True)
class Postmaster:
    """The running server as its `postmaster.pid` tells it; `ready`: it takes connections."""

    pid: int
    ready: bool


def try_lock(path: Path, kind: int = fcntl.LOCK_EX) -> int | None:
    """This will take the lock at once and give its descriptor, or None when somebody else has it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


@contextmanager
def nobody_uses(folder: Path) -> Iterator[bool]:
    """This will say whether no process holds the lease, and keep it so until the end of the block."""
    lease = try_lock(folder / LEASE_LOCK)
    try:
        yield lease is not None
    finally:
        if lease is not None:
            os.close(lease)


def running(folder: Path) -> Postmaster | None:
    """This will find the folder's live server; None when there is none, a stale `postmaster.pid` notwithstanding."""
    told = _told(folder)
    if told is None or not _is_server(told[0].pid, {str(folder / PGDATA), told[1]}):
        return None
    return told[0]


def _told(folder: Path) -> tuple[Postmaster, str] | None:
    """This will read `postmaster.pid`: the server, alive or dead, and the folder of its socket."""
    try:
        lines = (folder / PGDATA / "postmaster.pid").read_text().splitlines()
        return Postmaster(int(lines[0]), ready=lines[-1].strip() == "ready"), lines[4] or str(folder / PGDATA)
    except (OSError, ValueError, IndexError):
        return None


def _is_server(pid: int, marks: set[str]) -> bool:
    """This will tell our server from a stranger that got a dead one's pid: its command line names our folders."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
    except OSError:
        if Path("/proc/self/cmdline").exists():
            return False
        told = subprocess.run(
            ["/bin/ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
        )
        command = told.stdout
    return "postgres" in command and any(mark in command for mark in marks)


def disown_stranger(pid_file: Path) -> None:
    """This will put a dead pid into a `postmaster.pid` whose own pid now belongs to a stranger of the same user.

    PostgreSQL would refuse to start beside it. The other lines stay: by them it sees that a crashed server's children are
    still at the data, and waits for them.
    """
    try:
        first, *others = pid_file.read_text().splitlines(keepends=True)
        os.kill(int(first), 0)
    except (OSError, ValueError):
        return
    pid_file.write_text("".join([f"{NO_PID}\n", *others]))


def shut_down(folder: Path) -> None:
    """This will end the server fast: open transactions are rolled back, all that was acknowledged is kept.

    Forgets its socket folder and state. A server that has not ended after STOP_S seconds is made to.
    """
    state = folder / STATE
    sockets = _socket_folder(state)
    state.unlink(missing_ok=True)  # first: from here on the keeper starts nothing again
    for kind in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        if (server := running(folder)) is None:
            break
        with suppress(ProcessLookupError):
            os.kill(server.pid, kind)
        ends = time.monotonic() + STOP_S
        while running(folder) and time.monotonic() < ends:
            time.sleep(0.005)
    remove_sockets(sockets)


def remove_sockets(folder: Path | None) -> None:
    """This will remove a socket folder that we made; any other is left alone."""
    if folder is not None and folder.name.startswith(SOCKET_PREFIX):
        shutil.rmtree(folder, ignore_errors=True)


def _socket_folder(state: Path) -> Path | None:
    try:
        return Path(json.loads(state.read_text())["sockets"])
    except (OSError, ValueError, KeyError):
        return None


def keep(order: dict[str, object]) -> None:
    """This will start the ordered server, or watch one that runs already, until nobody uses it any more."""
    folder = Path(str(order["folder"]))
    lock = try_lock(folder / KEEPER_LOCK)
    if lock is None:
        return
    told_to_stop: list[int] = []

    def on_signal(number: int, _frame: FrameType | None) -> None:
        told_to_stop.append(number)

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    start = _starter(order)
    server = start() if order["command"] else None
    was_ready, restarts = server is None, 0
    while True:
        ended = _wait(server, folder)
        told = _told(folder)
        if server is not None and told is not None and told[0] == Postmaster(server.pid, ready=True):
            was_ready, restarts = True, 0
        if ended is not None:
            # 0 is a shutdown that somebody asked for; a server that never was ready has told why in its log.
            if not (ended and was_ready and restarts < RESTARTS_MAX and (folder / STATE).exists()):
                return
            time.sleep(POLL_S)
            server, restarts = start(), restarts + 1
        elif _stopped(folder, at_once=bool(told_to_stop)):
            if server is not None:
                server.wait()
            return


def _starter(order: dict[str, object]) -> Callable[[], "subprocess.Popen[bytes]"]:
    def start() -> "subprocess.Popen[bytes]":
        arguments: dict[str, object] = order["process"]  # type: ignore[assignment]
        return subprocess.Popen(order["command"], cwd=order["cwd"], stdin=subprocess.DEVNULL, **arguments)  # type: ignore[call-overload,no-any-return]

    return start


def _wait(server: "subprocess.Popen[bytes] | None", folder: Path) -> int | None:
    """This will wait a moment for the server to end, and give its exit code; None while it runs.

    One that we only watch is no child of ours and has no exit code: its end counts as asked for.
    """
    if server is None:
        time.sleep(POLL_S)
        return None if running(folder) else 0
    try:
        return server.wait(POLL_S)
    except subprocess.TimeoutExpired:
        return None


def _stopped(folder: Path, *, at_once: bool) -> bool:
    start = try_lock(folder / START_LOCK)
    if start is None:
        return False
    try:
        with nobody_uses(folder) as unused:
            if unused or at_once:
                shut_down(folder)
            return unused or at_once
    finally:
        os.close(start)


if __name__ == "__main__":
    # The one who started us waits for this parent only; the child belongs to nobody's session or terminal.
    if os.fork() == 0:
        os.setsid()
        keep(json.loads(sys.argv[1]))
    os._exit(0)
