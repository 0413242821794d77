"""How fast histories come in through the domain: a made-up file, and the real ones where they are found.

Prints facts of the source and events of the log per second, and how the time is split. `decode` is reading and checking lines, `decide`
the domain with the coding of its facts, `order` the temporary table and making events of its rows, `append` the waiting for the log.
"""

import argparse
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.synthetic_histories import write
from ledger.importing import FileReport, import_histories
from ledger.store.application import Ledger
from ledger.store.embedded import EmbeddedPostgres
from ledger.store.migrations import migrate

TITLE = f"{'file':<22}{'facts':>9}{'events':>9}{'seconds':>9}{'facts/s':>9}{'events/s':>9}  decode decide  order append"


def main(arguments: Sequence[str] | None = None) -> int:
    """This will run the measurement and print its table; each file goes into a ledger of its own."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks import", description=__doc__)
    parser.add_argument("--proposals", type=int, default=20_000, help="in the made-up file")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--database-url", help="an empty database; without it an embedded server that is as durable")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="ledger-benchmark-") as folder:
        made_up = Path(folder) / "synthetic.jsonl"
        write(made_up, given.proposals, given.seed)
        if given.database_url:
            _measure(given.database_url, [made_up, *_real()])
        else:
            # On a server's own folder: PostgreSQL may run as another user than this process.
            with tempfile.TemporaryDirectory(prefix="ledger-benchmark-db-") as data:
                Path(data).chmod(0o755)
                with EmbeddedPostgres.start(Path(data) / "data") as server:
                    _measure(server.url_of("postgres"), [made_up, *_real()])
    return 0


def _measure(url: str, paths: Sequence[Path]) -> None:
    migrate(url)
    print(TITLE)
    with Ledger(url) as ledger:
        for path in paths:
            for again in (False, True):
                (report,) = import_histories(ledger, url, [path]).files
                print(_row(path.stem + (" again" if again else ""), report), flush=True)
        print(f"{ledger.head():,} events in the log")


def _row(name: str, file: FileReport) -> str:
    facts, seconds = file.facts_recorded + file.facts_known, file.seconds
    parts = (file.decode_seconds, file.decide_seconds, file.order_seconds, file.append_seconds)
    split = "".join(f"{part / seconds:>7.0%}" for part in parts)
    return (
        f"{name:<22}{facts:>9,}{file.events_recorded:>9,}{seconds:>9.2f}{facts / seconds:>9,.0f}"
        f"{file.events_recorded / seconds:>9,.0f} {split}"
    )


def _real() -> list[Path]:
    named = os.environ.get("LEDGER_HISTORIES")
    folder = Path(named) if named else Path(__file__).parents[2] / "shared" / "histories"
    found = sorted(folder.glob("*.jsonl")) if folder.is_dir() else []
    if not found:
        print(f"no real histories at {folder}: LEDGER_HISTORIES names another folder")
    return found


if __name__ == "__main__":
    raise SystemExit(main())
