"""The counts that the histories' own description states, read from the log after they were imported."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.events import Event
from ledger.events.proposal import (
    BusinessCaseRevised,
    DecisionExplained,
    DecisionTaken,
    EstimateChanged,
    EstimateGiven,
    ProposalReopened,
    ProposalSubmitted,
    ProposalSuperseded,
    ProposalWithdrawn,
    SourceNoted,
    WorkCompleted,
    WorkStarted,
)
from ledger.importing import ImportReport, import_histories
from ledger.store.application import Ledger
from ledger.store.migrations import migrate
from ledger.values import Disposition, ProposalStatus, Verdict
from tests import databases
from tests.databases import Server
from tests.importing.told import Log

PEPS, KEPS = "python/peps", "kubernetes/enhancements"
SIP, XEPS = "Derek-Jones/SiP_dataset", "xsf/xeps"
FILES = ("peps.jsonl", "keps.jsonl", "sip_tasks.jsonl", "xeps.jsonl")


class Imported:
    """The four histories in one ledger, imported once for all tests here."""

    def __init__(self, report: ImportReport, again: ImportReport, log: Log) -> None:
        self.report, self.again, self.log = report, again, log

    def count(self, kind: type, system: str) -> int:
        return len(self.log.of(kind, system))

    def decisions(self, system: str, disposition: Disposition, *, scoped: bool = False) -> list[Event]:
        taken = self.log.of(DecisionTaken, system)
        return [e for e in taken if e.fact.disposition is disposition and (e.fact.scope is not None) is scoped]

    def statuses(self, system: str) -> Counter[ProposalStatus]:
        ours = {event.stream_id for event in self.log.of(ProposalSubmitted, system)}
        return Counter(state.status for stream, state in self.log.states().items() if stream in ours)


@pytest.fixture(scope="module")
def imported(histories: Path, server: Server) -> Iterator[Imported]:
    with server.admin() as admin, databases.database(server, admin) as url:
        migrate(url)
        with Ledger(url) as ledger:
            paths = [histories / name for name in FILES]
            report = import_histories(ledger, url, paths)
            again = import_histories(ledger, url, paths)
            yield Imported(report, again, Log(ledger))


def with_reason(events: list[Event]) -> int:
    return sum(all(reason.code == "NOT_CLASSIFIED" for reason in event.fact.reasons) for event in events)


def test_each_line_is_good_and_a_second_import_adds_nothing(imported: Imported) -> None:
    assert imported.report.ok
    assert [file.proposals_new for file in imported.report.files] == [738, 663, 10_266, 517]
    # 3,605 + 4,812 + 42,213 + 4,539 facts, and the business cases of 732, 649, none and 517 proposals
    assert [file.facts_recorded for file in imported.report.files] == [4_337, 5_461, 42_213, 5_056]
    assert (imported.again.ok, imported.again.facts_recorded, imported.again.events_recorded) == (True, 0, 0)


def test_peps(imported: Imported) -> None:
    accepted = imported.decisions(PEPS, Disposition.SCHEDULE)
    rejected = imported.decisions(PEPS, Disposition.DECLINE)
    deferred = imported.decisions(PEPS, Disposition.POSTPONE)
    assert (len(accepted), len(rejected), len(deferred)) == (403, 143, 79)
    assert sum(event.fact.decider is not None for event in accepted) == 98
    assert sum(event.fact.decider is not None for event in rejected) == 13
    assert (with_reason(rejected), len(rejected) - with_reason(rejected), with_reason(deferred)) == (101, 42, 48)
    explained = {event.fact.decision_id for event in imported.log.of(DecisionExplained, PEPS)}
    silent = {e.fact.decision_id for e in rejected if e.fact.reasons[0].code == "NOT_RECORDED"}
    assert (len(explained), len(silent), len(silent - explained)) == (7, 42, 35)
    withdrawn = imported.log.of(ProposalWithdrawn, PEPS)
    assert (len(withdrawn), sum(event.fact.reason is not None for event in withdrawn)) == (77, 52)
    superseded = imported.log.of(ProposalSuperseded, PEPS)
    assert (len(superseded), sum(event.fact.reason is not None for event in superseded)) == (30, 5)
    assert imported.count(WorkCompleted, PEPS) == 392
    assert imported.count(ProposalReopened, PEPS) == 16
    changed = imported.log.of(EstimateChanged, PEPS)
    assert (len(changed), len({event.stream_id for event in changed})) == (163, 121)
    assert imported.count(EstimateGiven, PEPS) == 533
    assert imported.count(BusinessCaseRevised, PEPS) == 732


def test_keps(imported: Imported) -> None:
    assert len(imported.decisions(KEPS, Disposition.SCHEDULE)) == 518
    assert len(imported.decisions(KEPS, Disposition.SCHEDULE, scoped=True)) == 870
    assert len(imported.decisions(KEPS, Disposition.DECLINE)) == 3
    assert len(imported.decisions(KEPS, Disposition.POSTPONE)) == 1
    assert with_reason(imported.decisions(KEPS, Disposition.DECLINE)) == 0
    assert imported.count(ProposalWithdrawn, KEPS) == 10
    assert imported.count(ProposalSuperseded, KEPS) == 6
    assert imported.count(WorkCompleted, KEPS) == 307
    given = imported.log.of(EstimateGiven, KEPS)
    assert (len(given), len({event.stream_id for event in given})) == (1_246, 480)
    changed = [event for event in imported.log.of(EstimateChanged, KEPS) if not event.fact.removed]
    assert (len(changed), len({event.stream_id for event in changed})) == (605, 217)
    assert sum(event.fact.removed for event in imported.log.of(EstimateChanged, KEPS)) == 75
    assert sum(event.fact.kind == "stage_changed" for event in imported.log.of(SourceNoted, KEPS)) == 478


def test_sip_tasks(imported: Imported) -> None:
    assert imported.count(EstimateGiven, SIP) == 10_266
    assert imported.count(EstimateChanged, SIP) == 0
    completed = imported.log.of(WorkCompleted, SIP)
    assert len(completed) == 8_175
    assert all(event.fact.actual_days is not None for event in completed)
    assert len(imported.decisions(SIP, Disposition.SCHEDULE)) == 3_376
    assert all(e.fact.decider and not e.source.is_dated for e in imported.decisions(SIP, Disposition.SCHEDULE))
    withdrawn = imported.log.of(ProposalWithdrawn, SIP)
    assert (len(withdrawn), sum(event.source.is_dated for event in withdrawn)) == (166, 19)
    assert not any(event.fact.without_yes for event in imported.log.of(WorkStarted, SIP))


def test_sip_tasks_stand_where_the_source_has_them_in_spite_of_their_dates(imported: Imported) -> None:
    statuses = imported.statuses(SIP)
    assert statuses[ProposalStatus.COMPLETED] == 8_175
    assert statuses[ProposalStatus.WITHDRAWN] == 166
    assert sum(statuses.values()) - 8_175 - 166 == 1_847 + 75 + 2 + 1


def test_xeps(imported: Imported) -> None:
    assert len(imported.decisions(XEPS, Disposition.SCHEDULE)) == 186
    deferred = imported.decisions(XEPS, Disposition.POSTPONE)
    assert (len(deferred), len({event.stream_id for event in deferred})) == (295, 245)
    texts = Counter(reason.text for event in deferred for reason in event.fact.reasons if reason.text)
    assert sum(texts.values()) == 56
    assert max(texts.values()) == 55
    reopened = imported.log.of(ProposalReopened, XEPS)
    assert (len(reopened), len({event.stream_id for event in reopened})) == (110, 86)
    rejected = imported.decisions(XEPS, Disposition.DECLINE)
    assert (len(rejected), with_reason(rejected)) == (7, 0)
    withdrawn, superseded = imported.log.of(ProposalWithdrawn, XEPS), imported.log.of(ProposalSuperseded, XEPS)
    assert (len(withdrawn), sum(event.fact.reason is not None for event in withdrawn)) == (40, 5)
    assert (len(superseded), sum(event.fact.reason is not None for event in superseded)) == (46, 27)
    retired = [event for event in imported.log.of(SourceNoted, XEPS) if event.fact.kind == "retired"]
    assert (len(retired), sum("reason: " in event.fact.text for event in retired)) == (22, 11)
    assert imported.count(WorkCompleted, XEPS) == 12


def test_a_proposal_that_came_back_tells_its_whole_story(imported: Imported) -> None:
    story = [
        (event.fact.disposition if isinstance(event.fact, DecisionTaken) else "REOPENED", f"{event.occurred_at:%Y-%m}")
        for event in imported.log.proposal("pep-0315", PEPS)
        if isinstance(event.fact, DecisionTaken | ProposalReopened)
    ]
    assert story == [
        (Disposition.POSTPONE, "2006-02"),
        ("REOPENED", "2009-04"),
        (Disposition.POSTPONE, "2009-05"),
        (Disposition.DECLINE, "2013-08"),
    ]
    told = [e.fact for e in imported.log.proposal("pep-0315", PEPS) if isinstance(e.fact, DecisionTaken)]
    assert all(fact.verdict is Verdict.NO and fact.reasons[0].text for fact in told)


def test_no_address_and_no_name_of_a_decider_is_in_the_envelope_of_a_decision(imported: Imported) -> None:
    by_scope: dict[str, int] = defaultdict(int)
    for event in imported.log.of(DecisionTaken, KEPS):
        assert event.fact.decider is None or event.fact.decider.version == 5
        by_scope[(event.fact.scope or "").partition(",")[0]] += 1
    assert by_scope["production readiness"] == 870


def test_what_was_known_is_never_later_in_the_log_than_what_was_known_after_it(imported: Imported) -> None:
    for system in (PEPS, KEPS, XEPS):
        known = [
            e.source.known_at
            for e in imported.log.events
            if e.source and e.source.system == system and isinstance(e.fact, DecisionTaken | EstimateChanged)
        ]
        assert known == sorted(known)
