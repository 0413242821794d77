"""`decision-ledger demo`."""

import shlex
import sys
from dataclasses import replace
from pathlib import Path

import msgspec
import rich_click as click

from ledger.cli.running import USAGE, Failed, answer, as_json, console, database, progress
from ledger.cli.serve import listening, served, settled
from ledger.demo.debt_story import proposal
from ledger.demo.queries import QUERIES, Query
from ledger.demo.showing import WHO, Shown, show
from ledger.settings import Settings

#: Under the data folder, so that the story never meets a ledger that somebody works with.
FOLDER = "demo"


@click.command()
@listening
@as_json
def demo(host: str | None, port: int | None, workers: int | None, json: bool) -> None:
    """Tell a story of three teams over eighteen months, and serve it until Ctrl-C.

    A second start serves at once, and one that was interrupted goes on. To hear it anew, remove the folder `demo` under LEDGER_DATA_DIR.

    \b
    decision-ledger demo
    decision-ledger demo --port 9000
    decision-ledger demo --port 0 --json
    """
    settings = settled(host, port, workers)
    settings = replace(settings, data_dir=settings.data_dir / FOLDER)
    folder = settings.data_dir if settings.database_url is None else None
    _free(settings)
    with database(settings) as url:
        try:
            with progress("Telling eighteen months of three teams", json=json) as moved:
                shown = show(url, settings.pepper(), moved)
        except KeyboardInterrupt:
            raise Failed("Stopped in the middle of the story; the next start goes on from there.") from None
        served(
            replace(settings, database_url=url),
            lambda address: answer(_document(address, shown, folder), _page(address, shown, folder), json=json),
        )
    console.print("Stopped; what was told is kept.")


def _free(settings: Settings) -> None:
    """This will look for the port before anything else is done: the tokens of a demo that runs there go on. Raises Failed."""
    from ledger.app.serving import NotListening, bound  # noqa: PLC0415 - as in `serve`

    try:
        bound(settings.host, settings.port).close()
    except NotListening as error:
        raise Failed(str(error), USAGE) from error


def _document(address: str, shown: Shown, folder: Path | None) -> dict[str, object]:
    return {
        "graphql": f"{address}/graphql",
        "folder": None if folder is None else str(folder),
        "facts": shown.facts,
        "told_now": shown.told_now,
        "tokens": shown.tokens,
        "queries": [{"asks": query.asks, "role": query.role, "query": query.text} for query in QUERIES],
    }


def _page(address: str, shown: Shown, folder: Path | None) -> str:
    lines = [
        f"\nThe ledger answers at {address}/graphql ({shown.facts} facts of three teams, told as a story).",
        "\nA token per role; those of an earlier start have ended:",
        *(f"  {role:<17} {WHO[role]:<12} {secret}" for role, secret in shown.tokens.items()),  # type: ignore[index]
        "\nThree queries to paste into another terminal:",
        *(_curl(address, shown.tokens[query.role], query) for query in QUERIES),
        *([] if folder is None else [_besides(folder)]),
        "\nCtrl-C ends it and everything that it started.",
    ]
    return "\n".join(lines)


def _besides(folder: Path) -> str:
    called = "decision-ledger" if sys.argv[0].endswith(".py") else sys.argv[0]
    program = f"LEDGER_DATA_DIR={shlex.quote(str(folder))} {called}"
    return (
        f"\nEvery other command works on it too:\n\n# The whole story of that NO\n{program} report {proposal('search-personal')}\n\n"
        f"# Is all of it as it was recorded?\n{program} verify"
    )


def _curl(address: str, secret: str, query: Query) -> str:
    body = msgspec.json.encode({"query": " ".join(query.text.split())}).decode().replace("'", "'\\''")
    return (
        f"\n# {query.asks}\n"
        f"curl -s {address}/graphql -H 'Authorization: Bearer {secret}' -H 'Content-Type: application/json' \\\n"
        f"  -d '{body}' | python3 -m json.tool --no-ensure-ascii"
    )
