"""Replays history under another prioritisation, with only what was known at each review.

In a notebook (docs/replay.md has more)::

    from ledger.replay import PolicyChoice, Scenario, frames, load, simulate

    report = simulate(load("postgresql://…"), Scenario((PolicyChoice("CD3"), PolicyChoice("FIFO"))))
    frames.results(report)
"""

from ledger.replay import frames
from ledger.replay.calibration import Calibrated, calibration
from ledger.replay.candidates import Candidates
from ledger.replay.comparing import Comparison, compare
from ledger.replay.executing import SchedulerError, executor
from ledger.replay.forecasting import Forecast, forecast
from ledger.replay.history import History
from ledger.replay.loading import load
from ledger.replay.report import Check, Flip, Report, Result
from ledger.replay.scenario import Forced, Hypothetical, Method, PolicyChoice, Scenario, ScenarioError, parse, read
from ledger.replay.simulating import simulate
from ledger.replay.sweep import Swept, Tried, pareto, scales, sweep, weights

__all__ = [
    "Calibrated",
    "Candidates",
    "Check",
    "Comparison",
    "Flip",
    "Forced",
    "Forecast",
    "History",
    "Hypothetical",
    "Method",
    "PolicyChoice",
    "Report",
    "Result",
    "Scenario",
    "ScenarioError",
    "SchedulerError",
    "Swept",
    "Tried",
    "calibration",
    "compare",
    "executor",
    "forecast",
    "frames",
    "load",
    "pareto",
    "parse",
    "read",
    "scales",
    "simulate",
    "sweep",
    "weights",
]
