"""`decision-ledger redact`."""

from datetime import UTC, datetime
from uuid import uuid4

import rich_click as click

from ledger.cli.running import Failed, answer, as_json, database, progress
from ledger.cli.who import member_known
from ledger.domain.rejected import Rejected
from ledger.handlers.redaction import RedactionAsked
from ledger.handlers.redaction import redact as run
from ledger.replay.keeping import CACHE, forget
from ledger.settings import Settings
from ledger.store.application import Ledger
from ledger.store.connections import patient_connection
from projections.catalogue import VIEWS
from projections.rebuild import rebuild


@click.command()
@click.argument("position", type=click.IntRange(1))
@click.option("--by", required=True, help="The steward who asks: name or member id.")
@click.option("--reason", required=True, help="Why, without repeating the words; it is recorded for good.")
@click.option("--legal-basis", required=True, help="The law, contract or order that asks for it; recorded too.")
@click.confirmation_option(prompt="The words of this fact can't be brought back. Go on?", help="Don't ask.")
@as_json
def redact(position: int, by: str, reason: str, legal_basis: str, json: bool) -> None:
    """Take the words out of the fact at POSITION, for good: each text of it reads Redacted; ids, figures, dates and the proof stay.

    The views are built again, since they hold the words too. Backups and the write-ahead log keep theirs until they are rotated.

    \b
    decision-ledger redact 4711 --by Robin --reason "a customer's number was in it" --legal-basis "GDPR Article 17(1)(d)"
    """
    settings = Settings.from_environment()
    with database(settings, migrated=True) as url, Ledger(url, pool_size=2) as ledger:
        with patient_connection(url) as connection:
            asked = RedactionAsked(position, member_known(connection, by), reason, legal_basis)
        try:
            done = run(ledger, url, asked, command_id=uuid4(), at=datetime.now(UTC))
        except Rejected as rejected:
            raise Failed(rejected.message) from rejected
        forget(settings.data_dir / CACHE)
        with progress("Building the views again", json=json) as moved:
            rebuild(url, ledger, VIEWS, progress=lambda at: moved(at.done, at.total))
    answer(
        done,
        f"Position {position} is redacted; position {done.redaction} says why. The views were built again.",
        json=json,
    )
