"""The words of the NOs in PostgreSQL's own index: what is found, what a redaction leaves, and what a hostile text can't break."""

from datetime import UTC, datetime
from uuid import uuid4

import psycopg

from ledger.events import proposal
from ledger.handlers.redaction import RedactionAsked, redact
from ledger.values import SYSTEM, DecisionId, Disposition, ProposalId, Reason, Verdict
from projections.audit import decisions, ground, precedents
from projections.audit.texts import SEARCHED_MAX
from projections.rebuild import rebuild
from tests.projections import story as told
from tests.projections.recording import Recorder
from tests.projections.story import VIEWS, ask, follow, named, tell

ODD, ODD_NO = ProposalId(named("odd")), DecisionId(named("odd no"))


def found(url: str, search: str, as_of: int | None = None) -> list[str]:
    wanted = decisions.NoFilter(dispositions=tuple(Disposition), search=search)
    listed = ask(url, lambda c: decisions.declined(c, None, wanted, limit=50, as_of=as_of))
    total = ask(url, lambda c: decisions.facets(c, None, wanted, names=(), as_of=as_of)).total
    assert total == len(listed)
    return [decision.title for decision in listed]


def decline(recorder: Recorder, title: str, text: str, case: str) -> None:
    no = proposal.DecisionTaken(ODD_NO, Verdict.NO, Disposition.DECLINE, reasons=(Reason("NOT_CLASSIFIED", text),))
    recorder.record((ODD, told.submitted(title)), (ODD, told.case(1, case)), (ODD, no))


def test_a_redaction_takes_the_words_out_of_the_search_and_its_index_in_every_state(
    database_url: str, recorder: Recorder
) -> None:
    tell(recorder)
    decline(recorder, "Numbers", "Jane Roe asked for it by telephone.", "Hours lost to zebras.")
    follow(database_url, recorder)
    head = recorder.ledger.head()
    assert found(database_url, "Roe telephone") == found(database_url, "Roe", head) == ["Numbers"]
    asked = RedactionAsked(head, SYSTEM, "a customer's name was in it", "GDPR Article 17(1)(d)")
    redact(recorder.ledger, database_url, asked, command_id=uuid4(), at=datetime.now(UTC))
    rebuild(database_url, recorder.ledger, VIEWS)
    assert found(database_url, "Roe") == found(database_url, "telephone", head) == []
    assert found(database_url, "zebras") == found(database_url, "redacted") == ["Numbers"]
    with psycopg.connect(database_url) as connection:
        left = connection.execute(
            "SELECT count(*) FROM views.audit_texts WHERE words::text ~ 'roe|telephon' OR reasons_text ~ 'Roe'"
            " OR position('Roe'::bytea IN doc) > 0"
        ).fetchone()
    assert left == (0,)


def test_words_that_are_written_oddly_are_stored_and_asked_for(database_url: str, recorder: Recorder) -> None:
    tell(recorder)
    quotes = "it's a 'quote' \\ and a & b | c ! <-> (d) \0 :* naïve Gefühle"
    decline(recorder, quotes.replace("\0", ""), quotes, "x" * (SEARCHED_MAX + 10) + " unseen")
    follow(database_url, recorder)
    assert found(database_url, "naïve Gefühle") == [quotes.replace("\0", "")]
    assert found(database_url, "\0 'quote' & | ! :*") == [quotes.replace("\0", "")]
    assert found(database_url, "unseen") == []  # behind more than is searched
    question = ground.Question(title=quotes, codes=("AREA_SUNSET",), area="component:default/checkout")
    alike = ask(database_url, lambda c: precedents.precedents(c, None, question, limit=5))
    assert alike[0].decision.decision_id == ODD_NO
    nothing = ground.Question()
    assert ask(database_url, lambda c: precedents.precedents(c, None, nothing, limit=5)) == []


def test_a_weight_of_a_word_falls_with_those_who_use_it(database_url: str, recorder: Recorder) -> None:
    tell(recorder)
    decline(recorder, "Zebra hours", "No.", "Hours lost.")
    follow(database_url, recorder)
    question = ground.Question(title="zebra hours")
    first, *others = ask(database_url, lambda c: precedents.precedents(c, None, question, limit=9))
    assert (first.decision.title, first.shared_words) == ("Zebra hours", ("zebra", "hour"))
    assert [one.shared_words for one in others] == [("hour",)]
    assert (first.relevance > 0.9, others[0].relevance < 0.5) == (True, True)
