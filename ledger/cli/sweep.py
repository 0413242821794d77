"""`decision-ledger sweep`."""

from datetime import UTC, datetime
from pathlib import Path

import rich_click as click
from rich.console import Console
from rich.table import Table

from ledger.cli.running import USAGE, Failed, as_json
from ledger.cli.simulating import give, pool, replaying, reviewing, sentences, upto, workers
from ledger.cli.tables import show
from ledger.replay import History, PolicyChoice, Scenario, Swept, read, scales, sweep, weights
from ledger.replay.history import instant
from ledger.replay.kinds import Kind
from ledger.replay.plotting import plot_sweep
from ledger.replay.scenario import checked

#: Tried besides the drawn weights.
NAMED = ("MOMENTUM", "CD3", "WSJF", "RICE", "ICE", "FIFO")
WEIGHTS_SHOWN = 3


@click.command("sweep")
@click.argument("scenario", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--policies", type=click.IntRange(0, 99_000), default=1_000, show_default=True, help="Weights to draw.")
@click.option(
    "--until",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="DATE",
    help="Tune on the reviews up to this day, score on those after it; left out: half of them each.",
)
@click.option("--team", "teams", multiple=True, help="A team's name or id; instead of the scenario's.")
@reviewing
@click.option(
    "--kept", type=click.IntRange(1, 1_000), default=10, show_default=True, help="The best so many are scored."
)
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="For the weights that are drawn.")
@click.option(
    "--plot", "picture", type=click.Path(dir_okay=False, path_type=Path), help="Draw the front: .svg or .png."
)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write all of it as JSON.")
@upto
@workers
@as_json
def sweep_(
    scenario: Path | None,
    policies: int,
    until: datetime | None,
    teams: tuple[str, ...],
    every_days: int | None,
    kept: int,
    seed: int,
    picture: Path | None,
    out: Path | None,
    position: int | None,
    processes: int | None,
    scheduler: str | None,
    json: bool,
) -> None:
    """Try many policies: tuned on an earlier window, scored on a later one that none of them has seen.

    SCENARIO says under which conditions; its policies are tried too. Ctrl-C ends it and all its workers.

    \b
    decision-ledger sweep
    decision-ledger sweep --policies 5000 --processes 8 --plot front.svg
    decision-ledger sweep conditions.toml --until 2026-01-10 --json
    """
    from msgspec.structs import replace  # noqa: PLC0415

    with sentences(picture, scenario):
        base = Scenario(tuple(PolicyChoice(name) for name in NAMED)) if scenario is None else read(scenario)
        base = checked(replace(base, teams=teams or base.teams, every_days=every_days or base.every_days))
    with replaying(position, json, scenario) as (history, moved), pool(processes, scheduler) as executor:
        tuned = _middle(history) if until is None else until.replace(tzinfo=UTC)
        drawn = weights(policies, seed, scale=scales(history, tuned))
        found = sweep(
            history,
            base,
            [*base.policies, *drawn],
            tuned,
            kept=kept,
            executor=executor,
            progress=lambda done, total: moved("Trying policies", done, total),
        )
        if picture is not None:
            plot_sweep(found, picture)
    give(found, out, _show, json=json)


def _middle(history: History) -> datetime:
    """This will give the instant at which half of the reviews were over; of a log without any, half of what was submitted."""
    rows = history.of(Kind.REVIEW_OPENED)
    rows = rows if len(rows) else history.of(Kind.SUBMITTED)
    if not len(rows):
        raise Failed("The log has no proposals: there is nothing to replay.", USAGE)
    return instant(int(history.known[rows[len(rows) // 2]]))


def _show(found: Swept) -> None:
    screen = Console()
    screen.print(
        f"{found.tried:,} policies were tried on the reviews up to {found.tuned_until:%Y-%m-%d}; these did best there, and on the later "
        "reviews, which none of them was chosen by:",
        highlight=False,
    )
    table = Table(
        caption="Hours against what was done. ●: no other one is better in both hours and wait.", caption_justify="left"
    )
    for heading in ("policy", "gain then", "gain later", "net later", "longest wait, days", "front"):
        table.add_column(heading, justify="left" if heading in ("policy", "front") else "right")
    front = {one.policy.name for one in found.front}
    for early, late in zip(found.best, found.later, strict=True):
        table.add_row(
            _name(early.policy),
            f"{early.gain_hours:+,.0f}",
            f"{late.gain_hours:+,.0f}",
            f"{late.net_hours:,.0f}",
            "" if late.longest_wait is None else f"{late.longest_wait:,.0f}",
            "●" if late.policy.name in front else "",
        )
    show(screen, table, flows="policy")


def _name(policy: PolicyChoice) -> str:
    largest = sorted(policy.weights.items(), key=lambda one: -one[1])[:WEIGHTS_SHOWN]
    told = ", ".join(f"{name} {weight:.0%}" for name, weight in largest)
    return f"{policy.name} ({told}, …)" if told else policy.name
