"""Processes that serve, on whatever database a test breaks."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from ledger.handlers import bootstrap
from ledger.store.application import Ledger
from ledger.values import Role
from tests.api.conftest import Api, Client
from tests.cli.conftest import Cli, Process
from tests.faults.asking import caught_up
from tests.faults.cluster import until


class Served:
    """A process of `decision-ledger serve` and a steward who may ask it for anything."""

    def __init__(self, process: Process, base_url: str, api: Api, steward: Client) -> None:
        self.process, self.base_url, self.api, self.steward = process, base_url, api, steward

    def get(self, path: str) -> tuple[int, Any]:
        """This will ask for an address: the status and the body; 0 and None where nobody answers."""
        with suppress(httpx.TransportError):
            found = httpx.get(f"{self.base_url}{path}", timeout=10)
            return found.status_code, found.json()
        return 0, None

    def is_ready(self) -> bool:
        """This will say whether the process says that it can do its work."""
        return self.get("/health/ready")[0] == 200

    def catch_up(self) -> None:
        """This will wait until every view is where the ledger is."""
        caught_up(self.api)


@contextmanager
def serving(url: str, folder: Path, *, behind: str | None = None, **settings: str) -> Iterator[Served]:
    """This will have a process serving inside the block. `behind`: the URL by which it reaches the database, if it is another."""
    with Ledger(url) as ledger:
        bootstrap(ledger, datetime.now(UTC), uuid4())
        api = Api(url, "", ledger)
        cli = Cli({"LEDGER_DATABASE_URL": behind or url, "LEDGER_DATA_DIR": str(folder)})
        with cli.running("serve", "--port", "0", "--json", **settings) as process:
            base_url = process.document()["address"]
            api.base_url = base_url
            steward = api.client(Role.STEWARD)
            served = Served(process, base_url, api, steward)
            try:
                until(served.is_ready, what="getting ready")
                yield served
            finally:  # a planted break ends the block with an error
                steward.http.close()
                api.handlers._lookups.close()  # type: ignore[attr-defined]
