"""From settings to a server that listens: one process or several, on the operator's database or an embedded one."""

import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from socket import AF_INET, AF_INET6, SO_REUSEADDR, SOL_SOCKET, socket
from tempfile import TemporaryDirectory

import uvicorn
from litestar import Litestar
from uvicorn.supervisors import Multiprocess

from ledger import logs
from ledger.api.requests import BODY_MAX
from ledger.app.composition import GRACE_S, create_app
from ledger.app.repeating import RepeatingProtocol
from ledger.settings import Settings
from ledger.store.embedded import EmbeddedPostgres
from ledger.store.integrity.keeping import Kept
from ledger.store.integrity.reconciling import reconcile
from ledger.store.migrations import migrate, pending

#: Most connections that wait to be taken.
BACKLOG = 2_048
#: How long a worker may not be heard of, in seconds: until it has imported the application it says nothing.
WORKER_S = 30


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
    settings = replace(settings, token_pepper=settings.pepper())  # that is made once, not by each worker
    several = settings.workers > 1
    make = partial(worker, settings, follow=follow)
    config = server_config(make if several else create_app(settings, follow=follow), settings)
    with bound(settings.host, settings.port) as listening:
        if several:
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


def server_config(app: Litestar | Callable[[], Litestar], settings: Settings) -> uvicorn.Config:
    """This will say how the application is served; a function, which must be one that can be pickled, makes it in each worker."""
    return uvicorn.Config(
        app,
        factory=not isinstance(app, Litestar),
        workers=settings.workers,
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http=RepeatingProtocol,
        proxy_headers=False,
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        ws_max_size=BODY_MAX,
        timeout_graceful_shutdown=GRACE_S,
        timeout_worker_healthcheck=WORKER_S,
    )


def worker(settings: Settings, *, follow: bool) -> Litestar:
    """This will make the application of one of several workers."""
    logs.begin(settings.log_level_number, json=settings.log_json)
    return create_app(settings, follow=follow)
