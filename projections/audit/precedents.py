"""Earlier declines like this one: found by the words they share, by the reasons' codes and by the area, and each says what it shares.

Relevance, 0 to 1, is the share of the question's ground that a decline covers: its words count 0.6, a reason's code in common 0.25, the
area 0.15; what the question does not have counts for nothing. A word counts by where it stands in the question (title 4, reason 2,
case 1) times ln(1 + N ÷ n), where n of the N declines found have it (inverse document frequency, Spärck Jones, 1972): so a word that
everybody uses hardly counts, and the same rows give the same figures whenever they are asked. One that the decline has in its case
alone, and neither in its title nor in its reasons, counts half.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from math import fsum, log1p
from typing import NamedTuple
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from ledger.values import Disposition
from projections.audit.structs import AuditedDecision
from projections.audit.tables import DECISIONS, PROPOSALS
from projections.audit.texts import CASES, LANGUAGE, TEXTS
from projections.conditions import Conditions, Connection, Teams, rows

#: Words of the question that are looked for: those of the title first, then of the reasons, then the most frequent of the case.
WORDS_MAX = 20
#: The latest declines with each of the words, and the latest of the same area and code, that are weighed.
SAME_WORD_MAX = 50
SAME_GROUND_MAX = 100
EXCERPT = 'MaxFragments=2, MaxWords=24, MinWords=8, StartSel="", StopSel=""'
WORDS_COUNT, CODE_COUNTS, AREA_COUNTS = 0.6, 0.25, 0.15
#: They say nothing about the ground.
NO_CODES = frozenset({"NOT_CLASSIFIED", "NOT_RECORDED", "OTHER"})


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


class Precedent(Struct, frozen=True):
    """An earlier decline, and what it has in common with the question. `shared_words` are stems, the most telling first."""

    decision: AuditedDecision
    #: Where its reasons and its case say so; empty where no word is shared.
    excerpt: str
    relevance: float
    shared_words: tuple[str, ...]
    shared_reasons: tuple[str, ...]
    same_area: bool


class _Found(NamedTuple):
    """A decline with the question's words that it has, and those of them that its title or its reasons have."""

    decision_id: UUID
    codes: list[str]
    area: str | None
    words: list[str]
    telling: list[str]


class _Weighed(NamedTuple):
    """A decline with how much of the question's ground it covers, and what it shares."""

    relevance: float
    found: _Found
    shared_words: tuple[str, ...]
    shared_reasons: tuple[str, ...]
    same_area: bool


async def question_of(
    connection: Connection, teams: Teams, proposal_id: UUID, *, as_of: int | None = None
) -> Question | None:
    """This will ask for a proposal: for its last NO's ground or, before there is one, its title and case. None: it may not be seen."""
    where = Conditions(as_of)
    where.add(where.stands("p")).add("p.proposal_id = %(id)s", id=proposal_id).among("p.team_id", "visible", teams)
    found = await rows(
        connection,
        "SELECT p.doc, c.doc, x.doc, d.doc FROM views.audit_proposals AS p"
        f" LEFT JOIN views.audit_cases AS c ON c.proposal_id = p.proposal_id AND {where.stands('c')}"
        " LEFT JOIN LATERAL (SELECT x.doc, x.decision_id FROM views.audit_texts AS x WHERE x.proposal_id = p.proposal_id"
        f" AND {where.stands('x')} ORDER BY x.decided_at DESC, x.decision_id DESC LIMIT 1) AS x ON true"
        f" LEFT JOIN views.audit_decisions AS d ON d.decision_id = x.decision_id AND {where.stands('d')} WHERE {where}",
        where.values,
    )
    if not found:
        return None
    proposal_doc, case_doc, words_doc, decision_doc = found[0]
    proposal = PROPOSALS.decode(proposal_doc)
    case = CASES.decode(case_doc).words if case_doc is not None else ""
    if words_doc is None or decision_doc is None:
        return Question(proposal.title, "", case, (), proposal.area, proposal_id)
    words, decision = TEXTS.decode(words_doc), DECISIONS.decode(decision_doc)
    return Question(
        words.title,
        words.reasons_text,
        words.case_text,
        tuple(code for code in decision.codes if code not in NO_CODES),
        proposal.area,
        proposal_id,
        decision.decided_at,
    )


def narrowed(question: Question, area: str | None, codes: tuple[str, ...] | None) -> Question:
    """This will ask about another area or other codes, where they are given."""
    return replace(
        question,
        area=question.area if area is None else area,
        codes=question.codes if codes is None else codes,
    )


async def precedents(
    connection: Connection,
    teams: Teams,
    question: Question,
    *,
    limit: int,
    dispositions: Sequence[Disposition] = (Disposition.DECLINE,),
    team_ids: Sequence[UUID] | None = None,
    as_of: int | None = None,
) -> list[Precedent]:
    """This will give the earlier declines that share most of the question's ground, the most relevant first."""
    wanted = await _wanted(connection, question)
    found = await _candidates(connection, teams, question, wanted, dispositions, team_ids, as_of)
    weighed = _weighed(question, wanted, found)[:limit]
    told = await _told(connection, weighed, as_of)
    return [
        Precedent(*told[one.found.decision_id], one.relevance, one.shared_words, one.shared_reasons, one.same_area)
        for one in weighed
    ]


async def _wanted(connection: Connection, question: Question) -> dict[str, float]:
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


async def _candidates(
    connection: Connection,
    teams: Teams,
    question: Question,
    wanted: dict[str, float],
    dispositions: Sequence[Disposition],
    team_ids: Sequence[UUID] | None,
    as_of: int | None,
) -> list[_Found]:
    def earlier(alias: str) -> Conditions:
        where = Conditions(as_of)
        where.add(where.stands(alias)).among(f"{alias}.team_id", "visible", teams)
        where.among(f"{alias}.team_id", "teams", team_ids)
        where.among(f"{alias}.disposition", "dispositions", [disposition.value for disposition in dispositions])
        where.given(f"{alias}.proposal_id <> %(proposal)s", proposal=question.proposal_id)
        return where.given(f"{alias}.decided_at < %(before)s", before=question.before)

    where, same = earlier("x"), earlier("d")
    sources = [
        f"(SELECT x.decision_id FROM views.audit_texts AS x WHERE {where} AND x.words @@ %(word{number})s::tsquery"
        f" ORDER BY x.decided_at DESC, x.decision_id DESC LIMIT {SAME_WORD_MAX})"
        for number in range(len(wanted))
    ]
    if question.codes and question.area is not None:
        same.add("d.disposition <> 'SCHEDULE' AND NOT d.scoped AND d.codes && %(codes)s AND d.area = %(area)s")
        sources.append(
            f"(SELECT d.decision_id FROM views.audit_decisions AS d WHERE {same}"
            f" ORDER BY d.decided_at DESC, d.decision_id DESC LIMIT {SAME_GROUND_MAX})"
        )
    if not sources:
        return []
    # Planned anew each time: whether a word is rare decides how it is found.
    cursor = await connection.execute(
        (
            f"WITH found AS ({' UNION '.join(sources)}) SELECT d.decision_id, d.codes, d.area, s.words, s.telling FROM found"
            f" JOIN views.audit_texts AS x ON x.decision_id = found.decision_id AND {where.stands('x')}"
            f" JOIN views.audit_decisions AS d ON d.decision_id = found.decision_id AND {where.stands('d')}"
            " CROSS JOIN LATERAL (SELECT COALESCE(array_agg(lexeme), '{}') AS words,"
            " COALESCE(array_agg(lexeme) FILTER (WHERE weights && '{A,B}'), '{}') AS telling"
            " FROM unnest(x.words) WHERE lexeme = ANY(%(names)s)) AS s"
        ).encode(),
        {
            **where.values,
            **{f"word{number}": _quoted(word) for number, word in enumerate(wanted)},
            "names": list(wanted),
            "codes": list(question.codes),
            "area": question.area,
        },
        binary=True,
        prepare=False,
    )
    return [_Found(*row) for row in await cursor.fetchall()]


def _quoted(lexeme: str) -> str:
    escaped = lexeme.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"


def _weighed(question: Question, wanted: dict[str, float], found: list[_Found]) -> list[_Weighed]:
    """This will weigh the declines, the most relevant first; of two alike the one with the higher id, so that the order is settled."""
    having = Counter(word for one in found for word in one.words)
    # A word that no decline has is of the question's ground as well.
    weights = {word: weight * log1p(len(found) / max(1, having[word])) for word, weight in wanted.items()}
    whole = fsum(weights.values())
    parts = (WORDS_COUNT * bool(whole), CODE_COUNTS * bool(question.codes), AREA_COUNTS * (question.area is not None))
    weighed = []
    for one in found:
        codes = tuple(code for code in one.codes if code in question.codes)
        same_area = question.area is not None and one.area == question.area
        counts = {word: weights[word] * (1.0 if word in one.telling else 0.5) for word in one.words}
        shared = sorted(counts, key=lambda word: (-counts[word], word))
        covered = fsum(counts.values()) / whole if whole else 0.0
        relevance = fsum((parts[0] * covered, parts[1] * bool(codes), parts[2] * same_area)) / fsum(parts)
        weighed.append(_Weighed(round(relevance, 6), one, tuple(shared), codes, same_area))
    return sorted(weighed, key=lambda one: (one.relevance, one.found.decision_id), reverse=True)


async def _told(
    connection: Connection, weighed: list[_Weighed], as_of: int | None
) -> dict[UUID, tuple[AuditedDecision, str]]:
    """This will read the declines, and cut the places with the shared words out of each one's reasons and case."""
    where = Conditions(as_of)
    text = "concat_ws(E'\\n', x.reasons_text, x.case_text)"
    read = await rows(
        connection,
        f"SELECT d.decision_id, d.doc, CASE WHEN q.query = '' THEN '' ELSE ts_headline('{LANGUAGE}', {text}, q.query::tsquery, %(how)s)"
        " END FROM unnest(%(ids)s::uuid[], %(queries)s::text[]) AS q(id, query)"
        f" JOIN views.audit_decisions AS d ON d.decision_id = q.id AND {where.stands('d')}"
        f" JOIN views.audit_texts AS x ON x.decision_id = q.id AND {where.stands('x')}",
        {
            **where.values,
            "ids": [one.found.decision_id for one in weighed],
            "queries": [" | ".join(map(_quoted, one.shared_words)) for one in weighed],
            "how": EXCERPT,
        },
    )
    return {decision_id: (DECISIONS.decode(doc), excerpt) for decision_id, doc, excerpt in read}
