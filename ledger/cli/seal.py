"""`decision-ledger seal`."""

from pathlib import Path
from threading import Event

import rich_click as click

from ledger.cli import outside
from ledger.cli.running import Failed, answer, as_json, console, database, progress
from ledger.settings import Settings
from ledger.store.integrity import reading
from ledger.store.integrity.checkpoint import Checkpoint, origin
from ledger.store.integrity.cosignature import WitnessVerifier, merged
from ledger.store.integrity.keeping import Kept, KeyUnsafe, signer
from ledger.store.integrity.note import BadKey, BadNote
from ledger.store.integrity.sealer import EVERY_S, Refused, Sealer

KEY_FILE = "seal-key"


@click.command()
@outside.folder
@click.option(
    "--key",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="LEDGER_SEAL_KEY",
    help="File of the private key, made when there is none (LEDGER_SEAL_KEY; else under LEDGER_DATA_DIR).",
)
@click.option(
    "--every", type=click.FloatRange(0.05, 3600), default=EVERY_S, show_default=True, help="Seconds between passes."
)
@click.option("--once", is_flag=True, help="One pass, then end.")
@click.option(
    "--cosigned", type=outside.file, help="Instead: take over the cosignatures of the kept checkpoint from this note."
)
@click.option(
    "--witness", "witnesses", multiple=True, help="Key of a witness whose cosignature is taken over; repeatable."
)
@click.option(
    "--without-event-triggers",
    is_flag=True,
    help="The ledger was migrated without a superuser, who alone can make them.",
)
@as_json
def seal(
    folder: Path | None,
    key: Path | None,
    every: float,
    once: bool,
    cosigned: Path | None,
    witnesses: tuple[str, ...],
    without_event_triggers: bool,
    json: bool,
) -> None:
    """Check the ledger and sign what it is, until Ctrl-C: a checkpoint a second, kept outside. Exit code 1: it refuses to sign.

    The key and the folder belong to whoever does not run the database.

    \b
    decision-ledger seal --folder /mnt/outside --key /etc/ledger/seal-key
    decision-ledger seal --once --json
    decision-ledger seal --cosigned note --witness 'witness.example+…'
    """
    settings = Settings.from_environment()
    looked = settings.event_triggers and not without_event_triggers
    kept = outside.kept(folder, settings)
    if cosigned is not None:
        taken_over(kept, cosigned, witnesses)
        answer({"cosigned": True}, "The cosignatures are kept with the checkpoint.", json=json)
        return
    with database(settings, migrated=True) as url, reading.reader(url) as connection:
        try:
            own = signer(key or settings.data_dir / KEY_FILE, origin(reading.ledger_id(connection)))
            console.print(f"Public key: {own.verifier}", markup=False, highlight=False, soft_wrap=True)
            with progress("Checking", json=json) as moved:
                sealer = Sealer(connection, kept, own, event_triggers=looked, progress=moved)
                found = sealer.seal()
            if found is not None:
                answer(_document(found), f"Sealed: {found.size} facts, root {found.root.hex()}.", json=json)
            if not once:
                console.print(f"Sealing into {kept.folder}. Ctrl-C ends it.")
                sealer.run(Event(), every_s=every)
        except Refused as refused:
            raise Failed(f"Refused to sign. {refused}.") from refused
        except (KeyUnsafe, BadKey) as error:
            raise Failed(f"{error}.") from error
        except KeyboardInterrupt:
            console.print("Stopped; what was signed is kept.")


def taken_over(kept: Kept, cosigned: Path, witnesses: tuple[str, ...]) -> None:
    """This will add known witnesses' cosignatures to the kept checkpoint. Raises Failed for a note that is not of it."""
    note, verifier = kept.note(), kept.verifier()
    if note is None or verifier is None:
        raise Failed("No checkpoint is kept there yet. Run: decision-ledger seal --once")
    try:
        known = [WitnessVerifier.parse(text) for text in witnesses]
        kept.keep(merged(note, cosigned.read_text("utf-8"), verifier, known))
    except (BadNote, BadKey) as error:
        raise Failed(f"The cosignatures do not hold: {error}.") from error


def _document(found: Checkpoint) -> dict[str, object]:
    return {"origin": found.origin, "size": found.size, "root": found.root.hex()}
