"""Earlier declines like this one: found by the words they share, by the reasons' codes and by the area, and each says what it shares.

Relevance, 0 to 1, is the share of the question's ground that a decline covers: its words count 0.6, a reason's code in common 0.25, the
area 0.15; what the question does not have counts for nothing. A word counts by where it stands in the question (title 4, reason 2,
case 1) times ln(1 + N ÷ n), where n of the N declines found have it (inverse document frequency, Spärck Jones, 1972): so a word that
everybody uses hardly counts, and the same rows give the same figures whenever they are asked. One that the decline has in its case
alone, and neither in its title nor in its reasons, counts half.
"""

from collections.abc import Sequence
from heapq import nlargest
from math import fsum, log1p
from typing import NamedTuple
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from ledger.values import Disposition
from projections.audit.ground import Found, Question, any_of, candidates, earlier, words_of
from projections.audit.structs import AuditedDecision
from projections.audit.tables import DECISIONS, PROPOSALS
from projections.audit.texts import CASES, LANGUAGE, TEXTS
from projections.conditions import Conditions, Connection, Teams, rows

EXCERPT = 'MaxFragments=2, MaxWords=24, MinWords=8, StartSel="", StopSel=""'
WORDS_COUNT, CODE_COUNTS, AREA_COUNTS = 0.6, 0.25, 0.15
#: They say nothing about the ground.
NO_CODES = frozenset({"NOT_CLASSIFIED", "NOT_RECORDED", "OTHER"})


class Precedent(Struct, frozen=True):
    """An earlier decline, and what it has in common with the question. `shared_words` are stems, the most telling first."""

    decision: AuditedDecision
    #: Where its reasons and its case say so; empty where no word is shared.
    excerpt: str
    relevance: float
    shared_words: tuple[str, ...]
    shared_reasons: tuple[str, ...]
    same_area: bool


class _Weighed(NamedTuple):
    """A decline with how much of the question's ground it covers, and what it shares."""

    relevance: float
    found: Found
    shared_words: tuple[str, ...]
    shared_reasons: tuple[str, ...]
    same_area: bool


async def question_of(
    connection: Connection, teams: Teams, proposal_id: UUID, *, as_of: int | None = None
) -> Question | None:
    """This will ask for a proposal: for its last NO's ground or, before there is one, its title and case. None: it may not be seen."""
    where = Conditions(as_of).readable("p", teams).add("p.proposal_id = %(id)s", id=proposal_id)
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
    wanted = await words_of(connection, question)
    where, same = (earlier(alias, teams, question, dispositions, team_ids, as_of) for alias in ("x", "d"))
    found = await candidates(connection, question, wanted, where, same)
    weighed = _weighed(question, wanted, found, limit)
    told = await _told(connection, weighed, as_of)
    return [
        Precedent(*told[one.found.decision_id], one.relevance, one.shared_words, one.shared_reasons, one.same_area)
        for one in weighed
    ]


def _weighed(question: Question, wanted: dict[str, float], found: list[Found], limit: int) -> list[_Weighed]:
    """This will weigh the declines and give the most relevant first; of two alike the one with the higher id, so that it is settled."""
    # A word that no decline has is of the question's ground as well.
    having = [sum(one.words >> number & 1 for one in found) for number in range(len(wanted))]
    weights = [weight * log1p(len(found) / max(1, n)) for weight, n in zip(wanted.values(), having, strict=True)]
    numbered = list(enumerate(zip(wanted, weights, strict=True)))
    whole = fsum(weights)
    parts = (WORDS_COUNT * bool(whole), CODE_COUNTS * bool(question.codes), AREA_COUNTS * (question.area is not None))

    def weighed(one: Found) -> _Weighed:
        counted = {
            word: weight if one.telling >> number & 1 else weight / 2
            for number, (word, weight) in numbered
            if one.words >> number & 1
        }
        codes = tuple(code for code in one.codes if code in question.codes)
        same_area = question.area is not None and one.area == question.area
        covered = fsum(counted.values()) / whole if whole else 0.0
        relevance = fsum((parts[0] * covered, parts[1] * bool(codes), parts[2] * same_area)) / fsum(parts)
        shared = sorted(counted, key=lambda word: (-counted[word], word))
        return _Weighed(round(relevance, 6), one, tuple(shared), codes, same_area)

    return nlargest(limit, map(weighed, found), key=lambda one: (one.relevance, one.found.decision_id))


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
            "queries": [any_of(one.shared_words) for one in weighed],
            "how": EXCERPT,
        },
    )
    return {decision_id: (DECISIONS.decode(doc), excerpt) for decision_id, doc, excerpt in read}
