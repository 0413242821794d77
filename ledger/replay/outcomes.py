"""What became known of each proposal by the end of the log: for scoring, apart from choosing. No policy but ORACLE gets any of it."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ledger.replay.backtest import Run
from ledger.replay.history import DAY_US, WEEK_US, Bools, Floats, History, Ints
from ledger.replay.kinds import Kind
from ledger.replay.policies import WEEKS_A_MONTH
from ledger.replay.reviews import Review, beginnings
from ledger.replay.visible import Visible

#: Calendar days that an engineer-day takes where no completed work says it: five days of work a week.
CALENDAR_DAYS = 7 / 5
HOURS_PER_DAY = 8.0
#: How far a drag that nobody measured afterwards may be off, down and up; the low bound also takes the confidence in it.
IMPACT_SLACK = 0.25
OBSERVED, IMPUTED, UNKNOWN = 0, 1, 2
#: Items × weeks whose drag is reckoned once and kept for all policies: 400 MB. Beyond it a curve is reckoned anew each time.
KEPT_MAX = 50_000_000
#: Items that are laid on the weeks at a time.
CHUNK = 1_024
#: The figures of an estimate that are reckoned with.
_ESTIMATE = {"expected": 1, "optimistic": 2, "pessimistic": 4}


@dataclass(frozen=True)
class Deliveries:
    """Work that a world does: proposal, start and end (µs; the end of a work that never ends is infinite), engineer-hours of effort."""

    item: Ints
    start: Floats
    end: Floats
    hours: Floats
    #: The hours' bounds: as spent where known, else by the optimistic and pessimistic estimate.
    hours_low: Floats
    hours_high: Floats


@dataclass(frozen=True)
class Path:
    """How one world goes, week by week: open drag (hours a week), net hours recovered since the start, and its bounds."""

    open_drag: Floats
    net: Floats
    low: Floats
    high: Floats


class Outcomes:
    """Drag, work, measured benefits and losses of a history, laid on a grid of weeks from the first review to the end of the log."""

    def __init__(self, visible: Visible) -> None:
        self.visible = visible
        history = self.history = visible.history
        count = len(history.names.proposals)
        self.start_us = float(min(review.at_us for review in visible.reviews))
        self.end_us = float(max(int(history.known[-1]), *(review.at_us for review in visible.reviews)))
        self.weeks = self.start_us + np.arange(int((self.end_us - self.start_us) // WEEK_US) + 1) * float(WEEK_US)
        self.team = np.full(count, -1, dtype=np.int64)
        self.submitted = np.full(count, np.inf)
        rows = history.of(Kind.SUBMITTED)
        self.team[history.subject[rows]] = history.figures[rows, 0].astype(np.int64)
        self.submitted[history.subject[rows]] = history.occurred[rows]
        self.teams = np.array(sorted({review.team for review in visible.reviews}), dtype=np.int64)
        self.in_scope = np.isin(self.team, self.teams) & history.names.in_areas(visible.areas)
        hours = visible.hours_per_day[np.maximum(self.team, 0)]
        self.hours_per_day = np.where(np.isnan(hours), HOURS_PER_DAY, hours)
        self._work(history, count)
        self._drag(history, count)
        rows = history.of(Kind.LOSS)
        # What came in spite of the work that was done would have come in any world.
        rows = rows[~(self.completed[history.subject[rows]] <= history.occurred[rows])]
        self.loss_item, self.loss_at = history.subject[rows].astype(np.int64), history.occurred[rows].astype(np.float64)
        self.loss_hours = history.figures[rows, 0]
        self._begins = np.where(
            np.isnan(self.started), np.where(np.isnan(self.begun), self.completed, self.begun), self.started
        )
        ends = np.where(np.isnan(self.completed), self.abandoned, self.completed)
        #: What history did or has begun and whose effort is known, from the first review on.
        self.done = self.in_scope & ~(ends < self.start_us) & ~np.isnan(self._begins)
        self.done &= np.isfinite(self.completed) | np.isfinite(self.spent_days)
        self.base_drag = self._base()

    def _last(self, kinds: tuple[Kind, ...], figure: int | None, count: int) -> Floats:
        """This will give per proposal the last such fact's figure, or its time; NaN without one."""
        found = np.full(count, np.nan)
        rows = self.history.of(*kinds)
        column = self.history.occurred if figure is None else self.history.figures[:, figure]
        found[self.history.subject[rows]] = column[rows]
        return found

    def _work(self, history: History, count: int) -> None:
        begun = beginnings(history)
        self.begun = np.full(count, np.nan)
        # Backwards, so that of several beginnings the first one stays.
        self.begun[history.subject[begun[::-1]]] = history.occurred[begun[::-1]]
        started = history.of(Kind.STARTED)
        self.started = np.full(count, np.nan)
        self.started[history.subject[started[::-1]]] = history.occurred[started[::-1]]
        self.completed = self._last((Kind.COMPLETED,), None, count)
        self.actual_days = self._last((Kind.COMPLETED,), 0, count)
        self.abandoned = self._last((Kind.ABANDONED,), None, count)
        self.spent_days = self._last((Kind.ABANDONED,), 0, count)
        estimates = {name: self._last((Kind.ESTIMATED,), index, count) for name, index in _ESTIMATE.items()}
        self.expected = estimates["expected"]
        self.optimistic = np.where(np.isnan(estimates["optimistic"]), self.expected, estimates["optimistic"])
        self.pessimistic = np.where(np.isnan(estimates["pessimistic"]), self.expected, estimates["pessimistic"])
        self.lead = self.completed - self.begun
        effort = np.where(np.isnan(self.actual_days), self.expected, self.actual_days)
        known = self.in_scope & (effort > 0) & (self.lead >= 0)
        self.days_a_day = float(np.median(self.lead[known] / DAY_US / effort[known])) if known.any() else CALENDAR_DAYS

    def _drag(self, history: History, count: int) -> None:
        """This will keep the assessments in order of proposal and time, and what a measured benefit makes of them."""
        rows = history.of(Kind.IMPACT)
        rows = rows[np.isfinite(history.figures[rows, 1])]
        rows = rows[np.lexsort((rows, history.occurred[rows], history.subject[rows]))]
        self.assessed_item = history.subject[rows].astype(np.int64)
        self.assessed_at = history.occurred[rows].astype(np.float64)
        self.assessed_drag, self.assessed_growth = history.figures[rows, 1], history.figures[rows, 2]
        self.confidence = np.ones(count)
        self.confidence[self.assessed_item] = history.figures[rows, 4]
        self.first = np.searchsorted(self.assessed_item, np.arange(count + 1))
        self.has_drag = self.first[1:] > self.first[:-1]
        ended = history.of(Kind.WITHDRAWN, Kind.MERGED, Kind.SUPERSEDED, Kind.SPLIT)
        self.gone = np.full(count, np.inf)
        self.gone[history.subject[ended]] = history.occurred[ended]
        measured = history.of(Kind.BENEFIT)
        measured = measured[np.isfinite(history.figures[measured, 0])]
        self.measured = np.full(count, np.nan)
        self.ratio = np.ones(count)
        for row in measured:
            item = int(history.subject[row])
            drag = float(self.drag_at(np.array([item]), np.array([float(history.occurred[row])]))[0, 0])
            self.measured[item] = history.figures[row, 0]
            self.ratio[item] = history.figures[row, 0] / drag if drag > 0 else 1.0
        effort_said = np.isfinite(self.actual_days) | np.isfinite(self.spent_days) | np.isfinite(self.expected)
        self.grade = np.where(
            ~(self.has_drag & effort_said),
            UNKNOWN,
            np.where(np.isfinite(self.measured) & np.isfinite(self.actual_days), OBSERVED, IMPUTED),
        )

    def drag_at(self, items: Ints, at: NDArray[np.floating[Any]]) -> Floats:
        """This will give d(t) = d0 (1 + g)^t by the last assessment before each time (before the first: by the first), items × times."""
        found = np.zeros((len(items), len(at)))
        counts = self.first[items + 1] - self.first[items]
        alone = np.flatnonzero(counts == 1)  # most: without a loop
        only = self.first[items[alone]]
        months = np.maximum(at - self.assessed_at[only, None], 0.0) / WEEK_US / WEEKS_A_MONTH
        found[alone] = self.assessed_drag[only, None] * (1 + self.assessed_growth[only, None] / 100) ** months
        for row in np.flatnonzero(counts > 1):
            low, high = self.first[items[row]], self.first[items[row] + 1]
            index = np.clip(np.searchsorted(self.assessed_at[low:high], at, side="right") - 1, 0, None) + low
            months = np.maximum(at - self.assessed_at[index], 0.0) / WEEK_US / WEEKS_A_MONTH
            found[row] = self.assessed_drag[index] * (1 + self.assessed_growth[index] / 100) ** months
        return found

    def _base(self) -> Floats:
        """This will add up the drag of all that is open when nothing is done from the first review on."""
        items = np.flatnonzero(self.in_scope & self.has_drag & ~(self.completed < self.start_us))
        total = np.zeros(len(self.weeks))
        for begin in range(0, len(items), CHUNK):
            total += self._open_drag(items[begin : begin + CHUNK]).sum(axis=0)
        return total

    def _open_drag(self, items: Ints) -> Floats:
        """This will give the drag of items in each week in which they are there, items × weeks."""
        is_open = (self.submitted[items, None] <= self.weeks) & (self.weeks < self.gone[items, None])
        found: Floats = self.drag_at(items, self.weeks) * is_open
        return found

    @cached_property
    def _kept(self) -> tuple[Ints, Floats] | None:
        """This will give the row of each item and, a row each, the drag from each week on to the end, summed; None: that is too much.

        The column of a week holds that week and all after it; the last column is 0.
        """
        items = np.flatnonzero(self.in_scope & self.has_drag)
        if len(items) * len(self.weeks) > KEPT_MAX:
            return None
        rows = np.full(len(self.team), len(items), dtype=np.int64)  # one without drag has the row of nothing
        rows[items] = np.arange(len(items))
        kept = np.zeros((len(items) + 1, len(self.weeks) + 1))
        for begin in range(0, len(items), CHUNK):
            drag = self._open_drag(items[begin : begin + CHUNK])
            kept[begin : begin + len(drag), :-1] = np.cumsum(drag[:, ::-1], axis=1)[:, ::-1]
        return rows, kept

    def deliveries(self, run: Run | None) -> Deliveries:
        """This will give the work that a replay does, or history did (None)."""
        dropped = np.zeros(len(self.team), dtype=bool) if run is None else run.world.dropped
        items = np.flatnonzero(self.done & ~dropped)
        start = self._begins[items]
        end = np.where(np.isnan(self.completed[items]), np.inf, self.completed[items])
        parts = [self._work_of(items, start, end)]
        if run is not None:
            early = np.flatnonzero(run.world.early)
            at = np.array([float(run.steps[number].review.at_us) for number in run.world.taken_at[early]])
            parts.append(self._work_of(early, at, at + self.lead_of(early)))
        return Deliveries(*(np.concatenate([getattr(p, n) for p in parts]) for n in Deliveries.__dataclass_fields__))

    def lead_of(self, items: Ints) -> Floats:
        """This will give the time from a yes to the end of the work, in µs: as it was, or from the effort as other work took.

        What the log took on and has not finished takes at least as long as it has been going on there; what it abandoned never ends.
        """
        effort = np.where(np.isnan(self.actual_days[items]), self.expected[items], self.actual_days[items])
        lead = np.nan_to_num(effort) * self.days_a_day * DAY_US
        going_on = np.isfinite(self.begun[items]) & np.isnan(self.completed[items])
        lead = np.where(going_on, np.maximum(lead, self.end_us - self.begun[items]), lead)
        lead = np.where(np.isfinite(self.abandoned[items]) & np.isnan(self.completed[items]), np.inf, lead)
        return np.where(self.lead[items] >= 0, self.lead[items], lead)

    def _work_of(self, items: Ints, start: Floats, end: Floats) -> Deliveries:
        known = np.where(np.isnan(self.actual_days[items]), self.spent_days[items], self.actual_days[items])
        columns = []
        for estimate in (self.expected, self.optimistic, self.pessimistic):
            days = np.where(np.isnan(known), estimate[items], known)
            columns.append(np.nan_to_num(days) * self.hours_per_day[items])
        return Deliveries(items, start, end, *columns)

    def path(self, work: Deliveries) -> Path:
        """This will lay a world on the weeks: what is open, and what was recovered less what it took."""
        saved = np.zeros((3, len(self.weeks)))
        spent = np.zeros((3, len(self.weeks)))
        closed = np.zeros(len(self.weeks))
        for begin in range(0, len(work.item), CHUNK):
            part = slice(begin, begin + CHUNK)
            items = work.item[part]
            drag = self._open_drag(items) * (work.end[part, None] <= self.weeks)
            closed += drag.sum(axis=0)
            factors = (self.ratio[items], *self._factors(items))
            running = np.where(np.isfinite(work.end[part]), work.end[part] - work.start[part], WEEK_US)
            share = np.clip((self.weeks - work.start[part, None]) / np.maximum(running, 1.0)[:, None], 0.0, 1.0)
            for bound, (factor, hours) in enumerate(
                zip(factors, (work.hours, work.hours_high, work.hours_low), strict=True)
            ):
                # Not `@`: what BLAS gives depends on how many threads it has.
                saved[bound] += np.einsum("i,ij->j", factor, drag)
                spent[bound] += np.einsum("i,ij->j", hours[part], share)
        net = np.cumsum(saved, axis=1) - saved[:, :1] - spent + self._avoided(work)
        return Path(self.base_drag - closed, net[0], net[1], net[2])

    def net_at_end(self, work: Deliveries) -> float:
        """This will give the net hours of `path` in its last week, without the weeks before: a sum over the work, for many policies."""
        if self._kept is None:
            return float(self.path(work).net[-1])
        saved = (self._won(work) * self.ratio[work.item]).sum()
        return float(saved - (self._share(work) * work.hours).sum() + self.loss_hours[self._spared(work)].sum())

    def difference(self, work: Deliveries, other: Deliveries) -> tuple[float, float]:
        """This will bound by how much one world's net hours at the end lie above another's.

        What both did alike drops out: its worth is not known better, but it is the same in both. So these bounds are narrower than those
        of the two worlds by themselves.
        """
        count = len(self.team)
        won, share, hours = np.zeros(count), np.zeros(count), np.zeros((2, count))
        for sign, one in ((1, work), (-1, other)):
            won[one.item] += sign * self._won(one)
            share[one.item] += sign * self._share(one)
            hours[:, one.item] = one.hours_low, one.hours_high
        low, high = self._factors(np.arange(count))
        spared = self.loss_hours[self._spared(work)].sum() - self.loss_hours[self._spared(other)].sum()
        least = np.minimum(low * won, high * won) - (hours * share).max(axis=0)
        most = np.maximum(low * won, high * won) - (hours * share).min(axis=0)
        return float(least.sum() + spared), float(most.sum() + spared)

    def _factors(self, items: Ints) -> tuple[Floats, Floats]:
        """This will bound what of its assessed drag a work takes away: as measured, or by how far the assessment may be off."""
        is_sure = np.isfinite(self.measured[items])
        low = np.where(is_sure, self.ratio[items], self.confidence[items] * (1 - IMPACT_SLACK))
        return low, np.where(is_sure, self.ratio[items], 1 + IMPACT_SLACK)

    def _won(self, work: Deliveries) -> Floats:
        """This will give the hours of assessed drag that each work takes away by the last week; the first week counts for nothing."""
        since = np.maximum(np.searchsorted(self.weeks, work.end, side="left"), 1)
        if self._kept is not None:
            rows, kept = self._kept
            found: Floats = kept[rows[work.item], since]
            return found
        found = np.zeros(len(work.item))
        for begin in range(0, len(work.item), CHUNK):
            part = slice(begin, begin + CHUNK)
            is_done = since[part, None] <= np.arange(len(self.weeks))
            found[part] = (self._open_drag(work.item[part]) * is_done).sum(axis=1)
        return found

    def _share(self, work: Deliveries) -> Floats:
        """This will give the share of each work's effort that is spent by the last week."""
        running = np.where(np.isfinite(work.end), work.end - work.start, WEEK_US)
        share: Floats = np.clip((self.weeks[-1] - work.start) / np.maximum(running, 1.0), 0.0, 1.0)
        return share

    def _spared(self, work: Deliveries) -> Bools:
        """This will mark the losses that a world was spared by having done the work before them."""
        end = np.full(len(self.team), np.inf)
        end[work.item] = work.end
        found: Bools = (end[self.loss_item] <= self.loss_at) & (self.loss_at >= self.start_us)
        return found

    def _avoided(self, work: Deliveries) -> Floats:
        """This will give the losses that a world was spared, added up by week."""
        spared = self._spared(work)
        at = np.clip(np.searchsorted(self.weeks, self.loss_at[spared]), 0, len(self.weeks) - 1)
        found: Floats = np.cumsum(np.bincount(at, weights=self.loss_hours[spared], minlength=len(self.weeks)))
        return found

    def worth(self, review: Review, items: Ints) -> Floats:
        """This will give what a yes at a review turned out to be worth by the end of the log, in net engineer-hours."""
        begin = np.full(len(items), float(review.at_us))
        work = self._work_of(items, begin, begin + self.lead_of(items))
        share = np.clip((self.end_us - work.start) / np.maximum(work.end - work.start, 1.0), 0.0, 1.0)
        value: Floats = self._saved(work) - share * work.hours
        for item, at, hours in zip(self.loss_item, self.loss_at, self.loss_hours, strict=True):
            value[(items == item) & (work.end <= at)] += hours
        return value

    def _saved(self, work: Deliveries) -> Floats:
        """This will give the hours that each work wins back from its end to the end of the log."""
        if self._kept is not None:
            rows, kept = self._kept
            found: Floats = kept[rows[work.item], np.searchsorted(self.weeks, work.end)] * self.ratio[work.item]
            return found
        saved = np.zeros(len(work.item))
        for begin in range(0, len(work.item), CHUNK):
            part = slice(begin, begin + CHUNK)
            is_done = work.end[part, None] <= self.weeks
            saved[part] = (self._open_drag(work.item[part]) * is_done).sum(axis=1) * self.ratio[work.item[part]]
        return saved
