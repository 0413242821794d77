"""Sweeps, forecasts and calibrations as pictures. Needs Matplotlib (the extra `plot`)."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ledger.replay.calibration import Calibrated
from ledger.replay.forecasting import Forecast
from ledger.replay.plotting import saved
from ledger.replay.sweep import Swept

WIDTH_INCHES, HEIGHT_INCHES = 9.0, 5.5
ROW_INCHES = 0.45


@contextmanager
def _axes(path: Path, name: str, height: float = HEIGHT_INCHES) -> Iterator[Any]:
    with saved(path, name, (WIDTH_INCHES, height)) as figure:
        axes = figure.subplots()
        axes.grid(alpha=0.3)
        yield axes


def plot_sweep(swept: Swept, path: Path) -> None:
    """This will draw the policies that were kept, by net hours and longest wait on the later window, the Pareto front as a line."""
    with _axes(path, f"sweep {swept.tried} {swept.tuned_until}") as axes:
        late = [one for one in swept.later if one.longest_wait is not None]
        axes.scatter([one.longest_wait for one in late], [one.net_hours for one in late], color="C0", label="kept")
        front = sorted(
            (one for one in swept.front if one.longest_wait is not None), key=lambda one: one.longest_wait or 0.0
        )
        axes.plot(
            [one.longest_wait for one in front],
            [one.net_hours for one in front],
            color="C3",
            marker="o",
            label="no other is better in both",
        )
        axes.set_xlabel("longest wait for a yes, days")
        axes.set_ylabel("net engineer-hours recovered")
        axes.set_title(
            f"{swept.tried:,} policies tuned on the time before {swept.tuned_until:%Y-%m-%d}, scored on the time after"
        )
        axes.legend()


def plot_forecast(forecasts: Sequence[Forecast], path: Path) -> None:
    """This will draw when so many items will be done with 50, 85 and 95 %, a row for each forecast."""
    with _axes(path, repr(forecasts), 1.6 + ROW_INCHES * len(forecasts)) as axes:
        told = {label: label for label in ("50 %", "85 %", "95 %")}  # each once in the legend
        for row, one in enumerate(forecasts):
            known = [at for at in (one.p50, one.p85, one.p95) if at is not None]
            if known:
                axes.plot([one.as_of, *known], [row] * (len(known) + 1), color="C0", alpha=0.4)
            for at, marker, label in ((one.p50, "o", "50 %"), (one.p85, "s", "85 %"), (one.p95, "D", "95 %")):
                if at is not None:
                    axes.scatter([at], [row], marker=marker, color="C0", label=told.pop(label, None))
        axes.set_yticks(range(len(forecasts)), [f"{one.team}: {one.items} items" for one in forecasts])
        axes.set_ylim(len(forecasts) - 0.4, -0.6)
        axes.set_title("Done with this probability, if throughput stays as it was")
        if any(one.p50 is not None for one in forecasts):
            axes.legend(loc="lower right")


def plot_calibration(groups: Sequence[Calibrated], path: Path) -> None:
    """This will draw the ratio actual ÷ expected of each group: median, and from the tenth to the ninetieth of a hundred."""
    with _axes(path, repr(groups), 1.6 + ROW_INCHES * len(groups)) as axes:
        rows = range(len(groups))
        axes.hlines(rows, [one.p10 for one in groups], [one.p90 for one in groups], color="C0", linewidth=4, alpha=0.4)
        axes.scatter([one.median for one in groups], rows, color="C0", zorder=3)
        axes.axvline(1.0, color="black", linewidth=1)
        axes.set_yticks(rows, [f"{name(one)} ({one.items})" for one in groups])
        axes.set_ylim(len(groups) - 0.4, -0.6)
        axes.set_xlabel("actual ÷ estimated days: 1 is as estimated")
        axes.set_title("What work took against its estimates: median, and 80 % of it")


def name(group: Calibrated) -> str:
    """This will name a group."""
    return " · ".join(filter(None, (group.team, group.area, group.basis and group.basis.lower())))
