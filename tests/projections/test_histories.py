"""The counts that the real histories' own description states, read from the views by one query each."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ledger.importing import import_histories
from ledger.importing.naming import Names
from ledger.store.application import Ledger
from ledger.store.migrations import migrate
from ledger.values import Disposition, ReopenCause
from projections.audit import decisions, story
from projections.rebuild import rebuild
from projections.transparency.counts import Transparency
from projections.transparency.queries import Period, transparency
from tests import databases
from tests.databases import Server
from tests.importing.conftest import histories
from tests.projections.story import VIEWS, ask

__all__ = ["histories"]

PEPS, KEPS = "python/peps", "kubernetes/enhancements"
SIP, XEPS = "Derek-Jones/SiP_dataset", "xsf/xeps"
NOW = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def url(histories: Path, server: Server) -> Iterator[str]:
    with server.admin() as admin, databases.database(server, admin) as found:
        migrate(found)
        with Ledger(found) as ledger:
            paths = [histories / name for name in ("peps.jsonl", "keps.jsonl", "sip_tasks.jsonl", "xeps.jsonl")]
            assert import_histories(ledger, found, paths).ok
            rebuild(found, ledger, VIEWS)
        yield found


def counted(url: str, system: str) -> Transparency:
    return ask(url, lambda c: transparency(c, None, Period(system=system), NOW))


def test_the_peps_are_counted_as_their_description_says(url: str) -> None:
    peps = counted(url, PEPS)
    assert (peps.proposed, peps.imported_proposals) == (738, 738)
    assert (peps.accepted, peps.declined, peps.postponed, peps.withdrawn) == (403, 143, 79, 77)
    assert (peps.estimate_changes, peps.proposals_with_estimate_changes, peps.proposals_estimated) == (163, 121, 533)
    assert (peps.superseded, peps.completed, peps.reopened) == (30, 392, 16)
    declines = peps.declines
    assert (declines.reasoned_when_decided, declines.unexplained_when_decided) == (101, 42)
    assert (declines.explained_later, declines.unexplained) == (7, 35)
    assert peps.postponements.reasoned_when_decided == 48


def test_the_keps_are_counted_as_their_description_says(url: str) -> None:
    keps = counted(url, KEPS)
    assert (keps.proposed, keps.accepted, keps.scoped_accepted) == (663, 518, 870)
    assert (keps.estimate_changes, keps.proposals_with_estimate_changes) == (605, 217)
    assert (keps.estimates_removed, keps.estimated, keps.proposals_estimated) == (75, 1246, 480)
    assert (keps.declined, keps.postponed, keps.withdrawn, keps.completed) == (3, 1, 10, 307)


def test_the_sip_tasks_are_counted_as_their_description_says(url: str) -> None:
    sip = counted(url, SIP)
    assert (sip.proposed, sip.accepted, sip.completed, sip.withdrawn) == (10_266, 3_376, 8_175, 166)
    assert (sip.estimated, sip.estimate_changes, sip.reasons) == (10_266, 0, ())
    undated = [month for month in sip.months if month.month is None]
    assert [month.accepted for month in undated] == [3_376]  # its decisions have no date
    assert sum(month.accepted for month in sip.months) == 3_376


def test_how_long_an_answer_took_is_not_reckoned_from_dates_that_the_source_does_not_have(url: str) -> None:
    sip, peps = counted(url, SIP).time_to_decision, counted(url, PEPS).time_to_decision
    assert (sip.count, sip.median_days) == (0, None)  # its proposals have a latest date only, and its decisions none
    assert peps.count > 400


def test_the_xeps_are_counted_as_their_description_says(url: str) -> None:
    xeps = counted(url, XEPS)
    assert (xeps.proposed, xeps.accepted, xeps.postponed, xeps.declined) == (517, 186, 295, 7)
    assert (xeps.postponements.proposals, xeps.postponements.reasoned_when_decided) == (245, 56)
    assert (xeps.reopened, xeps.proposals_reopened) == (110, 86)
    assert xeps.declines.unexplained == 7


def test_why_not_tells_the_story_of_pep_315(url: str) -> None:
    found = ask(url, lambda c: story.proposal_story(c, None, Names(PEPS).proposal("pep-0315"), NOW))
    assert found is not None
    assert found.proposal.title == "Enhanced While Loop"
    told = [
        (s.decision.disposition, s.decision.decided_at.date().isoformat(), s.decision.reasons[0].text)
        for s in found.decisions
    ]
    deferred = "Deferred; see\nhttp://mail.python.org/pipermail/python-dev/2006-February/060718.html"
    rejected = "Rejected; see\nhttp://mail.python.org/pipermail/python-ideas/2013-June/021610.html"
    assert told == [
        (Disposition.POSTPONE, "2006-02-24", deferred),
        (Disposition.POSTPONE, "2009-05-29", deferred),
        (Disposition.DECLINE, "2013-08-04", rejected),
    ]
    first, second, third = (s.decision for s in found.decisions)
    assert first.reopened is not None
    assert (first.reopened.because, first.reopened.at.date().isoformat()) == (ReopenCause.REPROPOSED, "2009-04-26")
    assert (second.standing, second.reopened, third.standing) == (False, None, True)
    assert found.latest_no is not None
    assert found.latest_no.decision == third
    assert found.latest_no.case is not None
    assert found.latest_no.estimate is not None
    assert found.latest_no.estimate.estimate is not None
    assert found.latest_no.estimate.estimate.value == "2.5"


def test_declined_finds_the_unexplained_and_the_explained_later(url: str) -> None:
    of_peps = decisions.NoFilter(systems=(PEPS,))
    unexplained = decisions.NoFilter(systems=(PEPS,), explained=False)
    later = decisions.NoFilter(systems=(PEPS,), explained_when_decided=False, explained=True)
    totals = [
        ask(url, lambda c, f=wanted: decisions.facets(c, None, f, names=())).total
        for wanted in (of_peps, unexplained, later)
    ]
    assert totals == [143, 35, 7]
