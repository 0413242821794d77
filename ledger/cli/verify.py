"""`decision-ledger verify`."""

from pathlib import Path

import rich_click as click

from ledger.cli import outside
from ledger.cli.running import CHECK_FAILED, answer, as_json, database, progress
from ledger.settings import Settings
from ledger.store.integrity import guard, reading
from ledger.store.integrity.export import verify_export
from ledger.store.integrity.verifying import Verified
from ledger.store.integrity.verifying import verify as run


@click.command()
@click.option("--export", type=outside.file, help="Check this export; no database is asked.")
@outside.against
@click.option("--processes", type=click.IntRange(1, 64), help="Processes that check; left out: as many as pay.")
@click.option(
    "--without-event-triggers",
    is_flag=True,
    help="The ledger was migrated without a superuser, who alone can make them.",
)
@as_json
def verify(
    export: Path | None,
    folder: Path | None,
    checkpoint: Path | None,
    key: Path | None,
    witnesses: tuple[str, ...],
    processes: int | None,
    without_event_triggers: bool,
    json: bool,
) -> None:
    """Recompute everything, and name the first position that does not hold. Exit code 1: something does not.

    Without --checkpoint the one that the sealer kept is taken; without any, a ledger that was rewritten as a whole can't be told.

    \b
    decision-ledger verify
    decision-ledger verify --export facts.jsonl --checkpoint checkpoint --key log.key
    """
    settings = Settings.from_environment()
    looked = settings.event_triggers and not without_event_triggers
    if export is not None:
        against = outside.chosen(checkpoint, key, witnesses, None)
        with progress("Verifying bytes", json=json) as moved:
            found = verify_export(export, checkpoint=against, progress=moved)
        down: list[str] = []
        members: list[str] = []
    else:
        kept = outside.kept(folder, settings)
        against = outside.chosen(checkpoint, key, witnesses, kept)
        with database(settings, migrated=True) as url:
            with progress("Verifying", json=json) as moved:
                found = run(url, checkpoint=against, kept=kept.tiles, processes=processes, progress=moved)
            with reading.reader(url) as connection:
                down = [fault.message for fault in guard.faults(connection, event_triggers=looked)]
                members = guard.members(connection)
    no_checkpoint = "give one with --checkpoint and --key" if export is not None else "run `decision-ledger seal`"
    answer(_document(found, down, members), _sentences(found, down, members, no_checkpoint), json=json)
    if down or not found.holds:
        raise SystemExit(CHECK_FAILED)


def _document(found: Verified, down: list[str], members: list[str]) -> dict[str, object]:
    covered = found.checkpoint and {"origin": found.checkpoint.origin, "size": found.checkpoint.size}
    return {
        "holds": found.holds and not down,
        "facts": found.facts,
        "root": None if found.root is None else found.root.hex(),
        "fault": found.fault,
        "guard": down,
        "members": members,
        "checkpoint": covered,
        "redacted": found.redacted,
        "redactions_unfinished": found.unfinished,
        "seconds": found.seconds,
        "facts_per_second": found.facts_per_s,
    }


def _sentences(found: Verified, down: list[str], members: list[str], no_checkpoint: str) -> str:
    lines = [f"{found.facts:,} facts checked in {found.seconds:.1f} s ({found.facts_per_s:,.0f} a second)."]
    if found.fault is not None:
        lines = [f"NOT AS RECORDED. {found.fault}. Nothing after it was looked at."]
    elif found.checkpoint is None:
        lines.append(f"Each holds. There is no checkpoint to hold them against: {no_checkpoint}.")
    else:
        lines.append(f"Each holds, and the first {found.checkpoint.size:,} are those of the checkpoint.")
    if found.redacted:
        lines.append(f"{found.redacted} of them are redacted, each by a recorded redaction.")
    if found.unfinished:
        lines.append(f"Redactions not carried out yet, or undone since, at: {', '.join(map(str, found.unfinished))}.")
    lines += [f"GUARD DOWN: {sentence}." for sentence in down]
    if members:
        lines.append(f"Who may do more than append and read: {'; '.join(members)}.")
    if found.root is not None:
        lines.append(f"Root: {found.root.hex()}")
    return "\n".join(lines)
