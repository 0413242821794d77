"""`decision-ledger export`."""

import sys
from pathlib import Path

import psycopg
import rich_click as click

from ledger.cli.running import Failed, answer, as_json, console, database, progress
from ledger.directory import access
from ledger.directory.access import AccessKind, Entry
from ledger.settings import Settings
from ledger.store.integrity import reading
from ledger.store.integrity.export import Unfit
from ledger.store.integrity.export import export as run


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path, allow_dash=True))
@as_json
def export(file: Path, json: bool) -> None:
    """Write all facts to FILE (-: to stdout) as JSON Lines with the exact stored bytes; a file that is there is not overwritten.

    Such a file is checked by `verify --export`, and put into an empty ledger by `import --format facts`.

    \b
    decision-ledger export facts.jsonl
    decision-ledger export - | zstd > facts.jsonl.zst
    """
    to_stdout = str(file) == "-"
    if not to_stdout and file.exists():
        raise Failed(f"{file} is there already. Choose another name, or remove it first.")
    part = file.with_name(f"{file.name}.part")
    with database(Settings.from_environment(), migrated=True) as url, reading.reader(url) as connection:
        try:
            with progress("Exporting", json=json) as moved:
                if to_stdout:
                    found = run(connection, sys.stdout.buffer, moved)
                    _record(url, found.facts)
                else:
                    with part.open("wb") as out:
                        found = run(connection, out, moved)
                    _record(url, found.facts)
                    part.rename(file)
        except Unfit as unfit:
            raise Failed(f"The ledger does not hold, so it was not exported. {unfit}.") from unfit
        finally:
            if not to_stdout:
                part.unlink(missing_ok=True)
    sentence = f"{found.facts:,} facts in {found.seconds:.1f} s. Root: {found.root.hex()}"
    if to_stdout:
        console.print(sentence, highlight=False)
    else:
        answer({"facts": found.facts, "root": found.root.hex(), "seconds": found.seconds}, sentence, json=json)


def _record(url: str, facts: int) -> None:
    """This will have auditors see that the operator took a copy out."""
    with psycopg.connect(url, autocommit=True) as connection:
        access.record(connection, [Entry(AccessKind.EXPORTED, f"{facts} facts, all there are, as JSON Lines")])
