"""`decision-ledger simulate`."""

from pathlib import Path

import rich_click as click
from rich.console import Console
from rich.table import Table

from ledger.cli.running import as_json
from ledger.cli.simulating import give, pool, replaying, reviewing, sentences, upto, workers
from ledger.cli.tables import show
from ledger.replay import Check, PolicyChoice, Report, Result, Scenario, read, simulate
from ledger.replay.plotting import plot
from ledger.replay.scenario import RUNS_MAX, checked

#: Tried where no scenario and no policy is named.
TRIED = ("MOMENTUM", "CD3", "WSJF", "RICE", "KNAPSACK", "FIFO", "RANDOM", "NOTHING")
FLIPS_SHOWN = 12
TITLE_WIDTH = 44
#: What a narrow terminal does without, the first of them first; how sure a gain is it always says.
SPARE = ("used days", "low … high", "regret", "wait, median … longest", "starved")
SPARE_OF_FLIPS = ("score (cut)", "rank", "survives", "adds, hours")


@click.command("simulate")
@click.argument("scenario", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--policy", "policies", multiple=True, help="A policy, or module:function; instead of the scenario's.")
@click.option("--team", "teams", multiple=True, help="A team's name or id; instead of the scenario's.")
@click.option("--area", "areas", multiple=True, help="An area; the others get what they got.")
@reviewing
@click.option("--runs", type=click.IntRange(0, RUNS_MAX), help="Draws that say how sure each flip is.")
@click.option(
    "--plot", "picture", type=click.Path(dir_okay=False, path_type=Path), help="Draw curves and flips: .svg or .png."
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the whole report: JSON, the same bytes for the same inputs.",
)
@upto
@workers
@as_json
def simulate_(
    scenario: Path | None,
    policies: tuple[str, ...],
    teams: tuple[str, ...],
    areas: tuple[str, ...],
    every_days: int | None,
    runs: int | None,
    picture: Path | None,
    out: Path | None,
    position: int | None,
    processes: int | None,
    scheduler: str | None,
    json: bool,
) -> None:
    """Replay history under another prioritisation, with only what was known at each review.

    SCENARIO is a small TOML or JSON file; without one, eight policies are tried on all reviews. Exits 1 if a policy peeked ahead.

    \b
    decision-ledger simulate
    decision-ledger simulate scenario.toml --plot out.svg
    decision-ledger simulate --policy CD3 --policy my.module:policy --team Checkout --json
    """
    with sentences(picture, scenario):
        wanted = checked(_wanted(scenario, policies, teams, areas, every_days, runs))
    with replaying(position, json, scenario) as (history, moved), pool(processes, scheduler) as executor:
        report = simulate(history, wanted, executor=executor, progress=moved)
        if picture is not None:
            plot(report, picture)
    give(report, out, _show, json=json)
    if any(result.hindsight_check is Check.FAILED for result in report.results):
        raise SystemExit(1)


def _wanted(
    path: Path | None,
    policies: tuple[str, ...],
    teams: tuple[str, ...],
    areas: tuple[str, ...],
    every_days: int | None,
    runs: int | None,
) -> Scenario:
    from msgspec.structs import replace  # noqa: PLC0415

    scenario = Scenario(tuple(PolicyChoice(name) for name in TRIED)) if path is None else read(path)
    if policies:
        scenario = replace(scenario, policies=tuple(PolicyChoice(name) for name in policies))
    if teams:
        scenario = replace(scenario, teams=teams)
    if areas:
        scenario = replace(scenario, areas=areas)
    if every_days is not None:
        scenario = replace(scenario, every_days=every_days)
    return scenario if runs is None else replace(scenario, runs=runs)


def _show(report: Report) -> None:
    screen = Console()
    screen.print(
        f"{report.scenario.name or 'Replay'}: {', '.join(report.teams)}, {report.reviews} reviews from "
        f"{report.first_review:%Y-%m-%d} to {report.last_review:%Y-%m-%d}, facts 1 to {report.last_position}.",
        highlight=False,
    )
    table = Table(
        caption="Hours are engineer-hours by the end of the log; low and high where worth is imputed. "
        "A gain between a low below 0 and a high above it can't be told from none.",
        caption_justify="left",
    )
    for heading in (
        "policy",
        "net hours",
        "low … high",
        "gain",
        "gain, low … high",
        "regret",
        "yes",
        "used days",
        "wait, median … longest",
        "starved",
        "flips",
        "hindsight",
    ):
        table.add_column(heading, justify="left" if heading in ("policy", "hindsight") else "right")
    table.add_row(*_row(report.actual, "what was done"), end_section=True)
    for result in report.results:
        table.add_row(*_row(result, result.policy.name))
    show(screen, table, spare=SPARE)
    shares = report.actual.shares
    screen.print(
        f"Of the {shares.items:,} items that were done, the worth of {shares.observed:.0%} was measured afterwards, that of "
        f"{shares.imputed:.0%} is imputed, and that of {shares.unknown:.0%} not known.",
        highlight=False,
    )
    _show_flips(screen, report)
    screen.print(f"Digest {report.digest}", highlight=False)


def _row(result: Result, name: str) -> tuple[str, ...]:
    net, waits = result.net_hours, result.waits
    return (
        name,
        f"{net.likely:,.0f}",
        f"{net.low:,.0f} … {net.high:,.0f}",
        f"{result.gain_hours:+,.0f}",
        "" if result.gain.low == result.gain.high else f"{result.gain.low:+,.0f} … {result.gain.high:+,.0f}",
        "" if result.regret_hours is None else f"{result.regret_hours:,.0f}",
        str(result.chosen),
        f"{result.used_days:,.0f} of {result.capacity_days:,.0f}",
        "" if waits.median is None else f"{waits.median:,.0f} … {waits.longest:,.0f} days",
        str(result.starved_count),
        str(result.flips_count),
        result.hindsight_check.value.lower().replace("_", " "),
    )


def _show_flips(screen: Console, report: Report) -> None:
    best = max(report.results, key=lambda result: result.gain_hours)
    if not best.flips:
        return
    table = Table(title=f"What {best.policy.name} would have decided otherwise", title_justify="left")
    for heading in ("review", "item", "was", "would be", "rank", "score (cut)", "adds, hours", "survives"):
        table.add_column(heading, justify="left" if heading in ("item", "was", "would be") else "right")
    for flip in best.flips[:FLIPS_SHOWN]:
        table.add_row(
            f"{flip.team} {flip.of_team}",
            flip.title[:TITLE_WIDTH],
            flip.actual.lower().replace("_", " "),
            flip.simulated.value.lower(),
            "" if flip.rank is None else str(flip.rank),
            "" if flip.score is None else f"{flip.score:.3g} ({'' if flip.cut is None else f'{flip.cut:.3g}'})",
            "" if flip.contribution is None else f"{flip.contribution:+,.0f}",
            "" if flip.survives is None else f"{flip.survives:.0%}",
        )
    show(screen, table, spare=SPARE_OF_FLIPS, flows="item")
    if best.flips_count > FLIPS_SHOWN:
        screen.print(f"… and {best.flips_count - FLIPS_SHOWN} more: see --json or --out.")
