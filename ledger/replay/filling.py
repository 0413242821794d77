"""Fills a review's capacity: in the order of the scores, whatever still fits; or as a policy selected."""

from collections.abc import Set
from dataclasses import dataclass

import numpy as np

from ledger.replay.candidates import NEVER, Candidates, quarters
from ledger.replay.history import Bools, Floats, Ints
from ledger.replay.scenario import ScenarioError


@dataclass(frozen=True)
class Offer:
    """What is to be filled: the candidates, a policy's answer, and proposals whose verdict is given beforehand."""

    table: Candidates
    answer: "Floats | Bools"
    yes: Set[int]
    no: Set[int]
    #: The answer is scores, to be cut by the capacity; otherwise a selection, which must fit by itself.
    limited: bool


def fill(offer: Offer) -> list[int]:
    """This will give the rows that are chosen, in order.

    By scores: each row that fits what is left is taken, one that does not is passed over; equal scores go to the earlier submission. A row
    that needs another waits until that is taken. One that is larger than a whole review's capacity is taken if it comes first, and the
    overrun is paid back by the next reviews. Raises ScenarioError for a selection that does not fit.
    """
    table = offer.table
    forced = [row for row in range(len(table)) if int(table.item[row]) in offer.yes] if offer.yes else []
    may = table.can & ~table.lacking
    if offer.no:
        may = may & ~np.isin(table.item, list(offer.no))
    may[forced] = False
    left = table.free - int(table.cost[forced][table.cost[forced] < NEVER].sum())
    if not offer.limited:
        return forced + _selected(offer, may, left, bool(forced))
    order = np.argsort(-offer.answer.astype(np.float64), kind="stable")
    order = order[may[order] & (offer.answer[order] > -np.inf)]
    return forced + _in_order(table, order, left, set(forced), not forced)


def _selected(offer: Offer, may: Bools, left: int, changed: bool) -> list[int]:
    """This will take a selection as it is; where a verdict was forced, as much of it as still fits."""
    table = offer.table
    rows = np.flatnonzero(offer.answer.astype(bool) & may)
    if changed or offer.no:
        return _in_order(table, rows, left, set(np.flatnonzero(np.isin(table.item, list(offer.yes)))), first=False)
    if len(rows) != int(offer.answer.sum()):
        raise ScenarioError("The policy selected a row that can't be chosen (`can`, `lacking`).", "policies")
    if int(table.cost[rows].sum()) > left:
        raise ScenarioError("The policy selected more than fits into `free`.", "policies")
    return [int(row) for row in rows]


def _in_order(table: Candidates, order: Ints, left: int, taken: set[int], first: bool) -> list[int]:
    """This will go through the rows in order as often as something that was needed has been taken."""
    waits_for: dict[int, set[int]] = {}
    for who, what in table.needs.tolist():
        waits_for.setdefault(who, set()).add(what)
    chosen: list[int] = []
    while True:
        open_rows = order
        if waits_for:
            is_open = [row not in taken and waits_for.get(int(row), set()) <= taken for row in order]
            open_rows = order[np.array(is_open, dtype=bool)]
        elif chosen:
            return chosen
        more, left = greedy(open_rows, table.cost[open_rows], left, first and not chosen, quarters(table.capacity))
        chosen += more
        taken = taken | set(more)
        if not more or not waits_for:
            return chosen


def greedy(order: Ints, cost: Ints, left: int, first: bool, whole: int) -> tuple[list[int], int]:
    """This will take what fits, in order, and give it with what is left; below 0 where the first one is larger than the `whole`."""
    chosen: list[int] = []
    if first and len(order) and left > 0 and cost[0] > whole:
        return [int(order[0])], left - int(cost[0])
    at = 0
    while at < len(order):
        sums = np.cumsum(cost[at:])
        count = int(np.searchsorted(sums, left, side="right"))
        if count:
            chosen += order[at : at + count].tolist()
            left -= int(sums[count - 1])
            at += count
        following = np.flatnonzero(cost[at:] <= left)
        if left <= 0 or not len(following):
            break
        at += int(following[0])
    return chosen, left
