"""Curves and flips as a picture, for people who would rather look. Needs Matplotlib (the extra `plot`)."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ledger.replay.report import Report, Result
from ledger.values import Verdict

FORMATS = (".svg", ".png")
SHOWN_MAX = 7
WIDTH_INCHES, HEIGHT_INCHES = 10.0, 11.0


class PlotError(RuntimeError):
    """The picture can't be drawn; the message says what to do."""


def plot(report: Report, path: Path, shown_max: int = SHOWN_MAX) -> None:
    """This will draw a report into an .svg or .png: momentum, net hours recovered with their bounds, and the flips in time.

    What was done is drawn black, the first policies of the report in colours. The same report gives the same SVG. Raises PlotError.
    """
    with saved(path, report.digest, (WIDTH_INCHES, HEIGHT_INCHES)) as figure:
        upper, middle, lower = figure.subplots(3, 1, sharex=True, height_ratios=[3, 3, 2])
        shown = [r for r in report.results if r.policy.method != "AS_DECIDED"][:shown_max]
        colours = {result.policy.name: f"C{index}" for index, result in enumerate(shown)}
        _curves(upper, report, shown, colours)
        _net(middle, report, shown, colours)
        _flips(lower, report, shown, colours)
        title = report.scenario.name or "What another prioritisation would have done"
        figure.suptitle(f"{title}\n{', '.join(report.teams)}: {report.reviews} reviews")


def check(path: Path) -> None:
    """This will refuse a name that no picture can have. Raises PlotError."""
    if path.suffix.lower() not in FORMATS:
        raise PlotError(f"{path.name} is neither .svg nor .png. Name it so.")


@contextmanager
def saved(path: Path, salt: str, inches: tuple[float, float]) -> Iterator[Any]:
    """This will give a figure to draw on and save it as .svg or .png; the same drawing with the same salt gives the same SVG.

    Raises PlotError.
    """
    check(path)
    try:
        from matplotlib import rc_context  # noqa: PLC0415 - an extra, and slow to come up
        from matplotlib.figure import Figure  # noqa: PLC0415
    except ImportError as error:
        raise PlotError("Matplotlib is not installed. Run: pip install 'decision-ledger[plot]'") from error
    with rc_context({"svg.hashsalt": salt, "svg.fonttype": "path"}):
        figure = Figure(inches, layout="constrained")
        yield figure
        metadata: dict[str, Any] = {"Date": None} if path.suffix.lower() == ".svg" else {}
        figure.savefig(path, dpi=120, metadata=metadata)


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


def _flips(axes: Any, report: Report, shown: list[Result], colours: dict[str, str]) -> None:
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
