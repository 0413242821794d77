"""Makes the figures and pictures of docs/replay.md again: `python docs/replay/make.py` (with `demo`: those of the demo alone).

The demo is told to a database of its own, and replayed by the scenarios beside this file. Where the real histories are at hand
(LEDGER_HISTORIES, or ../shared/histories) they are imported and replayed as well; their figures and pictures have no text of theirs.
"""

import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

import msgspec
from msgspec.structs import replace

from ledger.demo.showing import show
from ledger.importing import import_histories
from ledger.replay import (
    Forecast,
    History,
    PolicyChoice,
    Report,
    Scenario,
    Swept,
    calibration,
    forecast,
    load,
    policies,
    read,
    scales,
    simulate,
    sweep,
    weights,
)
from ledger.replay.plotting import plot, plot_calibration, plot_forecast, plot_sweep
from ledger.store.application import Ledger
from ledger.store.embedded import EmbeddedPostgres
from ledger.store.migrations import migrate

FOLDER = Path(__file__).parent
TUNED_UNTIL = datetime(2025, 12, 4, tzinfo=UTC)
SIP, PEPS = "Derek-Jones/SiP_dataset", "python/peps"


def digest(report: Report) -> str:
    """This will name a report apart from the ledger's own id, how far it has come, and the versions of the libraries."""
    same = replace(report, ledger_id=UUID(int=0), last_position=0, code_version="", digest="")
    return sha256(same.encoded()).hexdigest()


def figures(report: Report) -> dict[str, Any]:
    """This will give what the page tells of a report, with its digest."""
    results = {"what was done": report.actual} | {result.policy.name: result for result in report.results}
    return {
        "sha256": digest(report),
        "reviews": report.reviews,
        "policies": {
            name: {
                "net": round(result.net_hours.likely),
                "low": round(result.net_hours.low),
                "high": round(result.net_hours.high),
                "gain": round(result.gain_hours),
                "gain low": round(result.gain.low),
                "gain high": round(result.gain.high),
                "regret": None if result.regret_hours is None else round(result.regret_hours),
                "yes": result.chosen,
                "median wait": result.waits.median and round(result.waits.median),
                "longest wait": result.waits.longest and round(result.waits.longest),
                "starved": result.starved_count,
                "flips": result.flips_count,
                "hindsight": result.hindsight_check.value,
            }
            for name, result in results.items()
        },
    }


def of_demo(history: History) -> dict[str, Report]:
    """This will replay the demo by the scenarios of the page."""
    return {name: simulate(history, read(FOLDER / f"{name}.toml")) for name in ("demo", "one_verdict")}


def tuned(history: History) -> Swept:
    """This will sweep the demo as the page tells."""
    named = tuple(PolicyChoice(name) for name in ("MOMENTUM", "CD3", "WSJF", "RICE", "ICE", "FIFO"))
    drawn = weights(300, 1, scale=scales(history, TUNED_UNTIL))
    return sweep(history, Scenario(named[:1]), [*named, *drawn], TUNED_UNTIL)


def draw_demo(history: History, reports: dict[str, Report]) -> None:
    """This will draw the demo's pictures."""
    plot(reports["demo"], FOLDER / "demo.svg")
    plot_sweep(tuned(history), FOLDER / "demo_sweep.svg")
    plot_forecast(
        [forecast(history, team, 5, weeks=52) for team in ("Checkout", "Platform", "Search")],
        FOLDER / "demo_forecast.svg",
    )
    plot_calibration(calibration(history), FOLDER / "demo_calibration.svg")


def of_histories(history: History) -> dict[str, Any]:
    """This will replay the real histories, and draw them."""
    found: dict[str, Any] = {}
    for name in ("sip", "peps"):
        report = simulate(history, read(FOLDER / f"{name}.toml"))
        found[name] = figures(report)
        plot(report, FOLDER / f"{name}.svg")
    (tasks, *_) = calibration(history)
    plot_calibration([tasks], FOLDER / "sip_calibration.svg")
    found["calibration"] = {"items": tasks.items, "median": tasks.median, "p10": tasks.p10, "p90": tasks.p90}
    forecasts: list[Forecast] = [
        forecast(history, SIP, 100, as_of=datetime(2012, 1, 1, tzinfo=UTC)),
        forecast(history, PEPS, 10, as_of=datetime(2022, 1, 1, tzinfo=UTC), weeks=104),
    ]
    plot_forecast(forecasts, FOLDER / "histories_forecast.svg")
    found["forecasts"] = [
        {"items": one.items, **{p: str(getattr(one, p))[:10] for p in ("as_of", "p50", "p85", "p95")}}
        for one in forecasts
    ]
    return found


@contextmanager
def database(folder: str) -> Iterator[str]:
    """This will give a database for the block."""
    with EmbeddedPostgres.start(Path(folder)) as server:
        yield server.url


def histories() -> Path | None:
    """This will find the real histories; None: they are not here."""
    named = os.environ.get("LEDGER_HISTORIES")
    folder = Path(named) if named else FOLDER.parents[2] / "shared" / "histories"
    return folder if (folder / "peps.jsonl").is_file() else None


def page(text: str, found: dict[str, Any]) -> str:
    """This will put the figures into the page: rows of the tables below their markers, and figures beside theirs."""

    def rows(match: re.Match[str]) -> str:
        kind, name, head = match["kind"], match["name"], match["head"]
        body = _policies() if kind == "policies" else _told(found[name]["policies"], _ROWS[kind])
        return f"{head}{''.join(f'| {row} |{chr(10)}' for row in body)}"

    def figure(match: re.Match[str]) -> str:
        at, steps = found, match["path"].split(".")
        for step in steps if len(steps) == 2 else (steps[0], "policies", *steps[1:]):  # noqa: PLR2004 - group and figure
            at = at[step]
        return f"{match['head']}{at:,}"

    text = re.sub(
        r"(?P<head><!-- (?P<kind>figures|waits|policies)(?:: (?P<name>\w+))? -->\n\|.*\n\|[-:|]+\n)(?:\|.*\n)*",
        rows,
        text,
    )
    return re.sub(r"(?P<head><!-- figure: (?P<path>[\w. ]+?) -->)[-\d,]*", figure, text)


def _told(results: dict[str, Any], row: Callable[[str, Any], str]) -> list[str]:
    """This will tell what was done first, and then the policies."""
    return [row(*one) for one in sorted(results.items(), key=lambda one: (one[0] != "what was done", one[0]))]


def _net(name: str, of: dict[str, Any]) -> str:
    regret = "" if of["regret"] is None else f"{of['regret']:,}"
    waits = "" if of["median wait"] is None else f"{of['median wait']}, {of['longest wait']} days"
    cells = (
        name,
        f"{of['net']:,}",
        f"{of['low']:,} … {of['high']:,}",
        f"{of['gain']:+,}",
        f"{of['gain low']:+,} … {of['gain high']:+,}" if of["gain low"] != of["gain high"] else "",
        regret,
        of["yes"],
        waits,
        of["flips"],
    )
    return " | ".join(map(str, cells))


def _wait(name: str, of: dict[str, Any]) -> str:
    return f"{name} | {of['yes']:,} | {of['median wait']} | {of['longest wait']:,} | {of['starved']}"


_ROWS = {"figures": _net, "waits": _wait}


def _policies() -> list[str]:
    """This will take the table from where the policies are."""
    lines = (policies.__doc__ or "").splitlines()
    return [line[1 : line.rindex("|")].strip() for line in lines if re.match(r"\| [A-Z_0-9]+ \|", line)]


def main() -> int:
    """This will make everything that can be made here."""
    path = FOLDER / "figures.json"
    found = msgspec.json.decode(path.read_bytes()) if path.exists() else {}
    with TemporaryDirectory() as folder, database(folder) as url:
        show(url, b"x" * 32, lambda done, total: None)
        history = load(url)
        reports = of_demo(history)
        draw_demo(history, reports)
        found |= {name: figures(report) for name, report in reports.items()}
        found["sweep"] = {"sha256": sha256(tuned(history).encoded()).hexdigest()}
    real = histories()
    if sys.argv[1:] == ["demo"]:
        real = None
    elif real is None:
        print("The real histories are not here: set LEDGER_HISTORIES. The demo's figures were made.", file=sys.stderr)
    if real is not None:
        with TemporaryDirectory() as folder, database(folder) as url:
            migrate(url)
            with Ledger(url) as ledger:
                import_histories(ledger, url, [real / "sip_tasks.jsonl", real / "peps.jsonl"])
            found |= of_histories(load(url))
    told = FOLDER.parent / "replay.md"
    told.write_text(page(told.read_text("utf-8"), found), "utf-8")
    path.write_bytes(msgspec.json.format(msgspec.json.encode(found, order="sorted"), indent=1) + b"\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
