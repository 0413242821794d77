"""What can be asked of the backlog: each a single statement, of the present or as of a position."""

from collections.abc import Callable, Sequence
from enum import StrEnum
from functools import lru_cache
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct

from ledger.ranking import DEFAULT_FORMULA, Formula, Score, readable, score
from ledger.values import MemberId, ProposalStatus
from projections.backlog.ranking import RANKINGS
from projections.backlog.structs import Card
from projections.conditions import Conditions, Connection, Teams, rows
from projections.partial import partial
from projections.table import decoder

#: Most members' items that an inbox lists.
INBOX_MAX = 100

_PENDING = "{0}.status = 'PENDING' AND {0}.team_id IS NOT NULL"


class Order(StrEnum):
    """What the backlog is ordered by. Ties: the earlier submission, then the id."""

    SCORE = "SCORE"
    SUBMITTED_AT = "SUBMITTED_AT"
    DRAG = "DRAG"
    ESTIMATE = "ESTIMATE"
    TITLE = "TITLE"


class Filter(Struct, frozen=True):
    """Which proposals are meant. None: any."""

    statuses: tuple[ProposalStatus, ...] = (ProposalStatus.PENDING,)
    teams: tuple[UUID, ...] | None = None
    areas: tuple[str, ...] | None = None
    kinds: tuple[str, ...] | None = None
    #: Somewhere in the title, in any case.
    title: str | None = None
    score_min: float | None = None
    estimated: bool | None = None
    #: Has it a drag in hours?
    assessed: bool | None = None


class Listed(Card, frozen=True, array_like=True, gc=False):
    """A card in a list. `rank` is its place among the team's pending ones, 1 is first; None: it isn't pending, or nobody asked."""

    rank: int | None = None
    #: The formula that ranks its team; None: nobody asked.
    formula: Formula | None = None

    @property
    def proposal_id(self) -> UUID:
        """This will give its id under the name that the API has for it."""
        return self.id

    @property
    def why(self) -> Score | None:
        """This will say why it stands where it does: the terms of its score, and what is missing. None: it is not pending."""
        return readable(score(self.formula, self.item)) if self.formula is not None and self.is_pending else None

    @property
    def is_imported(self) -> bool:
        """This will say whether it comes from an outside history."""
        return self.origin is not None

    @property
    def concerns_open(self) -> int:
        """This will count the concerns that are neither resolved nor overruled."""
        return len(self.concerns)

    @property
    def concerns_blocking(self) -> int:
        """This will count those of them that hold a decision up."""
        return sum(concern.blocking for concern in self.concerns)

    @property
    def concerns_unanswered(self) -> int:
        """This will count those of them that nobody has answered."""
        return sum(not concern.answered for concern in self.concerns)


#: Column, whether it goes down when the order goes up (the score is kept with its sign turned), and the attribute.
_COLUMNS = {
    Order.SCORE: ("place", True, "score"),
    Order.SUBMITTED_AT: ("submitted_at", False, "submitted_at"),
    Order.DRAG: ("drag", False, "drag"),
    Order.ESTIMATE: ("days", False, "expected_days"),
    Order.TITLE: ("title", False, "title"),
}
#: What is not in the row itself.
_BESIDE = frozenset({"rank", "why", "formula"})
#: Selections of attributes whose decoders are kept.
_DECODERS_MAX = 512


def key_of(row: Listed, order: Order) -> tuple[Any, int, UUID]:
    """This will give a row's place in an order, as `backlog` takes it in `after`."""
    value: Any
    match order:
        case Order.SCORE:
            value = 0.0 - row.score
        case Order.SUBMITTED_AT:
            value = row.submitted_at
        case Order.DRAG:
            value = -1.0 if row.drag is None else float(row.drag)
        case Order.ESTIMATE:
            value = -1.0 if row.expected_days is None else row.expected_days
        case Order.TITLE:
            value = row.title.casefold()
    return value, row.submitted_position, row.id


async def backlog(
    connection: Connection,
    teams: Teams,
    wanted: Filter,
    *,
    limit: int,
    order: Order = Order.SCORE,
    descending: bool = True,
    after: tuple[Any, int, UUID] | None = None,
    as_of: int | None = None,
    ranked: bool = False,
    explained: bool = False,
    attributes: frozenset[str] | None = None,
) -> list[Listed]:
    """This will give a page of proposals in order. `ranked` and `explained`: with rank and formula, which cost a little more.

    `attributes`: the rows are asked for no others than these and what `key_of` takes; None: for any.
    """
    statement, values = page_statement(
        teams,
        wanted,
        limit=limit,
        order=order,
        descending=descending,
        after=after,
        as_of=as_of,
        ranked=ranked,
        explained=explained,
    )
    asked = None if attributes is None else attributes | {_COLUMNS[order][2], "submitted_position", "id"}
    return _rows(await rows(connection, statement, values), asked)


def page_statement(
    teams: Teams,
    wanted: Filter,
    *,
    limit: int,
    order: Order,
    descending: bool,
    after: tuple[Any, int, UUID] | None,
    as_of: int | None,
    ranked: bool,
    explained: bool,
) -> tuple[str, dict[str, Any]]:
    """This will give the statement of a page with its values: doc, rank and ranking of each row."""
    where = _which(teams, wanted, as_of)
    column, turned, _ = _COLUMNS[order]
    up = descending == turned
    where.beyond(f"b.{column}, b.submitted_position, b.id", after, descending=not up)
    way = "ASC" if up else "DESC"
    ordered = f" ORDER BY b.{column} {way}, b.submitted_position {way}, b.id {way}"
    which = f"SELECT b.* FROM views.backlog AS b WHERE {where}{ordered} LIMIT {limit:d}"
    statement = _shown(which, where, ranked=ranked, explained=explained) + ordered
    return statement, where.values


async def total(connection: Connection, teams: Teams, wanted: Filter, *, as_of: int | None = None) -> int:
    """This will count the proposals that a filter leaves."""
    where = _which(teams, wanted, as_of)
    ((count,),) = await rows(connection, f"SELECT count(*) FROM views.backlog AS b WHERE {where}", where.values)
    return int(count)


async def proposals(
    connection: Connection,
    teams: Teams,
    ids: list[UUID],
    *,
    as_of: int | None = None,
    ranked: bool = False,
    explained: bool = False,
) -> list[Listed]:
    """This will give the proposals with these ids, in the order of the ids; those that are not there or not to be seen are absent."""
    where = Conditions(as_of).readable("b", teams).add("b.id = ANY(%(ids)s)", ids=ids).add("b.team_id IS NOT NULL")
    which = f"SELECT b.* FROM views.backlog AS b WHERE {where}"
    found = _rows(await rows(connection, _shown(which, where, ranked=ranked, explained=explained), where.values))
    by_id = {row.id: row for row in found}
    return [by_id[wanted] for wanted in dict.fromkeys(ids) if wanted in by_id]  # type: ignore[index]


async def inbox(
    connection: Connection,
    member_id: MemberId,
    managed: Sequence[UUID],
    *,
    as_of: int | None = None,
    limit: int = INBOX_MAX,
) -> list[Listed]:
    """This will give the proposals that wait for a member: as one who asked, and as a manager of the teams; the oldest first."""
    where = Conditions(as_of).add("true", member=[member_id], managed=list(managed))
    stands = where.stands("b")
    found = await rows(
        connection,
        "SELECT doc, NULL::bigint, NULL::bytea FROM ("
        f" SELECT b.id, b.doc, b.submitted_position FROM views.backlog AS b WHERE b.awaits @> %(member)s AND {stands}"
        f" UNION SELECT b.id, b.doc, b.submitted_position FROM views.backlog AS b"
        f" WHERE b.awaits_managers AND b.team_id = ANY(%(managed)s) AND {stands}"
        f") AS b ORDER BY submitted_position, id LIMIT {limit:d}",
        where.values,
    )
    return _rows(found)


def _which(teams: Teams, wanted: Filter, as_of: int | None) -> Conditions:
    where = Conditions(as_of)
    where.add(where.stands("b")).add("b.team_id IS NOT NULL")
    if wanted.statuses == (ProposalStatus.PENDING,):
        where.add(_PENDING.format("b"))
    else:
        where.among("b.status", "statuses", [status.value for status in wanted.statuses])
    asked = wanted.teams
    if asked is not None and len(asked) == 1 and (teams is None or asked[0] in teams):
        where.add("b.team_id = %(team)s", team=asked[0])
    else:
        where.among("b.team_id", "visible", teams).among("b.team_id", "teams", asked)
    where.among("b.area", "areas", wanted.areas).among("b.kind", "kinds", wanted.kinds)
    if wanted.title is not None:
        escaped = wanted.title.casefold().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        where.add("b.title LIKE %(title)s", title=f"%{escaped}%")
    if wanted.score_min is not None:
        where.add("b.place <= %(place_max)s", place_max=0.0 - wanted.score_min)
    for column, has in (("days", wanted.estimated), ("drag", wanted.assessed)):
        if has is not None:
            where.add(f"b.{column} {'>=' if has else '<'} 0")
    return where


def _shown(which: str, where: Conditions, *, ranked: bool, explained: bool) -> str:
    """This will give the SELECT of doc, rank and ranking of the cards that `which` picks, itself a SELECT of whole rows.

    A rank is that of the card before it on the same team's list, plus the pending ones from there on: so for all that are picked
    together no more index entries of a team are counted than its highest rank.
    """
    rank, ranks = "NULL::bigint", ""
    if ranked:
        pending, by_rank = _PENDING.format("b"), "b.place, b.submitted_position, b.id"
        which = (
            f"SELECT b.*, {pending} AS pending, lag(b.place, 1, '-Infinity') OVER w AS place_before,"
            " lag(b.submitted_position, 1, 0) OVER w AS position_before, lag(b.id, 1, b.id) OVER w AS id_before"
            f" FROM ({which}) AS b WINDOW w AS (PARTITION BY b.team_id, {pending} ORDER BY {by_rank})"
        )
        ranks = (
            " CROSS JOIN LATERAL (SELECT count(*) AS n FROM views.backlog AS x WHERE b.pending AND x.team_id = b.team_id"
            f" AND {_PENDING.format('x')} AND {where.stands('x')} AND (x.place, x.submitted_position, x.id) <= ({by_rank})"
            " AND (x.place, x.submitted_position, x.id) > (b.place_before, b.position_before, b.id_before)) AS since"
        )
        rank = f"CASE WHEN b.pending THEN (sum(since.n) OVER (PARTITION BY b.team_id, b.pending ORDER BY {by_rank}))::bigint END"
    ranking, join = "NULL::bytea", ""
    if explained:
        ranking = "r.doc"
        join = f" LEFT JOIN views.backlog_rankings AS r ON r.team_id = b.team_id AND {where.stands('r')}"
    return f"SELECT b.doc, {rank}, {ranking} FROM ({which}) AS b{ranks}{join}"


@lru_cache(maxsize=_DECODERS_MAX)
def _decoder(attributes: frozenset[str] | None) -> Callable[[bytes], Listed]:
    struct = Listed if attributes is None else partial(Listed, attributes)
    return decoder(struct)


def _rows(found: list[tuple[Any, ...]], attributes: frozenset[str] | None = None) -> list[Listed]:
    decode = _decoder(attributes)
    if attributes is not None and attributes.isdisjoint(_BESIDE):
        return [decode(doc) for doc, _, _ in found]
    formulas: dict[bytes, Formula] = {}
    listed = []
    for doc, rank, ranking in found:
        row = decode(doc)
        if ranking is not None and ranking not in formulas:
            formulas[ranking] = RANKINGS.decode(ranking).formula
        listed.append((row, rank, formulas.get(ranking, DEFAULT_FORMULA)))
    return [msgspec.structs.replace(row, rank=rank, formula=formula) for row, rank, formula in listed]
