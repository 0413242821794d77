"""`decision-ledger migrate`."""

import rich_click as click

from ledger.cli.running import answer, as_json, database
from ledger.settings import Settings
from ledger.store.migrations import migrate as run


@click.command()
@click.option(
    "--clock",
    type=click.Choice(["wall", "story"]),
    help="For a new ledger, for good: the database's clock (wall, the default), or the commands' own times (story, for demos and tests).",
)
@as_json
def migrate(clock: str | None, json: bool) -> None:
    """Bring the database's tables up to date. Any number of times; many at once are safe.

    \b
    decision-ledger migrate
    LEDGER_DATABASE_URL=postgresql://… decision-ledger migrate --json
    """
    with database(Settings.from_environment()) as url:
        applied = run(url, clock=clock)  # type: ignore[arg-type]  # click has checked the choice
    answer({"applied": applied}, f"Applied: {', '.join(applied)}." if applied else "Nothing to do.", json=json)
