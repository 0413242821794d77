"""`decision-ledger forecast` and `decision-ledger calibrate`."""

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np
import rich_click as click
from rich.console import Console
from rich.table import Table

from ledger.cli.running import USAGE, Failed, as_json
from ledger.cli.simulating import replaying, sentences, upto
from ledger.cli.tables import show
from ledger.replay import Calibrated, Forecast, calibration, forecast
from ledger.replay.kinds import Kind
from ledger.replay.plotting import plot_calibration, plot_forecast

Picture = click.Path(dir_okay=False, path_type=Path)


@click.command("forecast")
@click.argument("items", type=click.IntRange(1, 100_000))
@click.option("--team", "teams", multiple=True, help="A team's name; left out: all of them.")
@click.option(
    "--as-of",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="DATE",
    help="By what was known on this day; left out: by now.",
)
@click.option("--weeks", type=click.IntRange(1, 1_000), default=26, show_default=True, help="Throughput to draw from.")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="For the draws.")
@click.option("--plot", "picture", type=Picture, help="Draw it: .svg or .png.")
@upto
@as_json
def forecast_(
    items: int,
    teams: tuple[str, ...],
    as_of: datetime | None,
    weeks: int,
    seed: int,
    picture: Path | None,
    position: int | None,
    json: bool,
) -> None:
    """Say when so many more items will be done: 10,000 draws from the weekly throughput that was.

    \b
    decision-ledger forecast 5
    decision-ledger forecast 10 --team Checkout --weeks 52 --plot forecast.svg
    """
    at = None if as_of is None else as_of.replace(tzinfo=UTC)
    with sentences(picture), replaying(position, json) as (history, moved):
        asking = np.unique(history.figures[history.of(Kind.SUBMITTED), 0]).astype(np.int64)
        if not len(asking):
            raise Failed("The log has no proposals: there is nothing to forecast from.", USAGE)
        every = teams or tuple(sorted(history.names.team_names[team] for team in asking))
        found = []
        for done, team in enumerate(every, 1):
            try:
                found.append(forecast(history, team, items, as_of=at, weeks=weeks, seed=seed))
            except ValueError as error:
                known = ", ".join(sorted(filter(None, history.names.team_names)))[:400]
                raise Failed(f"{error} There are {known}.", USAGE) from error
            moved("Forecasting", done, len(every))
        if picture is not None:
            plot_forecast(found, picture)
    if json:
        click.echo(msgspec.json.encode({"forecasts": found}, order="deterministic").decode())
    else:
        _show_forecasts(found)


def _show_forecasts(found: list[Forecast]) -> None:
    table = Table(
        caption="With this probability done by then, if throughput stays as it was. never: not within 20 years. "
        "not known: nothing was done that could be drawn from.",
        caption_justify="left",
    )
    for heading in ("team", "items", "from", "50 %", "85 %", "95 %", "drawn from"):
        table.add_column(heading, justify="right" if heading == "items" else "left")
    for one in found:
        without = "never" if one.done else "not known"
        days = (without if at is None else f"{at:%Y-%m-%d}" for at in (one.p50, one.p85, one.p95))
        drawn = f"{one.done} done in {one.weeks} {'week' if one.weeks == 1 else 'weeks'}"
        table.add_row(one.team, str(one.items), f"{one.as_of:%Y-%m-%d}", *days, drawn)
    show(Console(), table)


@click.command("calibrate")
@click.option(
    "--known-by",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="DATE",
    help="By what was known on this day; left out: by now.",
)
@click.option("--plot", "picture", type=Picture, help="Draw it: .svg or .png.")
@upto
@as_json
def calibrate(known_by: datetime | None, picture: Path | None, position: int | None, json: bool) -> None:
    """Compare what work took with its estimates, by team, area and what the estimates rested on.

    A scenario with `effort = "CALIBRATED"` reckons with the team's median ratio, as it was known at each review.

    \b
    decision-ledger calibrate
    decision-ledger calibrate --known-by 2026-01-10 --plot calibration.svg
    """
    with sentences(picture), replaying(position, json) as (history, _):
        found = calibration(history, None if known_by is None else known_by.replace(tzinfo=UTC))
        if picture is not None:
            plot_calibration(found, picture)
    if json:
        click.echo(msgspec.json.encode({"calibrations": found}, order="deterministic").decode())
    else:
        _show_groups(found)


def _show_groups(found: tuple[Calibrated, ...]) -> None:
    if not found:
        click.echo("No team has completed three items that were estimated: there is nothing to compare yet.")
        return
    table = Table(
        caption="1.5: it took half as much again as was estimated. Covered: between optimistic and pessimistic.",
        caption_justify="left",
    )
    for heading in ("team", "area", "basis", "items", "median", "80 % of them", "covered"):
        table.add_column(heading, justify="left" if heading in ("team", "area", "basis") else "right")
    for one in found:
        table.add_row(
            one.team,
            one.area or "",
            (one.basis or "").lower(),
            f"{one.items:,}",
            f"{one.median:.2f}",
            f"{one.p10:.2f} … {one.p90:.2f}",
            "" if one.coverage is None else f"{one.coverage:.0%}",
        )
    show(Console(), table)
