"""`decision-ledger export`."""

import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import rich_click as click

from ledger.cli.running import USAGE, Failed, answer, as_json, console, database, progress, record_export
from ledger.cli.who import team_known
from ledger.exports import cloud, files, views
from ledger.exports.choosing import Chosen, sifting
from ledger.settings import Settings
from ledger.store.connections import Connection
from ledger.store.integrity import reading
from ledger.store.integrity.export import Exported, Unfit, first_line
from ledger.store.integrity.export import export as run

FACTS, CLOUD, TABLES = "facts", "cloudevents", ("parquet", "csv")
#: What the access log calls them.
_CALLED = {FACTS: "facts as JSON Lines", CLOUD: "facts as CloudEvents", "parquet": "Parquet", "csv": "CSV"}


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path, allow_dash=True))
@click.option(
    "--format",
    "format_",
    type=click.Choice([FACTS, CLOUD, *TABLES]),
    default=FACTS,
    show_default=True,
    help="facts: JSON Lines with the exact stored bytes. parquet and csv: the rows of --view.",
)
@click.option(
    "--view",
    type=click.Choice(list(views.VIEWS)),
    help=f"Of which view: {'; '.join(f'{name}: {view.meaning}' for name, view in views.VIEWS.items())}.",
)
@click.option("--team", help="Only of this team: its name or id.")
@click.option("--since", type=click.DateTime(), metavar="DATE", help="Only what was true from this instant on (UTC).")
@click.option("--until", type=click.DateTime(), metavar="DATE", help="Only what was true before this instant (UTC).")
@as_json
def export(
    file: Path,
    format_: str,
    view: str | None,
    team: str | None,
    since: datetime | None,
    until: datetime | None,
    json: bool,
) -> None:
    """Write facts or a view to FILE (-: facts to stdout); a file that is there is not overwritten, and auditors see that it was written.

    All facts are checked by `verify --export`, and put into an empty ledger by `import --format facts`. A part of them, by --team, --since
    or --until, is for reading: nothing shows that none is missing.

    \b
    decision-ledger export facts.jsonl
    decision-ledger export - | zstd > facts.jsonl.zst
    decision-ledger export events.jsonl --format cloudevents --team Payments --since 2026-01-01
    decision-ledger export declined.parquet --format parquet --view declined
    """
    _agree(file, format_, view)
    with database(Settings.from_environment(), migrated=True) as url, closing(reading.reader(url)) as connection:
        chosen = _chosen(connection, team, since, until)
        try:
            if format_ in TABLES:
                assert view is not None  # noqa: S101 - agreed above
                _view(url, file, format_, view, chosen, json=json)
            else:
                _facts(url, connection, file, format_, chosen, json=json)
        except Unfit as unfit:
            raise Failed(f"The ledger does not hold, so it was not exported. {unfit}.") from unfit
        except (files.AlreadyThere, views.NotBuilt, views.ExtraMissing) as error:
            raise Failed(str(error)) from error


def _agree(file: Path, format_: str, view: str | None) -> None:
    if (format_ in TABLES) != (view is not None):
        raise Failed("--view goes with --format parquet or csv, and they need it.", USAGE)
    if format_ in TABLES and str(file) == "-":
        raise Failed(f"{format_} is written to a file; name one.", USAGE)


def _chosen(connection: Connection, team: str | None, since: datetime | None, until: datetime | None) -> Chosen:
    team_id = None if team is None else team_known(connection, team)
    start, end = (None if at is None else at.replace(tzinfo=UTC) for at in (since, until))
    if start is not None and end is not None and start >= end:
        raise Failed("--since is not before --until: nothing can lie between.", USAGE)
    return Chosen(team_id, start, end)


def _facts(url: str, connection: Connection, file: Path, format_: str, chosen: Chosen, *, json: bool) -> None:
    write = cloud.writer(connection) if format_ == CLOUD else None

    def written(out: BinaryIO) -> Exported:
        if write is None and not chosen.is_all:
            out.write(first_line(chosen.part(connection)))
        with progress("Exporting", json=json) as moved:
            return run(connection, out, moved, keeps=sifting(connection, chosen), write=write)

    if str(file) == "-":
        found = written(sys.stdout.buffer)
        record_export(url, f"{found.facts} {_CALLED[format_]}, {chosen}")
        console.print(_sentence(found, chosen), highlight=False)
        return
    with files.whole(file) as part:
        with part.open("wb") as out:
            found = written(out)
        record_export(url, f"{found.facts} {_CALLED[format_]}, {chosen}")
    document = {"facts": found.facts, "of": found.head, "partial": not chosen.is_all, "seconds": found.seconds}
    answer({**document, "root": found.root.hex()}, _sentence(found, chosen), json=json)


def _sentence(found: Exported, chosen: Chosen) -> str:
    if chosen.is_all:
        return f"{found.facts:,} facts in {found.seconds:.1f} s. Root: {found.root.hex()}"
    return f"{found.facts:,} of {found.head:,} facts in {found.seconds:.1f} s: {chosen}. A part is not a proof of the whole."


def _view(url: str, file: Path, format_: str, view: str, chosen: Chosen, *, json: bool) -> None:
    with files.whole(file) as part:
        with progress("Exporting", json=json) as moved:
            found = views.copy(url, view, chosen, part, format_, moved)
        record_export(url, f"{found.rows} rows of {view} as {_CALLED[format_]}, {chosen}")
    sentence = f"{found.rows:,} rows of {view}, as it was at position {found.position:,}: {chosen}."
    answer({"rows": found.rows, "view": view, "position": found.position}, sentence, json=json)
