"""Reports, sweeps, forecasts and calibrations as pictures, for people who would rather look. Needs Matplotlib (the extra `plot`)."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ledger.replay.calibration import Calibrated
from ledger.replay.forecasting import Forecast
from ledger.replay.picture import saved
from ledger.replay.report import Report, Result
from ledger.replay.sweep import Swept
from ledger.values import Verdict

SHOWN_MAX = 7
REPORT_INCHES = (10.0, 11.0)
WIDTH_INCHES, HEIGHT_INCHES = 9.0, 5.5
ROW_INCHES = 0.45


def plot(report: Report, path: Path) -> None:
    """This will draw a report into an .svg or .png: momentum, net hours recovered with their bounds, and the flips in time.

    What was done is drawn black, the first policies of the report in colours. The same report gives the same SVG. Raises PlotError.
    """
    with saved(path, report.digest, REPORT_INCHES) as figure:
        upper, middle, lower = figure.subplots(3, 1, sharex=True, height_ratios=[3, 3, 2])
        shown = [r for r in report.results if r.policy.method != "AS_DECIDED"][:SHOWN_MAX]
        colours = {result.policy.name: f"C{index}" for index, result in enumerate(shown)}
        _curves(upper, report, shown, colours)
        _net(middle, report, shown, colours)
        _flips(lower, shown, colours)
        title = report.scenario.name or "What another prioritisation would have done"
        figure.suptitle(f"{title}\n{', '.join(report.teams)}: {report.reviews} reviews")


def _curves(axes: Any, report: Report, shown: list[Result], colours: dict[str, str]) -> None:
    has_momentum = bool(report.actual.momentum)
    for result, colour, width in _drawn(report, shown, colours):
        values = [100 * m for m in result.momentum] if has_momentum else result.open_drag
        axes.plot(report.weeks, values, color=colour, linewidth=width, label=_label(report, result))
    axes.set_ylabel("momentum, % of the week free of drag" if has_momentum else "open drag, hours a week")
    axes.legend(fontsize="small", ncols=2)
    axes.grid(alpha=0.3)


def _net(axes: Any, report: Report, shown: list[Result], colours: dict[str, str]) -> None:
    for result, colour, width in _drawn(report, shown, colours):
        axes.plot(report.weeks, result.net, color=colour, linewidth=width)
    axes.fill_between(
        report.weeks,
        report.actual.net_low,
        report.actual.net_high,
        color="black",
        alpha=0.08,
        label="bounds of what was done",
    )
    axes.axhline(0, color="grey", linewidth=0.8)
    axes.set_ylabel("net engineer-hours recovered")
    axes.legend(fontsize="small", loc="upper left")
    axes.grid(alpha=0.3)


def _flips(axes: Any, shown: list[Result], colours: dict[str, str]) -> None:
    for row, result in enumerate(shown):
        for verdict, marker in ((Verdict.YES, "^"), (Verdict.NO, "v")):
            at = [flip.at for flip in result.flips if flip.simulated is verdict]
            axes.scatter(at, [row] * len(at), marker=marker, color=colours[result.policy.name], s=36)
    axes.set_yticks(range(len(shown)), [f"{result.policy.name} ({result.flips_count})" for result in shown])
    axes.set_ylim(-0.7, max(len(shown), 1) - 0.3)
    axes.invert_yaxis()
    axes.set_ylabel("flips: ▲ a no turned yes, ▼ a yes turned no", fontsize="small")
    axes.grid(alpha=0.3, axis="x")


def _drawn(report: Report, shown: list[Result], colours: dict[str, str]) -> list[tuple[Result, str, float]]:
    return [(report.actual, "black", 2.2), *((result, colours[result.policy.name], 1.3) for result in shown)]


def _label(report: Report, result: Result) -> str:
    if result is report.actual:
        return "what was done"
    return f"{result.policy.name} ({result.gain_hours:+,.0f} h)"


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
