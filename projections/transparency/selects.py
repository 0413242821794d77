"""Each group of counts as one SELECT that gives JSON: an aggregate over an index of one table."""

from collections.abc import Callable, Collection

from projections.conditions import Conditions
from projections.transparency.structs import MatterKind, Said

#: Most reasons, areas and teams that are listed, the most frequent first; months, the latest first.
LIST_MAX = 100
MONTHS_MAX = 240


def _is(flag: Said) -> str:
    return f"said & {int(flag)} <> 0"


def _not(flag: Said) -> str:
    return f"said & {int(flag)} = 0"


_WHOLE = _not(Said.SCOPED)
_SILENT = _not(Said.REASONED)
COUNTED = {
    "count": "true",
    "proposals": _is(Said.FIRST_OF_ITS_KIND),
    "reasoned_when_decided": _is(Said.REASONED),
    "unexplained_when_decided": _SILENT,
    "explained_later": f"{_SILENT} AND {_is(Said.EXPLAINED)}",
    "unexplained": f"{_SILENT} AND {_not(Said.EXPLAINED)}",
    "told": _is(Said.TOLD),
    "told_in_time": _is(Said.TOLD_IN_TIME),
    "promised": _is(Said.PROMISED),
    "acknowledged": _is(Said.ACKNOWLEDGED),
    "understood": _is(Said.UNDERSTOOD),
    "imported": _is(Said.IMPORTED),
}
_NOES = ", ".join(
    f"COALESCE(sum(n) FILTER (WHERE {condition}), 0)::bigint AS {name}" for name, condition in COUNTED.items()
)


#: Reviews have no area.
_AREA = "x.area = %(area)s"
_AREA_OR_REVIEW = f"({_AREA} OR x.kind IN ('{MatterKind.ENGINEERING_REVIEW}', '{MatterKind.PRODUCT_REVIEW}'))"

#: The counts that the others are sums of: each a pass over one index, however many others need it.
_BASES = {
    "p": (
        "transparency_proposals",
        "submitted_at",
        (),
        ", count(system) AS imported, count(*) FILTER (WHERE unseen) AS unseen",
    ),
    # All that can be said of a decision is in two columns, of which there are few combinations.
    "d": ("transparency_decisions", "decided_at", ("disposition", "said"), ""),
    "m": ("transparency_marks", "at", ("kind",), ", count(*) FILTER (WHERE first) AS firsts"),
}


def bases(w: Conditions, names: Collection[str], by: Collection[str]) -> str:
    """This will give the WITH clause that the SELECTs of this module need: `p` for proposals, `d` for decisions, `m` for marks.

    `by`: the further columns that they group by, of `team_id` and `month`.
    """
    found = []
    for name in sorted(names):
        table, at, columns, more = _BASES[name]
        keys = ", ".join((*sorted(by), *columns))
        found.append(
            f"{name} AS MATERIALIZED (SELECT {keys}{', ' if keys else ''}count(*) AS n{more} FROM views.{table} AS x"
            f" WHERE {_in(w, at, _of_marks if name == 'm' else _of_teams)}{f' GROUP BY {keys}' if keys else ''})"
        )
    return f"WITH {', '.join(found)} " if found else ""


def proposals(w: Conditions) -> str:
    """This will count the proposals submitted."""
    return (
        "SELECT json_build_object('proposed', COALESCE(sum(n), 0), 'imported', COALESCE(sum(imported), 0),"
        " 'unseen', COALESCE(sum(unseen), 0)) FROM p"
    )


def decisions(w: Conditions) -> str:
    """This will count the answers, by disposition and what can be said of them, and how long the first ones took."""
    return (
        f"WITH counted AS (SELECT disposition, {_is(Said.SCOPED)} AS scoped, {_NOES},"
        f" COALESCE(sum(n) FILTER (WHERE {_is(Said.SELF_DECIDED)}), 0)::bigint AS self_decided FROM d GROUP BY 1, 2)"
        " SELECT json_build_object('by_disposition', COALESCE((SELECT json_agg(json_build_object("
        "'disposition', disposition, 'scoped', scoped, 'noes', to_json(counted), 'self_decided', self_decided)) FROM counted),"
        " '[]'), 'still_in_time', COALESCE((SELECT json_object_agg(disposition, n) FROM (SELECT disposition, count(*) AS n"
        f" FROM views.transparency_decisions AS x WHERE {_in(w, 'decided_at')} AND x.tell_by > %(now)s GROUP BY 1) AS running), '{{}}'),"
        " 'waiting', (SELECT json_build_object('count', n, 'median_days', days[1], 'p90_days', days[2]) FROM"
        " (SELECT count(*) AS n, percentile_cont(ARRAY[0.5, 0.9]) WITHIN GROUP (ORDER BY waited_days) AS days"
        f" FROM views.transparency_decisions AS x WHERE {_in(w, 'decided_at')} AND waited_days IS NOT NULL) AS waited))"
    )


def happenings(w: Conditions) -> str:
    """This will count what else happened, by its kind, and in how many proposals."""
    if w.values["since"] is None:  # whatever comes first for a proposal is in the period, if anything of it is
        return _list("SELECT kind, sum(n)::bigint AS count, sum(firsts)::bigint AS proposals FROM m GROUP BY kind")
    # In two steps: a hash of the pairs is faster than the sort that count(DISTINCT …) takes.
    return _list(
        "SELECT kind, sum(n)::bigint AS count, count(*) AS proposals FROM (SELECT kind, proposal_id, count(*) AS n"
        f" FROM views.transparency_marks AS x WHERE {_in(w, 'at', _of_marks)} GROUP BY 1, 2) AS pairs GROUP BY kind"
    )


def matters(w: Conditions) -> str:
    """This will count concerns, appeals and reviews by where they stand. Reviews are of a whole team, whatever the area."""
    return _list(
        "SELECT kind, state, count(*) AS count FROM views.transparency_matters AS x"
        f" WHERE {_in(w, 'at', area=_AREA_OR_REVIEW)} GROUP BY kind, state"
    )


def cadence(w: Conditions) -> str:
    """This will count the reviews that the teams' cadences ask for by now; of a source they ask for none."""
    if w.values["system"] is not None:
        return "SELECT json_build_object('product', NULL, 'engineering', NULL)"
    begins = "GREATEST(%(since)s::timestamptz, x.formed_at)"
    span = f"GREATEST(0, extract(epoch FROM LEAST(%(until)s::timestamptz, %(now)s) - {begins}) / 86400)"
    return (
        f"SELECT json_build_object('product', sum(floor({span} / NULLIF(product_days, 0)))::bigint,"
        f" 'engineering', sum(floor({span} / NULLIF(engineering_days, 0)))::bigint)"
        f" FROM views.transparency_teams AS x WHERE {_of_teams(w)}"
    )


def reasons(w: Conditions) -> str:
    """This will count the reasons of the NOs."""
    # NOs give few combinations of reasons: those are counted first, and then taken apart.
    combined = (
        f"SELECT codes, count(*) AS n FROM views.transparency_decisions AS x WHERE {_in(w, 'decided_at')}"
        f" AND disposition <> 'SCHEDULE' AND {_WHOLE} GROUP BY codes"
    )
    return _list(
        f"SELECT code, sum(n)::bigint AS count FROM ({combined}) AS combined CROSS JOIN LATERAL unnest(codes) AS code"
        f" GROUP BY code ORDER BY 2 DESC, 1 LIMIT {LIST_MAX}"
    )


def areas(w: Conditions) -> str:
    """This will count the declines by area."""
    return _list(
        f"SELECT area, count(*) AS count FROM views.transparency_decisions AS x WHERE {_in(w, 'decided_at')}"
        f" AND disposition = 'DECLINE' AND {_WHOLE} GROUP BY area ORDER BY 2 DESC, 1 LIMIT {LIST_MAX}"
    )


def _buckets(column: str, shown: str, order: str) -> str:
    """This will count the main things by team or by month."""
    kinds = ("accepted", "declined", "postponed", "unexplained", "redirected", "withdrawn", "completed", "proposed")
    answers = {
        "accepted": "disposition = 'SCHEDULE'",
        "declined": "disposition = 'DECLINE'",
        "postponed": "disposition = 'POSTPONE'",
        "unexplained": f"disposition <> 'SCHEDULE' AND {COUNTED['unexplained']}",
    }
    marks = {kind: f"kind = '{kind.upper()}'" for kind in ("redirected", "withdrawn", "completed")}

    def counts(known: dict[str, str]) -> str:
        return ", ".join(
            f"{f'sum(n) FILTER (WHERE {known[kind]})' if kind in known else '0'} AS {kind}" for kind in kinds
        )

    def grouped(base: str, known: dict[str, str], where: str = "true") -> str:
        return f"SELECT {column}, {counts(known)} FROM {base} WHERE {where} GROUP BY 1"

    passes = (grouped("d", answers, _WHOLE), grouped("m", marks), grouped("p", {"proposed": "true"}))
    sums = ", ".join(f"COALESCE(sum({kind}), 0)::bigint AS {kind}" for kind in kinds)
    union = " UNION ALL ".join(passes)
    return _list(f"SELECT {shown} AS {column}, {sums} FROM ({union}) AS found GROUP BY found.{column} ORDER BY {order}")


def teams(w: Conditions) -> str:
    """This will count the main things by team."""
    return _buckets("team_id", "team_id", f"proposed DESC, found.team_id LIMIT {LIST_MAX}")


def months(w: Conditions) -> str:
    """This will count the main things by month, and first of all, whatever the limit, what is undated."""
    first_day = "make_date((found.month / 12)::int, (mod(found.month, 12) + 1)::int, 1)"
    return _buckets("month", first_day, f"found.month DESC NULLS FIRST LIMIT {MONTHS_MAX}")


def _of_teams(w: Conditions) -> str:
    return f"{w.stands('x')} AND {w}"


def _of_marks(w: Conditions) -> str:
    """This will ask for the marks of a state: each stands for good, and the index has only where it begins."""
    return str(w) if w.values["as_of"] is None else f"x.valid_from <= %(as_of)s AND {w}"


def _in(w: Conditions, at: str, of: Callable[[Conditions], str] = _of_teams, area: str = _AREA) -> str:
    found = [of(w)]
    found += [
        condition
        for condition, name in (
            (f"x.{at} >= %(since)s", "since"),
            (f"x.{at} < %(until)s", "until"),
            (area, "area"),
            ("x.system = %(system)s", "system"),
        )
        if w.values[name] is not None
    ]
    return " AND ".join(found)


def _list(select: str) -> str:
    return f"SELECT COALESCE(json_agg(found), '[]') FROM ({select}) AS found"
