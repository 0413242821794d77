"""`decision-ledger import`."""

from pathlib import Path

import rich_click as click

from ledger.cli.running import USAGE, Failed, answer, as_json, console, database, progress
from ledger.importing import BadLine, ImportReport, Interrupted, Progress, import_histories
from ledger.settings import Settings
from ledger.store.application import Ledger
from ledger.store.disk import Disk
from ledger.store.integrity.export import Unfit
from ledger.store.integrity.restoring import NotEmpty, restore

#: How compressed files begin: gzip, ZIP, Zstandard, XZ, bzip2.
COMPRESSED = (b"\x1f\x8b", b"PK\x03\x04", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ", b"BZh")


@click.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--format",
    "format_",
    type=click.Choice(["histories", "facts"]),
    default="histories",
    help="What the files hold: JSON Lines histories, or the facts that `export` wrote, for an empty ledger.",
)
@click.option("--strict", is_flag=True, help="Stop at the first bad line; nothing of its file is recorded.")
@as_json
def import_(files: tuple[Path, ...], format_: str, strict: bool, json: bool) -> None:
    """Import decision histories. Running it again adds nothing; after an interruption it goes on.

    FILES are uncompressed and lie on disk: each is read twice.

    A bad line is named with its number and reason, nothing of it is recorded, the rest goes on, and the exit code is 1.

    \b
    decision-ledger import peps.jsonl keps.jsonl
    decision-ledger import history.jsonl --strict --json
    decision-ledger import facts.jsonl --format facts
    """
    if format_ == "facts":
        _restore(files, json)
        return
    for path in files:
        _refuse_unfit(path)
    settings = Settings.from_environment()
    stops = [] if settings.disk_folder is None else [Disk(settings.disk_folder, settings.disk_percent_max).fault]
    with (
        database(settings, migrated=True) as url,
        Ledger(url, pool_size=2, statement_timeout_ms=60_000, stops=stops) as ledger,
        progress("Importing", json=json) as moved,
    ):
        try:
            report = import_histories(
                ledger, url, files, strict=strict, progress=lambda at: _move(moved, at), bad_line=_name
            )
        except Interrupted as interrupted:
            raise Failed(_so_far(interrupted.report)) from None
    answer(report, _sentences(report), json=json)
    if not report.ok:
        raise SystemExit(1)


def _refuse_unfit(path: Path) -> None:
    """This will raise the usage error for what is no file of lines, before anything is done."""
    if not path.is_file():
        raise Failed(
            f"{path} can be read once only, and an import reads a file twice. Write it to a file first.", USAGE
        )
    with path.open("rb") as file:
        if file.read(max(map(len, COMPRESSED))).startswith(COMPRESSED):
            raise Failed(f"{path} is compressed. Unpack it first.", USAGE)


def _restore(files: tuple[Path, ...], json: bool) -> None:
    if len(files) > 1:
        raise Failed("An export is one file, and makes one ledger.", USAGE)
    with database(Settings.from_environment(), migrated=True) as url, progress("Importing bytes", json=json) as moved:
        try:
            restored = restore(url, files[0], moved)
        except (NotEmpty, Unfit) as error:
            raise Failed(f"Nothing was imported: {error}.") from error
    sentence = f"{restored.facts:,} facts, as they were. Root: {restored.root.hex()}"
    answer({"facts": restored.facts, "root": restored.root.hex()}, sentence, json=json)


def _move(moved: object, at: Progress) -> None:
    moved(at.done, at.total)  # type: ignore[operator]


def _name(bad: BadLine) -> None:
    console.print(str(bad), style="red", markup=False, highlight=False, soft_wrap=True)


def _so_far(report: ImportReport) -> str:
    return (
        f"Interrupted in {Path(report.files[-1].path).name}. Recorded so far: {_count(report.facts_recorded, 'new source fact')},"
        " and perhaps some that were on their way. Run the same command again: it goes on from there."
    )


def _sentences(report: ImportReport) -> str:
    lines = [
        f"{Path(file.path).name}: {_count(file.proposals, 'proposal')}, {_count(file.facts_recorded, 'source fact')} new,"
        f" {file.facts_known:,} known already, {_count(file.bad_line_count, 'bad line')}, {file.seconds:.1f} s"
        for file in report.files
    ]
    lines.append(f"{_count(report.events_recorded, 'event')} recorded in {report.seconds:.1f} s.")
    if report.stopped:
        lines.append("Stopped at the first bad line. Mend it and run the same command again.")
    return "\n".join(lines)


def _count(number: int, of: str) -> str:
    return f"{number:,} {of}{'' if number == 1 else 's'}"
