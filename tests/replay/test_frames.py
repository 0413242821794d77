"""Data frames for notebooks hold what the reports hold."""

import numpy as np
import pytest

from ledger.replay import Method, PolicyChoice, Report, Scenario, calibration, frames, simulate, sweep
from ledger.replay.backtest import Stepper, World, lay_out
from ledger.replay.history import History
from ledger.replay.kinds import Kind
from tests.replay.test_sweep import POLICIES, UNTIL

CD3, FIFO = PolicyChoice(Method.CD3), PolicyChoice(Method.FIFO)


@pytest.fixture(scope="module")
def report(story: History) -> Report:
    return simulate(story, Scenario((CD3, FIFO), regret=False))


def test_results_curves_and_flips_are_those_of_the_report(report: Report) -> None:
    found = frames.results(report)
    assert list(found.index) == ["what was done", "CD3", "FIFO"]
    assert found.loc["CD3", "net_hours"] == report.results[0].net_hours.likely
    curves = frames.curves(report)
    assert len(curves) == 3 * len(report.weeks)
    assert curves[curves["policy"] == "FIFO"]["net"].tolist() == list(report.results[1].net)
    flips = frames.flips(report)
    assert len(flips) == sum(len(result.flips) for result in report.results)
    assert flips["contribution"].notna().all()
    assert frames.agreement(report).loc["CD3", "IN_FORCE"] == report.results[0].agreement["IN_FORCE"]


def test_a_sweep_and_a_calibration_are_frames_too(story: History) -> None:
    found = frames.tried(sweep(story, Scenario((FIFO,)), POLICIES[:20], UNTIL, kept=5))
    assert len(found) == 5
    assert found["tuned_net_hours"].is_monotonic_decreasing
    groups = calibration(story)
    assert frames.calibrated(groups)["median"].tolist() == [group.median for group in groups]
    assert list(frames.calibrated(groups).columns[:3]) == ["team", "area", "basis"]


def test_facts_and_candidates_can_be_looked_at(story: History) -> None:
    found = frames.facts(story, Kind.DECIDED)
    assert len(found) == len(story.of(Kind.DECIDED))
    assert found["known"].is_monotonic_increasing
    assert found["title"].notna().all()
    scenario = Scenario((FIFO,))
    seen = lay_out(story, scenario)
    stepper = Stepper(seen, scenario, FIFO, lambda table: np.zeros(len(table)), None, digests=False)
    table = stepper.table(World.new(len(story.names.proposals)), seen.reviews[6], seen.sights[6])
    shown = frames.candidates(table)
    assert len(shown) == len(table)
    assert shown["cost_days"].dropna().gt(0).all()
