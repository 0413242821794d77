"""`decision-ledger rebuild`."""

from time import perf_counter

import rich_click as click

from ledger.cli.running import answer, as_json, database, progress
from ledger.settings import Settings
from ledger.store.application import Ledger
from projections import rebuild as building
from projections.catalogue import VIEWS


@click.command()
@click.argument("views", nargs=-1, metavar="[VIEW]…", type=click.Choice([view.name for view in VIEWS]))
@as_json
def rebuild(views: tuple[str, ...], json: bool) -> None:
    """Build views again from the facts, beside the live ones, and switch. Without a name: all of them.

    Readers see the old rows until the switch, which is one transaction. Ctrl-C leaves them as they are.

    \b
    decision-ledger rebuild
    decision-ledger rebuild backlog --json
    """
    wanted = [view for view in VIEWS if not views or view.name in views]
    started = perf_counter()
    with (
        database(Settings.from_environment(), migrated=True) as url,
        Ledger(url, pool_size=2) as ledger,
        progress("Rebuilding", json=json) as moved,
    ):
        position = building.rebuild(url, ledger, wanted, progress=lambda at: moved(at.done, at.total))
    seconds = perf_counter() - started
    names = [view.name for view in wanted]
    answer(
        {"views": names, "position": position, "seconds": seconds},
        f"{', '.join(names)}: built from {position} facts in {seconds:.1f} s.",
        json=json,
    )
