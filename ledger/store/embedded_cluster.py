# ruff: noqa: S603  # every command is our own list of words; no shell reads it
"""Makes the folder that PostgreSQL keeps its data in, writes its settings, and finds a place for its socket."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from ledger.store.embedded_install import EmbeddedPostgresError, Install, ServerUser
from ledger.store.embedded_keeper import SOCKET_PREFIX

SUPERUSER = "postgres"
SETTINGS_FILE = "ledger.conf"
#: Least and most memory for pages of tables and indexes, in MiB. A page of a long list is spread over many of them.
BUFFERS_MIB = (128, 1024)


def buffers() -> str:
    """This will give a quarter of the machine's memory, within the bounds, as the setting `shared_buffers` takes it."""
    least, most = BUFFERS_MIB
    quarter = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 4 // 2**20
    return f"{min(max(quarter, least), most)}MB"


#: What every embedded server is told unless the caller says otherwise.
DEFAULTS: Mapping[str, str] = MappingProxyType(
    {
        "listen_addresses": "",  # the socket only
        "timezone": "UTC",
        "log_timezone": "UTC",
        "jit": "off",  # short queries only, and the wheels have no LLVM
        "log_checkpoints": "off",
        # Nobody copies from its log: a table that is made and filled in one transaction is flushed whole instead of logged.
        "wal_level": "minimal",
        "shared_buffers": buffers(),
        "max_wal_size": "2GB",
        "checkpoint_timeout": "15min",
        "max_wal_senders": "0",
    }
)
#: Settings that this adapter gives itself.
OURS = frozenset({"data_directory", "config_file", "hba_file", "ident_file", "unix_socket_directories"})
#: A Unix socket's path has at most 107 bytes; what is left of them beside "/ledger-pg-xxxxxxxx/.s.PGSQL.65535.lock".
SOCKET_FOLDER_BYTES_MAX = 107 - 44
#: The first major version with a locale of its own (no ICU, no operating system) and with --sync-method.
BUILTIN_LOCALE_MAJOR = 17


def create_cluster(pgdata: Path, install: Install, user: ServerUser) -> None:
    """This will make a new cluster, flushed to disk, for the user. Killed on the way, it leaves none rather than half.

    Raises EmbeddedPostgresError when initdb fails or the folder holds something else.
    """
    draft = pgdata.with_name(f"{pgdata.name}.new")
    if draft.exists():
        shutil.rmtree(draft)
    draft.mkdir(mode=0o700)
    if user.is_other:
        os.chown(draft, user.uid, user.gid)
    is_new = install.major >= BUILTIN_LOCALE_MAJOR
    initdb = [str(install.bin_dir / "initdb"), "-D", walkable(draft, user)]
    locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"] if is_new else ["--locale=C.UTF-8"]
    # Only we and root may enter the socket's folder. Over TCP a role needs a password, and the first one has none.
    doors = ["--auth-local=trust", "--auth-host=scram-sha-256"]
    _run([*initdb, "-U", SUPERUSER, "-E", "UTF8", "--no-instructions", "--no-sync", *doors, *locale], draft, user)
    with (draft / "postgresql.conf").open("a") as file:
        file.write(f"\ninclude_if_exists = '{SETTINGS_FILE}'\n")
    # One flush of the file system is quick; initdb's own way, a thousand files one by one, is not.
    at_once = ["--sync-method=syncfs"] if is_new and sys.platform == "linux" else []
    _run([*initdb, "--sync-only", *at_once], draft, user)
    try:
        draft.rename(pgdata)
    except OSError:
        raise EmbeddedPostgresError(
            f"{pgdata} holds files that are no PostgreSQL cluster. Move them away, or set LEDGER_DATA_DIR."
        ) from None


def _run(command: list[str], cwd: Path, user: ServerUser) -> None:
    done = subprocess.run(
        command, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, **user.as_process()
    )
    if done.returncode:
        raise EmbeddedPostgresError(f"PostgreSQL's initdb failed in {cwd}: {(done.stderr or done.stdout).strip()}")


def checked(settings: Mapping[str, str]) -> Mapping[str, str]:
    """This will give the settings back, or raise EmbeddedPostgresError for one that can't be written or is ours."""
    for name, value in settings.items():
        if not re.fullmatch(r"[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)?", name) or re.search(r"[\0\r\n]", value):
            raise EmbeddedPostgresError(
                f"{name!r} = {value!r} is no setting of PostgreSQL: use its own name, on one line."
            )
        if name in OURS:
            raise EmbeddedPostgresError(f"The setting {name} is the adapter's own: leave it out.")
    return settings


def write_settings(pgdata: Path, settings: Mapping[str, str], user: ServerUser) -> None:
    """This will write the file that `postgresql.conf` includes; what `ALTER SYSTEM` has set still wins over it."""
    lines = ["# Written at each start of the embedded server; for lasting changes use ALTER SYSTEM."]
    for name, value in sorted(settings.items()):
        escaped = value.replace("\\", "\\\\").replace("'", "''")
        lines.append(f"{name} = '{escaped}'")
    path = pgdata / SETTINGS_FILE
    path.write_text("\n".join([*lines, ""]))
    if user.is_other:
        os.chown(path, user.uid, user.gid)


def walkable(folder: Path, user: ServerUser) -> str:
    """This will name the folder so that the user can follow. Whoever is given the name must be started inside it.

    A process that root starts inside a folder stays there although its user may not walk the path from /.
    """
    if user.reaches(folder):
        return str(folder)
    if not Path("/proc/self/cwd").exists():
        raise EmbeddedPostgresError(
            f"The user {user.name}, who must run PostgreSQL since root may not, can't reach {folder}."
            " Set LEDGER_DATA_DIR to a folder whose parents all users may enter."
        )
    return "/proc/self/cwd"


def socket_folder(user: ServerUser) -> Path:
    """This will make a new folder for the server's socket that only the user, and root, may enter.

    Raises EmbeddedPostgresError when no temporary folder is short enough and open to the user.
    """
    for place in map(Path, (tempfile.gettempdir(), "/tmp", "/var/tmp", "/dev/shm")):  # noqa: S108  # a new folder in it
        if place.is_dir() and len(os.fsencode(place)) <= SOCKET_FOLDER_BYTES_MAX and user.reaches(place):
            made = Path(tempfile.mkdtemp(prefix=SOCKET_PREFIX, dir=place))
            if user.is_other:
                os.chown(made, user.uid, user.gid)
            return made
    raise EmbeddedPostgresError("No temporary folder is short and open enough for a socket: set TMPDIR to /tmp.")
