"""Which declines are weighed as precedents: a question's words, and the NOs that are found by them or by code and area.

Weighed are all NOs that have the question's rarest words: as many of its words, the rarest first, as WEIGHED_MAX NOs have between
them. A word that more than one in twenty of the latest NOs has is too common to look for; what has only such says too little of the
ground. Where all are common, the latest NOs with the rarest of them are weighed.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from itertools import accumulate
from typing import Any, NamedTuple
from uuid import UUID

from msgspec import Struct

from ledger.values import Disposition
from projections.audit.texts import LANGUAGE
from projections.conditions import Conditions, Connection, Teams, rows

#: Words of the question that are looked for: those of the title first, then of the reasons, then the most frequent of the case.
WORDS_MAX = 20
#: Most declines that are weighed for their words, and the latest of the same area and code that are weighed besides.
WEIGHED_MAX = 1_000
SAME_GROUND_MAX = 500
#: The latest NOs that tell how common a word is, and of how many of them one may have it.
LATEST = 500
ONE_IN = 20


class Question(Struct, frozen=True):
    """What precedents are looked for: words by where they stand, codes and an area; only those decided before an instant."""

    title: str = ""
    reasons_text: str = ""
    case_text: str = ""
    codes: tuple[str, ...] = ()
    area: str | None = None
    #: Its own decisions are no precedents of it.
    proposal_id: UUID | None = None
    before: datetime | None = None


class Found(NamedTuple):
    """A decline, with the question's words that it has, and those of them that its title or its reasons have: a bit for each."""

    decision_id: UUID
    codes: list[str]
    area: str | None
    words: int
    telling: int


async def words_of(connection: Connection, question: Question) -> dict[str, float]:
    """This will give the words of the question with the weight of their place."""
    found = await rows(
        connection,
        "SELECT lexeme, CASE WHEN 'A' = ANY(weights) THEN 4.0::float8 WHEN 'B' = ANY(weights) THEN 2.0 ELSE 1.0 END AS weight"
        f" FROM unnest(setweight(to_tsvector('{LANGUAGE}', %(title)s), 'A')"
        f" || setweight(to_tsvector('{LANGUAGE}', %(reasons)s), 'B') || setweight(to_tsvector('{LANGUAGE}', %(case)s), 'C'))"
        " WHERE lexeme !~ '^[0-9.]+$' AND length(lexeme) > 1"
        " ORDER BY weight DESC, cardinality(positions) DESC, lexeme LIMIT %(limit)s",
        {
            "title": question.title.replace("\0", " "),
            "reasons": question.reasons_text.replace("\0", " "),
            "case": question.case_text.replace("\0", " "),
            "limit": WORDS_MAX,
        },
    )
    return dict(found)


def earlier(
    alias: str,
    teams: Teams,
    question: Question,
    dispositions: Sequence[Disposition],
    team_ids: Sequence[UUID] | None,
    as_of: int | None,
) -> Conditions:
    """This will give the conditions of the NOs that may be precedents."""
    where = Conditions(as_of).readable(alias, teams, team_ids)
    where.among(f"{alias}.disposition", "dispositions", [disposition.value for disposition in dispositions])
    where.given(f"{alias}.proposal_id <> %(proposal)s", proposal=question.proposal_id)
    return where.given(f"{alias}.decided_at < %(before)s", before=question.before)


async def _rarest(connection: Connection, where: Conditions, wanted: Collection[str]) -> list[str]:
    """This will give the words to look for, the rarest first; none, if nobody has any."""
    having = ", ".join(f"count(*) FILTER (WHERE x.words @@ %(word{n})s::tsquery)" for n in range(len(wanted)))
    latest = f"SELECT x.words FROM views.audit_texts AS x WHERE {where} ORDER BY x.decided_at DESC, x.decision_id DESC LIMIT {LATEST}"
    values = where.values | _named(wanted)
    ((size, *sampled),) = await rows(
        connection, f"SELECT count(*), {having} FROM ({latest}) AS x", values, keeps_plan=False
    )
    by_rarity = sorted((count, word) for word, count in zip(wanted, sampled, strict=True) if count)
    if size == LATEST:  # there may be more than these
        few = [(n, word) for n, (word, count) in enumerate(zip(wanted, sampled, strict=True)) if count * ONE_IN <= size]
        by_rarity = await _counted(connection, where, few, values) or by_rarity[:1]
    together = accumulate(count for count, _ in by_rarity)
    chosen = [word for (_, word), count in zip(by_rarity, together, strict=True) if count <= WEIGHED_MAX]
    return chosen or [word for _, word in by_rarity[:1]]


async def _counted(
    connection: Connection, where: Conditions, words: Sequence[tuple[int, str]], values: dict[str, Any]
) -> list[tuple[int, str]]:
    """This will count the NOs that have each word, up to one more than can be weighed, the rarest first; not those that nobody has."""
    if not words:
        return []
    counts = ", ".join(
        f"(SELECT count(*) FROM (SELECT FROM views.audit_texts AS x WHERE {where} AND x.words @@ %(word{n})s::tsquery"
        f" LIMIT {WEIGHED_MAX + 1}) AS found)"
        for n, _ in words
    )
    ((*counted,),) = await rows(connection, f"SELECT {counts}", values, keeps_plan=False)
    return sorted((count, word) for (_, word), count in zip(words, counted, strict=True) if count)


async def candidates(
    connection: Connection, question: Question, wanted: Collection[str], where: Conditions, same: Conditions
) -> list[Found]:
    """This will find the NOs to be weighed: by their words, `where` x, and by their code and area, `same` d."""
    rarest = await _rarest(connection, where, wanted) if wanted else []
    sources = []
    if rarest:
        sources.append(
            f"(SELECT x.decision_id FROM views.audit_texts AS x WHERE {where} AND x.words @@ %(rarest)s::tsquery"
            f" ORDER BY x.decided_at DESC, x.decision_id DESC LIMIT {WEIGHED_MAX})"
        )
    if question.codes and question.area is not None:
        same.add("d.disposition <> 'SCHEDULE' AND NOT d.scoped AND d.codes && %(codes)s AND d.area = %(area)s")
        sources.append(
            f"(SELECT d.decision_id FROM views.audit_decisions AS d WHERE {same}"
            f" ORDER BY d.decided_at DESC, d.decision_id DESC LIMIT {SAME_GROUND_MAX})"
        )
    if not sources:
        return []
    found = await rows(
        connection,
        f"WITH found AS ({' UNION '.join(sources)}) SELECT d.decision_id, d.codes, d.area, {_bits(wanted)},"
        f" {_bits(wanted, 'telling')} FROM found"
        f" JOIN views.audit_texts AS x ON x.decision_id = found.decision_id AND {where.stands('x')}"
        f" JOIN views.audit_decisions AS d ON d.decision_id = found.decision_id AND {where.stands('d')}",
        where.values
        | _named(wanted)
        | {f"telling{number}": f"{_quoted(word)}:AB" for number, word in enumerate(wanted)}
        | {"rarest": any_of(rarest), "codes": list(question.codes), "area": question.area},
        keeps_plan=False,
    )
    return [Found(*row) for row in found]


def _bits(wanted: Collection[str], name: str = "word") -> str:
    """This will give the SQL of a number with a bit for each of the words that a decline has."""
    bits = (f"((x.words @@ %({name}{number})s::tsquery)::int << {number})" for number in range(len(wanted)))
    return " | ".join(bits) or "0"


def _named(wanted: Collection[str]) -> dict[str, str]:
    return {f"word{number}": _quoted(word) for number, word in enumerate(wanted)}


def _quoted(lexeme: str) -> str:
    escaped = lexeme.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"


def any_of(lexemes: Iterable[str]) -> str:
    """This will give the tsquery, as text, of what has any of the words."""
    return " | ".join(map(_quoted, lexemes))
