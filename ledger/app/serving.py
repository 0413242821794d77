"""From settings to a server that listens: one process or several, on the operator's database or an embedded one."""

import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from socket import AF_INET, AF_INET6, SO_REUSEADDR, SOL_SOCKET, socket
from tempfile import TemporaryDirectory

import uvicorn
from litestar import Litestar
from uvicorn.supervisors import Multiprocess

from ledger import logs
from ledger.api.requests import BODY_MAX
from ledger.app.composition import GRACE_S, create_app
from ledger.app.gathering import GatheringProtocol
from ledger.settings import Settings
from ledger.store.embedded import EmbeddedPostgres
from ledger.store.integrity.keeping import Kept
from ledger.store.integrity.reconciling import reconcile
from ledger.store.migrations import migrate, pending

#: Most connections that wait to be taken.
BACKLOG = 2_048
#: Tells the workers of one `serve` whether they may follow the log for the views.
FOLLOW = "LEDGER_SERVE_FOLLOW"


class NotMigrated(RuntimeError):  # noqa: N818 - named for what happened
    """The database lacks migrations, and is not ours to change without being asked."""


class NotListening(RuntimeError):  # noqa: N818
    """The address or the port can't be had: another program listens there, or it is not this machine's."""


class NotStarted(RuntimeError):  # noqa: N818
    """The server could not start; the log says why."""


class Server(uvicorn.Server):
    """uvicorn's, which says when it takes requests."""

    ready: Callable[[str], None] | None = None

    async def startup(self, sockets: list[socket] | None = None) -> None:
        """This will start, and call `ready` with the address once requests are answered."""
        await super().startup(sockets)
        if self.started and self.ready and sockets:
            self.ready(address(sockets[0]))


def address(listening: socket) -> str:
    """This will give the URL under which a socket's server is found."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def serve(settings: Settings, *, follow: bool = True, ready: Callable[[str], None] | None = None) -> None:
    """This will serve until a signal ends it: on the settings' database, or on an embedded one that it starts and migrates.

    `ready` is called once with the address. Raises NotMigrated for a database that lacks migrations, NotReconciled for one that is not
    what the sealer signed, NotListening and NotStarted.
    """
    with ExitStack() as stack:
        if settings.database_url is None:
            server = stack.enter_context(EmbeddedPostgres.start(settings.data_dir))
            settings = replace(settings, database_url=server.url)
            migrate(server.url)
        elif lacking := pending(settings.database_url):
            raise NotMigrated(f"The database lacks {', '.join(lacking)}. Run: decision-ledger migrate")
        if settings.seal_folder is not None:
            reconcile(settings.database_url or "", Kept(settings.seal_folder))
        _serve(settings, follow, ready)


def _serve(settings: Settings, follow: bool, ready: Callable[[str], None] | None) -> None:
    several = settings.workers > 1
    config = server_config("ledger.app.serving:worker" if several else create_app(settings, follow=follow), settings)
    with bound(settings.host, settings.port) as listening:
        if several:
            os.environ.update(_environment(settings, follow))
            if ready:
                ready(address(listening))
            with TemporaryDirectory(prefix="ledger-metrics-") as folder:  # where the workers add up their numbers
                os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
                Multiprocess(config, sockets=[listening]).run()
            return
        server = Server(config)
        server.ready = ready
        server.run(sockets=[listening])
        if not server.started:
            raise NotStarted("The server could not start; see above.")


def bound(host: str, port: int) -> socket:
    """This will take the port, for worker processes too. Raises NotListening where it can't be had."""
    listening = socket(AF_INET6 if ":" in host else AF_INET)
    try:
        listening.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(BACKLOG)  # who connects before a worker is up waits for it
    except OSError as error:
        listening.close()
        raise NotListening(
            f"Nothing can listen on port {port} of {host}: {error.strerror}. Choose another with --port (0: any that is free) or --host."
        ) from error
    listening.set_inheritable(True)
    return listening


def server_config(app: Litestar | str, settings: Settings) -> uvicorn.Config:
    """This will say how the application is served; a text names the function that makes it in each worker."""
    return uvicorn.Config(
        app,
        factory=isinstance(app, str),
        workers=settings.workers,
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http=GatheringProtocol,
        proxy_headers=False,
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        ws_max_size=BODY_MAX,
        timeout_graceful_shutdown=GRACE_S,
    )


def _environment(settings: Settings, follow: bool) -> dict[str, str]:
    """This will write down for the workers what may have come from elsewhere than the environment."""
    return {
        "LEDGER_DATABASE_URL": settings.database_url or "",
        "LEDGER_DATA_DIR": str(settings.data_dir),
        "LEDGER_DISK_FOLDER": str(settings.disk_folder or ""),
        "LEDGER_DISK_PERCENT": str(settings.disk_percent_max),
        "LEDGER_POOL_SIZE": str(settings.pool_size),
        "LEDGER_TOKEN_PEPPER": settings.pepper().hex(),
        "LEDGER_WAIT_S": str(settings.wait_s),
        "LEDGER_LOG_LEVEL": settings.log_level,
        "LEDGER_LOG_FORMAT": "json" if settings.log_json else "text",
        "LEDGER_SEAL_FOLDER": str(settings.seal_folder or ""),
        "LEDGER_EVENT_TRIGGERS": "yes" if settings.event_triggers else "no",
        "LEDGER_ORIGINS": " ".join(sorted(settings.origins)),
        "LEDGER_WEBHOOKS_PRIVATE": "yes" if settings.webhooks_private else "no",
        FOLLOW: "yes" if follow else "no",
    }


def worker() -> Litestar:
    """This will make the application of one of several workers, from the environment that `serve` gave it."""
    settings = Settings.from_environment()
    logs.begin(settings.log_level_number, json=settings.log_json)
    return create_app(settings, follow=os.environ.get(FOLLOW) != "no")
