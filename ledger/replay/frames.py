"""Reports, sweeps and histories as pandas data frames, for notebooks. Needs pandas (the extra `notebook`).

Instants are in UTC, hours are engineer-hours, days engineer-days; what is not known is NaN or None, and never 0.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec.structs import asdict

from ledger.replay.calibration import Calibrated
from ledger.replay.candidates import COLUMNS, Candidates
from ledger.replay.history import History
from ledger.replay.kinds import LAST_OF_PROPOSAL, Kind
from ledger.replay.report import Report, Result
from ledger.replay.sweep import Swept, Tried

if TYPE_CHECKING:
    import pandas as pd


def _pandas() -> Any:
    try:
        import pandas  # noqa: PLC0415 - an extra, and slow to come up
    except ImportError as error:
        raise ImportError("pandas is not installed. Run: pip install 'decision-ledger[notebook]'") from error
    return pandas


def _every(report: Report) -> list[tuple[str, Result]]:
    return [("what was done", report.actual), *((result.policy.name, result) for result in report.results)]


def results(report: Report) -> "pd.DataFrame":
    """This will give a row per policy, what was done first: hours with their bounds, waits, starvation, flips, shares and the check."""
    rows = [
        {
            "policy": name,
            "net_hours": result.net_hours.likely,
            "net_hours_low": result.net_hours.low,
            "net_hours_high": result.net_hours.high,
            "gain_hours": result.gain_hours,
            "gain_hours_low": result.gain.low,
            "gain_hours_high": result.gain.high,
            "regret_hours": result.regret_hours,
            "chosen": result.chosen,
            "used_days": result.used_days,
            "capacity_days": result.capacity_days,
            "drawdown_hours": result.drawdown_hours,
            "payback_weeks": result.payback_weeks,
            "median_wait_days": result.waits.median,
            "longest_wait_days": result.waits.longest,
            "starved": result.starved_count,
            "flips": result.flips_count,
            "observed": result.shares.observed,
            "imputed": result.shares.imputed,
            "unknown": result.shares.unknown,
            "hindsight_check": result.hindsight_check.value,
        }
        for name, result in _every(report)
    ]
    return _pandas().DataFrame(rows).set_index("policy")


def curves(report: Report) -> "pd.DataFrame":
    """This will give a row per policy and week: momentum, open drag, net hours recovered with their bounds."""
    pandas = _pandas()
    parts = [
        pandas.DataFrame(
            {
                "policy": name,
                "week": report.weeks,
                "momentum": result.momentum or np.nan,
                "open_drag": result.open_drag,
                "net": result.net,
                "net_low": result.net_low,
                "net_high": result.net_high,
            }
        )
        for name, result in _every(report)
    ]
    return pandas.concat(parts, ignore_index=True)


def flips(report: Report) -> "pd.DataFrame":
    """This will give a row per flip and policy, with what was seen and what became known later."""
    rows = [
        {
            "policy": result.policy.name,
            "proposal": str(flip.proposal),
            "title": flip.title,
            "team": flip.team,
            "review": flip.review,
            "at": flip.at,
            "actual": flip.actual,
            "simulated": flip.simulated.value,
            "score": flip.score,
            "rank": flip.rank,
            "cut": flip.cut,
            "actual_days": flip.later.actual_days,
            "measured_hours_a_week": flip.later.measured_hours_a_week,
            "losses_hours": flip.later.losses_hours,
            "contribution": flip.contribution,
            "survives": flip.survives,
        }
        for result in report.results
        for flip in result.flips
    ]
    return _pandas().DataFrame(rows)


def agreement(report: Report) -> "pd.DataFrame":
    """This will give Kendall's τ-b between policies, a row and a column each; the one IN_FORCE is a column."""
    rows = {result.policy.name: result.agreement for result in report.results if result.agreement}
    return _pandas().DataFrame.from_dict(rows, orient="index")


def tried(swept: Swept) -> "pd.DataFrame":
    """This will give a row per policy that was kept: what it did on the window it was tuned on, and on the later one."""
    front = {one.policy.name for one in swept.front}

    def row(early: Tried, late: Tried) -> dict[str, Any]:
        weights = {f"weight_{name}": weight for name, weight in early.policy.weights.items()}
        return {
            "policy": early.policy.name,
            "tuned_net_hours": early.net_hours,
            "tuned_gain_hours": early.gain_hours,
            "later_net_hours": late.net_hours,
            "later_gain_hours": late.gain_hours,
            "later_longest_wait": late.longest_wait,
            "on_front": early.policy.name in front,
            **weights,
        }

    rows = [row(early, late) for early, late in zip(swept.best, swept.later, strict=True)]
    return _pandas().DataFrame(rows).set_index("policy")


def calibrated(groups: Iterable[Calibrated]) -> "pd.DataFrame":
    """This will give a row per group of completed items, with the ratio actual ÷ expected."""
    return _pandas().DataFrame([asdict(group) for group in groups])


def facts(history: History, *kinds: Kind) -> "pd.DataFrame":
    """This will give a row per fact of some kinds (none named: all), in the order in which they became known."""
    pandas = _pandas()
    rows = history.of(*kinds) if kinds else np.arange(len(history))
    of_proposal = history.kind[rows] <= LAST_OF_PROPOSAL
    titles = np.array([*history.names.titles, None], dtype=object)
    return pandas.DataFrame(
        {
            "kind": [Kind(kind).name for kind in history.kind[rows]],
            "subject": history.subject[rows],
            "title": titles[np.where(of_proposal, history.subject[rows], len(titles) - 1)],
            "position": history.positions[rows],
            "known": pandas.to_datetime(history.known[rows], unit="us", utc=True),
            "occurred": pandas.to_datetime(history.occurred[rows], unit="us", utc=True),
            "imported": history.imported[rows],
            **{f"figure_{index}": history.figures[rows, index] for index in range(history.figures.shape[1])},
        }
    )


def candidates(table: Candidates, names: Sequence[str] = COLUMNS) -> "pd.DataFrame":
    """This will give what a policy sees at a review, a row per candidate: for trying a policy of one's own by hand."""
    frame = _pandas().DataFrame({name: getattr(table, name) for name in names})
    frame["title"] = [table.past.names.titles[item] for item in table.item]
    frame["cost_days"] = np.where(table.can, table.cost / 4, np.nan)
    frame["can"] = table.can
    return frame
