"""The composition root: the one place where the store, the handlers, the views, the directory and the web meet."""

from ledger.app.composition import begin, create_app, running
from ledger.app.lookups import ViewLookups
from ledger.app.serving import NotListening, NotMigrated, NotStarted, address, serve, server_config

__all__ = [
    "NotListening",
    "NotMigrated",
    "NotStarted",
    "ViewLookups",
    "address",
    "begin",
    "create_app",
    "running",
    "serve",
    "server_config",
]
