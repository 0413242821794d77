"""`decision-ledger project`."""

import time
from contextlib import nullcontext

import rich_click as click

from ledger.cli.running import Failed, answer, as_json, console, database
from ledger.settings import Settings
from ledger.store.application import Ledger
from ledger.store.integrity.keeping import Kept
from ledger.store.integrity.remembering import Memory
from ledger.webhooks.sender import Sender
from projections.catalogue import VIEWS
from projections.follower import Follower

#: How often the lag is looked at, in seconds.
TOLD_EVERY_S = 10.0


@click.command()
@click.option("--once", is_flag=True, help="End as soon as the views have caught up, rather than follow on.")
@as_json
def project(once: bool, json: bool) -> None:
    """Follow the facts into the views, and tell the webhooks, until Ctrl-C. One process leads; another waits to take over.

    \b
    decision-ledger project
    decision-ledger project --once --json
    """
    settings = Settings.from_environment()
    kept = None if settings.seal_folder is None else Kept(settings.seal_folder)
    with (
        database(settings, migrated=True) as url,
        Memory(url, kept) as memory,
        Ledger(url, pool_size=2) as ledger,
        Follower(url, ledger, VIEWS) as follower,
        nullcontext()
        if once
        else Sender(url, settings.pepper(), private=settings.webhooks_private, is_other=memory.fault),
    ):
        console.print(f"Following {len(VIEWS)} views. Ctrl-C ends it.")
        head, told = ledger.head(), None
        try:
            while not once:
                time.sleep(TOLD_EVERY_S)
                behind = max(follower.lag().values(), default=head)
                if behind != told:  # a log is no place for saying again that all is well
                    console.print(f"Behind: {behind} facts.")
                told = behind
            for view in VIEWS:
                _wait(follower, view.name, head)
        except KeyboardInterrupt:
            console.print("Stopped.")
        positions = dict(follower.positions)
    at = min(positions.values(), default=0)
    answer({"position": at, "views": positions}, f"The views are at {at}.", json=json)


def _wait(follower: Follower, view: str, position: int) -> None:
    """This will wait for a view as long as it moves. Raises Failed for one that has stopped at a fact."""
    while not follower.wait_for(view, position, TOLD_EVERY_S):
        if view in follower.faults:
            raise Failed(
                f"The view {view} has stopped: {follower.faults[view]} Rebuild it with a version that can read that."
            )
        console.print(f"{view} is {follower.lag().get(view, position)} facts behind.")
