"""Where the tests' databases come from: a container, the embedded server, or a server that somebody names."""

import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit
from uuid import uuid4

import psycopg
from psycopg import sql

from ledger.store.embedded_install import find_install

IMAGE = "postgres:18"
#: The official image's; PGDATA lies in it.
DATA_IN_IMAGE = "/var/lib/postgresql"
FOLDER_PREFIX = "ledger-tests-"
#: Copying a database is 300 small files: 10 ms in memory, 30 to 300 on a disk.
MEMORY = Path("/dev/shm")
MEMORY_BYTES_MIN = 4 * 2**30
LEFT_S = 3600
ENGINE_S = 5
PULL_S = 45
#: The tests' own server may lose everything when the machine stops; nothing else may.
FAST: Mapping[str, str] = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "autovacuum_naptime": "10min",
}


@dataclass(frozen=True)
class Backend:
    """Which server is taken (`docker`, `embedded` or `dsn`), and the reason in words."""

    kind: str
    why: str
    dsn: str = ""
    #: Of an embedded server; all processes of one run share it.
    folder: str = ""


@dataclass(frozen=True)
class Server:
    """A PostgreSQL in which tests may make and drop databases. `url` names its maintenance database."""

    url: str

    def url_of(self, database: str) -> str:
        """This will name another database of the same server."""
        found = urlsplit(self.url)
        return f"{found.scheme}://{found.netloc}/{quote(database)}" + (f"?{found.query}" if found.query else "")

    def admin(self) -> psycopg.Connection:
        return psycopg.connect(self.url, autocommit=True)


def choose(kind: str, dsn: str) -> Backend:
    """This will settle what `--db` means on this machine. Raises LookupError when the one asked for can't be had."""
    match kind:
        case "dsn":
            if not dsn:
                raise LookupError(
                    "--db=dsn needs --dsn=postgresql://…: a server where databases may be made and dropped"
                )
            return Backend("dsn", "as asked by --db=dsn", dsn)
        case "embedded":
            return _embedded("as asked by --db=embedded")
        case "docker":
            if why_not := _why_no_container():
                raise LookupError(f"--db=docker: {why_not}")
            return Backend("docker", "as asked by --db=docker")
        case _:
            if why_not := _why_no_container():
                return _embedded(f"--db=auto, {why_not}")
            return Backend("docker", f"--db=auto, a Docker engine has {IMAGE}")


@contextmanager
def serve(backend: Backend) -> Iterator[Server]:
    """This will have the chosen server up inside the block."""
    if backend.kind == "dsn":
        yield Server(backend.dsn)
    elif backend.kind == "docker":
        with _container(in_memory=has_memory()) as url:
            yield Server(url)
    else:
        from ledger.store.embedded import EmbeddedPostgres

        with EmbeddedPostgres.start(Path(backend.folder), settings=FAST) as embedded:
            yield Server(embedded.url_of("postgres"))


def _embedded(why: str) -> Backend:
    in_memory = has_memory()
    place = MEMORY if in_memory else Path(tempfile.gettempdir())
    for left in place.glob(f"{FOLDER_PREFIX}*"):
        _clear_if_left(left)
    where = "in memory" if in_memory else f"in {place}"
    return Backend("embedded", f"{why}; {where}", folder=str(place / f"{FOLDER_PREFIX}{uuid4().hex[:12]}"))


def has_memory() -> bool:
    """This will say whether the machine's memory has room for the tests' data."""
    return MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free >= MEMORY_BYTES_MIN


def _clear_if_left(folder: Path) -> None:
    """This will remove what a killed run left: nobody uses its server, and nothing has happened there for an hour."""
    from ledger.store.embedded_keeper import nobody_uses

    with suppress(OSError):
        if time.time() - folder.stat().st_mtime > LEFT_S:
            with nobody_uses(folder) as unused:
                if unused:
                    shutil.rmtree(folder)


def clear(backend: Backend) -> None:
    """This will remove what an embedded server of this run left behind."""
    if backend.folder:
        shutil.rmtree(backend.folder, ignore_errors=True)


@contextmanager
def database(server: Server, admin: psycopg.Connection, template: str | None = None) -> Iterator[str]:
    """This will make a database for the block, empty or like the template, and give its URL."""
    name = f"test_{uuid4().hex}"
    like = sql.SQL("TEMPLATE {} STRATEGY FILE_COPY").format(sql.Identifier(template)) if template else sql.SQL("")
    admin.execute(sql.SQL("CREATE DATABASE {} {}").format(sql.Identifier(name), like))
    try:
        yield server.url_of(name)
    finally:
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@contextmanager
def migrated_template(server: Server, admin: psycopg.Connection, migrate: Callable[[str], object]) -> Iterator[str]:
    """This will make a database with all migrations in it, to be copied by each test, and give its name."""
    name = f"template_{uuid4().hex}"
    # Roles belong to the whole server: processes that share it migrate one after the other.
    admin.execute("SELECT pg_advisory_lock(20260115)")
    try:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        migrate(server.url_of(name))
    finally:
        admin.execute("SELECT pg_advisory_unlock(20260115)")
    try:
        yield name
    finally:
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _why_no_container() -> str:
    """This will say why no container can be had; an empty text when one can."""
    if not _engine_listens():
        return "no Docker engine answers"
    import docker
    from docker.errors import DockerException, ImageNotFound

    client = docker.from_env(timeout=ENGINE_S)
    try:
        client.images.get(IMAGE)
    except ImageNotFound:
        return "" if _pulled() else f"the Docker engine has no {IMAGE} and could not pull it within {PULL_S} s"
    except (DockerException, OSError) as error:
        return f"the Docker engine answers with an error: {error}"
    finally:
        client.close()
    return ""


def _engine_listens() -> bool:
    """This will knock at the engine's door itself: the docker package leaves a socket open when nobody answers."""
    address = urlsplit(os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock"))
    family = socket.AF_UNIX if address.scheme == "unix" else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as knock:
        knock.settimeout(ENGINE_S)
        try:
            knock.connect(address.path if family == socket.AF_UNIX else (address.hostname, address.port or 2375))
        except OSError:
            return False
    return True


def _pulled() -> bool:
    done: list[bool] = []

    def pull() -> None:
        import docker
        from docker.errors import DockerException

        client = docker.from_env(timeout=PULL_S)
        try:
            client.images.pull(IMAGE)
            done.append(True)
        except (DockerException, OSError):
            pass
        finally:
            client.close()

    puller = threading.Thread(target=pull, daemon=True)
    puller.start()
    puller.join(PULL_S)
    return bool(done)


@contextmanager
def _container(*, in_memory: bool) -> Iterator[str]:
    _settle_ryuk()
    from testcontainers.community.postgres import PostgresContainer

    fast = " ".join(f"-c {name}={value}" for name, value in FAST.items())
    container = PostgresContainer(IMAGE, driver=None).with_command(f"postgres {fast}")
    if in_memory:
        container = container.with_tmpfs_mount(DATA_IN_IMAGE)
    # Docker's own 64 MB of shared memory are too few for parallel queries.
    with container.with_kwargs(shm_size="256m"):
        yield container.get_connection_url()


def _settle_ryuk() -> None:
    """This will do without testcontainers' own cleaner where its image is not at hand: we stop the container ourselves."""
    if "TESTCONTAINERS_RYUK_DISABLED" in os.environ:
        return
    import docker
    from docker.errors import DockerException

    client = docker.from_env(timeout=ENGINE_S)
    try:
        has_image = any(tag.startswith("testcontainers/ryuk") for image in client.images.list() for tag in image.tags)
    except (DockerException, OSError):
        has_image = False
    finally:
        client.close()
    if not has_image:
        os.environ["TESTCONTAINERS_RYUK_DISABLED"] = "true"


def dumped(url: str) -> bytes:
    """This will give what `pg_dump` writes of a database."""
    program = find_install().bin_dir / "pg_dump"
    return subprocess.run([program, "--inserts", url], capture_output=True, check=True).stdout
