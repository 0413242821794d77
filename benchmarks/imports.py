"""How fast histories come in through the domain: a made-up file, and the real ones where they are found.

Prints facts of the source and events of the log per second, how the time of the importing process is split, and the CPU of a fact in
microseconds, which says more on a machine that does something else besides: of this process, of those that decide beside it, and of the
embedded server. Of the time, `decode` is taking in what was decided, or reading lines; `decide` the domain, where it is this process that
decides, with the coding of its facts; `order` the first look at the lines' dates, the sorting, and what the ledger knows already;
`append` the waiting for the log, which records what was decided first while the rest is decided.

What bounds a large file is the processors, which are all busy to its end: the rate can't pass their number divided by the sum of the last
three columns. About three fifths of that sum is deciding in Python, nowhere more than a sixth of it in one function (the names of ids by
SHA-1), and a quarter the server: a quarter of its part the leaf's SHA-256, a third the taking in of a page, a fifth the table of commands.
"""

import argparse
import os
import resource
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from benchmarks.synthetic_histories import write
from ledger.importing import FileReport, import_histories
from ledger.store.application import Ledger
from ledger.store.embedded import EmbeddedPostgres
from ledger.store.migrations import migrate

TITLE = (
    f"{'file':<22}{'facts':>9}{'events':>9}{'seconds':>9}{'facts/s':>9}{'events/s':>9}  decode decide  order append"
    "   CPU us: here  beside  server"
)


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
            _measure(given.database_url, [made_up, *_real()], None)
        else:
            # On a server's own folder: PostgreSQL may run as another user than this process.
            with tempfile.TemporaryDirectory(prefix="ledger-benchmark-db-") as data:
                Path(data).chmod(0o755)
                with EmbeddedPostgres.start(Path(data) / "data") as server:
                    _measure(server.url_of("postgres"), [made_up, *_real()], Path(data))
    return 0


def _measure(url: str, paths: Sequence[Path], data: Path | None) -> None:
    migrate(url)
    print(TITLE)
    with Ledger(url) as ledger:
        for path in paths:
            for again in (False, True):
                before = _cpu_seconds(data)
                (report,) = import_histories(ledger, url, [path]).files
                cpu = [now - then for now, then in zip(_cpu_seconds(data), before, strict=True)]
                print(_row(path.stem + (" again" if again else ""), report, cpu), flush=True)
        print(f"{ledger.head():,} events in the log")


def _row(name: str, file: FileReport, cpu_seconds: Sequence[float]) -> str:
    facts, seconds = file.facts_recorded + file.facts_known, file.seconds
    parts = (file.decode_seconds, file.decide_seconds, file.order_seconds, file.append_seconds)
    split = "".join(f"{part / seconds:>7.0%}" for part in parts)
    cpu = "".join(f"{used / facts * 1e6:>8.1f}" for used in cpu_seconds)
    return (
        f"{name:<22}{facts:>9,}{file.events_recorded:>9,}{seconds:>9.2f}{facts / seconds:>9,.0f}"
        f"{file.events_recorded / seconds:>9,.0f} {split}       {cpu}"
    )


def _cpu_seconds(data: Path | None) -> tuple[float, ...]:
    """This will give the CPU of this process, of those it has waited for, and of the server with that folder, where /proc tells it."""
    here, beside = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    used = (here.ru_utime + here.ru_stime, beside.ru_utime + beside.ru_stime)
    if data is None or not Path("/proc/self/stat").exists():
        return used
    (postmaster,) = [int(file.read_text().split()[0]) for file in data.rglob("postmaster.pid")]
    ticks = 0
    for process in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = (
                process.read_text().rpartition(")")[2].split()
            )  # from the state on: 1 is the parent, 11 to 14 the times
            if process.parent.name == str(postmaster):
                ticks += sum(map(int, fields[11:15]))  # with the backends that have ended
            elif int(fields[1]) == postmaster:
                ticks += sum(map(int, fields[11:13]))
    return (*used, ticks / os.sysconf("SC_CLK_TCK"))


def _real() -> list[Path]:
    named = os.environ.get("LEDGER_HISTORIES")
    folder = Path(named) if named else Path(__file__).parents[2] / "shared" / "histories"
    found = sorted(folder.glob("*.jsonl")) if folder.is_dir() else []
    if not found:
        print(f"no real histories at {folder}: LEDGER_HISTORIES names another folder")
    return found


if __name__ == "__main__":
    raise SystemExit(main())
