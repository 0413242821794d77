"""The words of each NO, kept so that PostgreSQL can search them: the title, the reasons, and the case as it read when it was answered.

The configuration is `english`: titles, reasons and cases are prose, and one who looks for "import" means "imports" and "imported" too.
`simple` would leave endings on and keep "the" and "of". A text in another language is found by its words as they are written, less
what English would take for an ending, which the question loses likewise.
"""

from datetime import datetime

from msgspec import Struct

from ledger.events.proposal import BusinessCaseRevised
from ledger.values import DecisionId, Disposition, ProposalId, Reason, TeamId
from projections.table import Column, Derived, Index, Table

#: What PostgreSQL knows of the language: how words end, and which say nothing.
LANGUAGE = "english"
#: Most characters of a text that are searched: more than a mebibyte of words would not fit a tsvector.
SEARCHED_MAX = 100_000


class CaseWords(Struct, frozen=True, array_like=True, gc=False):
    """The words of a proposal's latest business case, for the day on which it is answered."""

    proposal_id: ProposalId
    words: str


class NoWords(Struct, frozen=True, array_like=True, gc=False):
    """The words of a NO on a whole proposal. `case_text` is the case as it read then; `reasons_text` gains what was explained later."""

    decision_id: DecisionId
    proposal_id: ProposalId
    team_id: TeamId
    disposition: Disposition
    decided_at: datetime
    title: str
    reasons_text: str
    case_text: str


CASES = Table("audit_cases", CaseWords, key=("proposal_id",), columns=(Column("proposal_id", "uuid"),), by_stream=True)

TEXTS = Table(
    "audit_texts",
    NoWords,
    key=("decision_id",),
    columns=(
        Column("decision_id", "uuid"),
        Column("proposal_id", "uuid"),
        Column("team_id", "uuid"),
        Column("disposition", "text"),
        Column("decided_at", "timestamptz"),
        Column("title", "varchar"),
        Column("reasons_text", "varchar"),
        Column("case_text", "varchar"),
    ),
    derived=(
        # A word of the title weighs more than one of a reason, and that more than one of the case.
        Derived(
            "words",
            "tsvector",
            f"setweight(to_tsvector('{LANGUAGE}', title), 'A') || setweight(to_tsvector('{LANGUAGE}', reasons_text), 'B')"
            f" || setweight(to_tsvector('{LANGUAGE}', case_text), 'C')",
        ),
    ),
    indexes=(
        Index("words", current=False, method="gin"),
        # A word that many have is found by going back in time, and one within a team among the team's own.
        Index("decided_at, decision_id", current=False),
        Index("team_id", current=False),
        Index("proposal_id, decided_at", current=False),
    ),
)

#: As SQL: the words of what is looked for, which is %(search)s: all of them, "phrases", `or` and -not.
QUESTION = f"websearch_to_tsquery('{LANGUAGE}', %(search)s)"


def case_words(fact: BusinessCaseRevised) -> str:
    """This will give the words of a case: the problem and all that the quadrants say."""
    said = (
        fact.problem,
        *[benefit.text for benefit in fact.benefits_of_fixing],
        *fact.risks_of_fixing,
        *fact.benefits_of_ignoring,
        *[risk.text for risk in fact.risks_of_ignoring],
        fact.no_risks_of_fixing,
        fact.no_benefits_of_ignoring,
    )
    return "\n".join(filter(None, said))[:SEARCHED_MAX]


def reason_words(reasons: tuple[Reason, ...]) -> str:
    """This will give the words of reasons, and of what their codes ask for besides."""
    return "\n".join(text for reason in reasons for text in (reason.text, reason.companion) if text)[:SEARCHED_MAX]
