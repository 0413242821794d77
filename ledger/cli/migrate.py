"""`decision-ledger migrate`."""

import os

import rich_click as click

from ledger.cli.running import USAGE, Failed, answer, as_json, database
from ledger.settings import Settings
from ledger.store.logins import LoginRefused, admit
from ledger.store.migrations import migrate as run

#: Where the password of the application's login is; an option would stand in the list of processes.
LOGIN_PASSWORD = "LEDGER_LOGIN_PASSWORD"  # noqa: S105 - the name of a variable


@click.command()
@click.option(
    "--clock",
    type=click.Choice(["wall", "story"]),
    help="For a new ledger, for good: the database's clock (wall, the default), or the commands' own times (story, for demos and tests).",
)
@click.option(
    "--login",
    metavar="NAME",
    help="Make this login for the application, with the password in LEDGER_LOGIN_PASSWORD, or renew it.",
)
@as_json
def migrate(clock: str | None, login: str | None, json: bool) -> None:
    """Bring the database's tables up to date. Any number of times; many at once are safe.

    \b
    decision-ledger migrate
    LEDGER_DATABASE_URL=postgresql://… decision-ledger migrate --json
    LEDGER_LOGIN_PASSWORD=… decision-ledger migrate --login ledger_app
    """
    password = os.environ.get(LOGIN_PASSWORD, "")
    if login is not None and not password:
        raise Failed(f"{login} needs a password: set {LOGIN_PASSWORD}.", USAGE)
    with database(Settings.from_environment()) as url:
        applied = run(url, clock=clock)  # type: ignore[arg-type]  # click has checked the choice
        if login is not None:
            try:
                admit(url, login, password)
            except LoginRefused as refused:
                raise Failed(str(refused), USAGE) from refused
    done = f"Applied: {', '.join(applied)}." if applied else "Nothing to do."
    answer({"applied": applied}, done if login is None else f"{done} {login} may append and read.", json=json)
