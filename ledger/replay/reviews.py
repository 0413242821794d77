"""The reviews of a replay: those that were, or one every so many days, each with what it could know and what was decided there."""

from dataclasses import dataclass, replace

import numpy as np

from ledger.replay.history import DAY_US, Floats, History, Ints, micros
from ledger.replay.kinds import Kind
from ledger.replay.scenario import Scenario, ScenarioError

REVIEWS_MAX = 5_000


@dataclass(frozen=True)
class Review:
    """One review of one team. It knows the first `cut` facts; of what followed from decisions, the first `decided_cut`.

    `yes` and `no` number the proposals that were answered there, `yes_days` what each yes reserved (NaN: not said), `no_as` the index in
    DISPOSITIONS. `end` is the number of facts known once it was over. Capacity in engineer-days.
    """

    number: int
    team: int
    #: Counts the team's own reviews in the period, from 1.
    of_team: int
    #: The review in the log; −1: it never was, and stands for the decisions of its days.
    review: int
    at_us: int
    cut: int
    decided_cut: int
    end: int
    capacity: float
    yes: Ints
    yes_days: Floats
    no: Ints
    no_as: Ints
    #: Where a policy was in force by then: its formula; −1: the default.
    formula: int = -1


def calendar(history: History, scenario: Scenario) -> tuple[Review, ...]:
    """This will lay out the reviews of a scenario in order of time. Raises ScenarioError where there are none."""
    teams = _teams(history, scenario)
    found = (
        _every(history, scenario, teams) if scenario.every_days is not None else _as_they_were(history, scenario, teams)
    )
    if not found:
        raise ScenarioError("No review was held in this period. Widen it, or give every_days.", "from")
    if len(found) > REVIEWS_MAX:
        raise ScenarioError(f"These are {len(found)} reviews; at most {REVIEWS_MAX} are replayed.", "every_days")
    if scenario.areas:
        found = _of_areas(history, scenario, found)
    found.sort(key=lambda review: (review.cut, review.at_us, review.team))
    counts: dict[int, int] = {}
    numbered = []
    for number, review in enumerate(found):
        counts[review.team] = counts.get(review.team, 0) + 1
        numbered.append(replace(review, number=number, of_team=counts[review.team]))
    return tuple(numbered)


def _teams(history: History, scenario: Scenario) -> list[int]:
    names = history.names
    every = list(range(len(names.teams)))
    if not scenario.teams:
        return every
    chosen = []
    for index, wanted in enumerate(scenario.teams):
        found = [number for number in every if wanted in (names.team_names[number], str(names.team(number)))]
        if not found:
            known = ", ".join(sorted(filter(None, names.team_names)))[:400]
            raise ScenarioError(f"There is no team {wanted[:60]}. There are {known}.", "teams", str(index))
        chosen += found
    return sorted(set(chosen))


def _of_areas(history: History, scenario: Scenario, reviews: list[Review]) -> list[Review]:
    """This will leave the other areas what they were given, and these the rest of each review's capacity."""
    known = set(history.names.areas)
    for index, area in enumerate(scenario.areas):
        if area not in known:
            there = ", ".join(sorted(filter(None, known)))[:400]
            raise ScenarioError(f"There is no area {area[:60]}. There are {there}.", "areas", str(index))
    is_in = history.names.in_areas(scenario.areas)
    found = []
    for review in reviews:
        yes, no = is_in[review.yes], is_in[review.no]
        capacity = max(0.0, review.capacity - float(np.nansum(review.yes_days[~yes])))
        found.append(
            replace(
                review,
                capacity=np.nan if np.isnan(review.capacity) else capacity,
                yes=review.yes[yes],
                yes_days=review.yes_days[yes],
                no=review.no[no],
                no_as=review.no_as[no],
            )
        )
    return found


def _period(history: History, scenario: Scenario) -> tuple[int, int]:
    least = -(2**62) if scenario.since is None else micros(scenario.since)
    most = 2**62 if scenario.until is None else micros(scenario.until)
    return least, most


def _as_they_were(history: History, scenario: Scenario, teams: list[int]) -> list[Review]:
    scheduled = history.of(Kind.REVIEW_SCHEDULED)
    of_team = {int(history.subject[row]): int(history.figures[row, 0]) for row in scheduled if history.figures[row, 1]}
    decided = history.of(Kind.DECIDED)
    by_review = history.figures[decided, 2]
    closed = {int(history.subject[row]): int(row) for row in history.of(Kind.REVIEW_CLOSED)}
    native = np.flatnonzero(~history.imported)
    least, most = _period(history, scenario)
    formulas = _InForce(history)
    found = []
    for row in history.of(Kind.REVIEW_OPENED):
        number = int(history.subject[row])
        team = of_team.get(number)
        at_us = int(history.occurred[row])
        if team not in teams or not least <= at_us <= most:
            continue
        cut = _native_cut(history, native, int(history.figures[row, 0]))
        rows = decided[by_review == number]
        last = max([int(row), closed.get(number, int(row)), *rows.tolist()])
        capacity = float(history.figures[row, 1]) * scenario.capacity_share
        if scenario.capacity_days is not None:
            capacity = scenario.capacity_days
        found.append(
            Review(
                0,
                team,
                0,
                number,
                at_us,
                cut,
                cut,
                last + 1,
                capacity,
                *_answers(history, rows),
                formulas.at(team, cut),
            )
        )
    return found


def _native_cut(history: History, native: Ints, knowledge_position: int) -> int:
    """This will count the facts known when the log stood at a position: all before the first native fact after it."""
    after = np.searchsorted(history.positions[native], knowledge_position, side="right")
    return len(history) if after == len(native) else int(native[after])


def _answers(history: History, rows: Ints) -> tuple[Ints, Floats, Ints, Ints]:
    """This will give what was answered: yes with its days, no with its disposition; of two answers on one item the last."""
    last = {int(history.subject[row]): int(row) for row in rows}
    kept = np.array(sorted(last.values()), dtype=np.int64)
    is_yes = history.figures[kept, 0] == 1
    yes, no = kept[is_yes], kept[~is_yes]
    return (
        history.subject[yes].astype(np.int64),
        history.figures[yes, 3],
        history.subject[no].astype(np.int64),
        history.figures[no, 1].astype(np.int64),
    )


class _InForce:
    """Which formula ranked a team, by the number of facts known."""

    def __init__(self, history: History) -> None:
        self._steps: dict[int, list[tuple[int, int]]] = {}
        current: dict[int, int] = {}
        active: dict[int, int] = {}
        for row in history.of(Kind.FORMULA, Kind.ACTIVATED):
            policy = int(history.subject[row])
            if history.kind[row] == Kind.FORMULA:
                current[policy] = int(history.figures[row, 0])
                teams = [team for team, own in active.items() if own == policy]
            else:
                teams = [int(history.figures[row, 0])]
                active[teams[0]] = policy
            for team in teams:
                self._steps.setdefault(team, []).append((int(row), current.get(policy, -1)))

    def at(self, team: int, cut: int) -> int:
        """This will give the number of the formula in force; −1: the default."""
        return next((formula for row, formula in reversed(self._steps.get(team, [])) if row < cut), -1)


def _every(history: History, scenario: Scenario, teams: list[int]) -> list[Review]:
    assert scenario.every_days is not None  # noqa: S101 - the caller asks
    step = scenario.every_days * DAY_US
    submitted = history.of(Kind.SUBMITTED)
    least, most = _period(history, scenario)
    formulas = _InForce(history)
    begun = beginnings(history)
    found = []
    for team in teams:
        own = submitted[history.figures[submitted, 0] == team]
        if not len(own):
            continue
        first = max(least, int(history.known[own[0]]))
        last = min(most, int(history.known[-1]))
        if (last - first) // step > REVIEWS_MAX:
            raise ScenarioError(
                f"That is more than {REVIEWS_MAX} reviews of one team. Review less often.", "every_days"
            )
        of_team = np.zeros(len(history.names.proposals), dtype=bool)
        of_team[history.subject[own]] = True
        previous = history.known_by(first)
        for at_us in range(first + step, last + 1, step):
            cut = history.known_by(at_us)
            yes = begun[(begun >= previous) & (begun < cut)]
            yes = yes[of_team[history.subject[yes]]]
            items, firsts = np.unique(history.subject[yes], return_index=True)
            decided = np.flatnonzero(history.kind[previous:cut] == Kind.DECIDED) + previous
            decided = decided[of_team[history.subject[decided]] & (history.figures[decided, 0] == 0)]
            _, _, no, no_as = _answers(history, decided)
            kept = ~np.isin(no, items)
            found.append(
                Review(
                    0,
                    team,
                    0,
                    -1,
                    at_us,
                    cut,
                    previous,
                    cut,
                    np.nan if scenario.capacity_days is None else scenario.capacity_days,
                    items.astype(np.int64),
                    np.full(len(firsts), np.nan),
                    no[kept],
                    no_as[kept],
                    formulas.at(team, cut),
                )
            )
            previous = cut
    return found


def beginnings(history: History) -> Ints:
    """This will give the facts by which an item was taken on: a yes, or work that began with no yes before it."""
    rows = history.of(*STATUS_KINDS)
    order = np.lexsort((rows, history.subject[rows]))
    rows = rows[order]
    taken_on = np.isin(history.kind[rows], [Kind.STARTED, Kind.COMPLETED]) | (
        (history.kind[rows] == Kind.DECIDED) & (history.figures[rows, 0] == 1)
    )
    before = np.r_[False, taken_on[:-1]] & np.r_[False, history.subject[rows][1:] == history.subject[rows][:-1]]
    return np.sort(rows[taken_on & ~before])


#: Kinds that say where a proposal stands; the last one known counts.
STATUS_KINDS = (
    Kind.DECIDED,
    Kind.REOPENED,
    Kind.REDIRECTED,
    Kind.WITHDRAWN,
    Kind.MERGED,
    Kind.SUPERSEDED,
    Kind.SPLIT,
    Kind.STARTED,
    Kind.COMPLETED,
    Kind.ABANDONED,
)
