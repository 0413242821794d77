"""`decision-ledger project`."""

import time

import rich_click as click

from ledger.app import VIEWS
from ledger.cli.running import answer, as_json, console, database
from ledger.settings import Settings
from ledger.store.application import Ledger
from projections.follower import Follower

#: How often the lag is told where a person watches, in seconds.
TOLD_EVERY_S = 10.0


@click.command()
@click.option("--once", is_flag=True, help="End as soon as the views have caught up, rather than follow on.")
@as_json
def project(once: bool, json: bool) -> None:
    """Follow the facts into the views until Ctrl-C. One process leads; another waits to take over.

    \b
    decision-ledger project
    decision-ledger project --once --json
    """
    with database(Settings.from_environment(), migrated=True) as url, Ledger(url, pool_size=2) as ledger:
        with Follower(url, ledger, VIEWS) as follower:
            console.print(f"Following {len(VIEWS)} views. Ctrl-C ends it.")
            head = ledger.head()
            try:
                while not once:
                    time.sleep(TOLD_EVERY_S)
                for view in VIEWS:
                    while not follower.wait_for(view.name, head, 60):
                        console.print(f"{view.name} is {follower.lag().get(view.name)} facts behind.")
            except KeyboardInterrupt:
                console.print("Stopped.")
        answer({"position": head}, f"The views are at {head}.", json=json) if once else None
