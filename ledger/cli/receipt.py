"""`decision-ledger receipt check`."""

from pathlib import Path
from typing import BinaryIO

import rich_click as click

from ledger.cli import outside
from ledger.cli.running import CHECK_FAILED, Failed, answer, as_json, database
from ledger.settings import Settings
from ledger.store.integrity import reading
from ledger.store.integrity.logtree import LogTree
from ledger.store.integrity.receipts import Held, NoReceipt
from ledger.store.integrity.receipts import check as run
from ledger.store.integrity.receipts import receipt as parsed


@click.group()
def receipt() -> None:
    """Hold a receipt, which every mutation answers, against the ledger as it is now."""


@receipt.command()
@click.argument("file", type=click.File("rb"))
@outside.against
@as_json
def check(
    file: BinaryIO,
    folder: Path | None,
    checkpoint: Path | None,
    key: Path | None,
    witnesses: tuple[str, ...],
    json: bool,
) -> None:
    """Say of each fact of the receipt in FILE (-: from stdin) whether it is there as it was recorded. Exit code 1: one is not.

    FILE is a mutation's answer, or its `receipt` alone. Proven to be under the checkpoint where one reaches so far.

    \b
    decision-ledger receipt check answer.json
    """
    settings = Settings.from_environment()
    kept = outside.kept(folder, settings)
    against = outside.chosen(checkpoint, key, witnesses, kept)
    try:
        facts = parsed(file.read())
    except NoReceipt as error:
        raise Failed(f"This is no receipt: {error}.") from error
    with database(settings, migrated=True) as url, reading.reader(url) as connection:
        found = run(connection, facts, against, LogTree())
    answer(
        {"holds": all(held.wrong is None for held in found), "facts": found},
        "\n".join(map(_sentence, found)),
        json=json,
    )
    if any(held.wrong is not None for held in found):
        raise SystemExit(CHECK_FAILED)


def _sentence(held: Held) -> str:
    if held.wrong is not None:
        return f"Position {held.position}: {held.wrong}."
    return f"Position {held.position}: as it was recorded{', and under the checkpoint' if held.sealed else ''}."
