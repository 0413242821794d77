"""What a source says, in our facts: nothing made up, nothing that matters lost (rule 17)."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import psycopg
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
from ledger.events.team import TeamFormed
from ledger.importing import ImportReport
from ledger.importing.naming import IMPORTER, Names
from ledger.values import Dating, Disposition, EffortUnit, ProposalStatus, Reason, Role, Verdict
from tests.importing.told import Log, proposal

NAMES = Names("example/orchard")
Load = Callable[..., ImportReport]


def member(name: str):
    return NAMES.person(name).member_id


def on(year: int, month: int, day: int, hour: int = 0) -> datetime:
    return datetime(year, month, day, hour, tzinfo=UTC)


@pytest.fixture
def told(load: Load, log: Callable[[], Log], orchard: Path) -> Log:
    report = load(orchard)
    assert report.ok
    assert (report.files[0].proposals, report.files[0].proposals_new) == (4, 4)
    return log()


def only(told: Log, external_id: str, kind: type) -> list[Event]:
    return [event for event in told.proposal(external_id) if type(event.fact) is kind]


def test_each_source_has_a_team_that_says_so(told: Log) -> None:
    (formed,) = told.of(TeamFormed)
    assert formed.fact == TeamFormed("example/orchard", source="example/orchard")
    assert formed.stream_id == NAMES.team_id


def test_a_submission_names_its_proposers_by_id(told: Log) -> None:
    (event,) = only(told, "apple-0001", ProposalSubmitted)
    assert event.fact == ProposalSubmitted(
        NAMES.team_id,
        "Graft the old trees before the roots split",
        member("Ines Quince"),
        "component:default/orchard",
        "Trees",
        (member("Odo Medlar"),),
    )
    assert event.version == 1
    assert (event.actor.member_id, event.actor.role) == (IMPORTER, Role.INTEGRATOR)


def test_people_are_in_the_directory_and_their_names_are_nowhere_else(told: Log, database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        names = dict(connection.execute("SELECT member_id, name FROM directory.members").fetchall())
        log = b"".join(row[0] for row in connection.execute("SELECT meta || payload FROM ledger.events").fetchall())
    assert {names[member(name)] for name in ("Ines Quince", "Odo Medlar", "Bea Sloe", "worker-3", "@hum")} == {
        "Ines Quince",
        "Odo Medlar",
        "Bea Sloe",
        "worker-3",
        "@hum",
    }
    for name in (b"Ines Quince", b"Odo Medlar", b"Bea Sloe", b"worker-1", b"@hum"):
        assert name not in log


def test_whoever_was_erased_from_the_directory_stays_erased(load: Load, orchard: Path, database_url: str) -> None:
    load(orchard)
    with psycopg.connect(database_url, autocommit=True) as connection:
        erase = "UPDATE directory.members SET name = NULL, erased_at = now() WHERE member_id = %s"
        connection.execute(erase, [member("Ines Quince")])
        load(orchard)
        found = connection.execute(
            "SELECT name FROM directory.members WHERE member_id = %s", [member("Ines Quince")]
        ).fetchone()
    assert found == (None,)


def test_a_case_has_its_own_time_and_is_whole_in_the_problem(told: Log) -> None:
    (event,) = only(told, "apple-0001", BusinessCaseRevised)
    assert event.fact == BusinessCaseRevised(1, "The old trees split in frost, and each split costs a harvest.")
    assert event.occurred_at == on(2019, 3, 2, 9)
    assert event.source
    assert event.source.external_id == "apple-0001#business_case"


def test_a_case_without_a_date_comes_last_and_is_marked(told: Log) -> None:
    event = told.proposal("apple-0004")[-1]
    assert event.fact == BusinessCaseRevised(1, "A white wall ripens pears.", change_note="truncated: true")
    assert event.source
    assert (event.source.dating, event.source.known_at) == (Dating.UNDATED, None)


def test_hours_become_days_beside_the_figure_of_the_source(told: Log) -> None:
    (given,) = only(told, "apple-0001", EstimateGiven)
    assert given.fact == EstimateGiven(1, None, Decimal("2.5"), None, EffortUnit.HOURS, "20")
    assert given.source
    assert given.source.url == "https://example.org/pull/7"
    (changed,) = only(told, "apple-0001", EstimateChanged)
    assert changed.fact == EstimateChanged(2, None, Decimal("3.8125"), None, EffortUnit.HOURS, "30.5", "20")


def test_targets_and_points_have_no_days(told: Log) -> None:
    target, points = only(told, "apple-0003", EstimateGiven)
    assert target.fact == EstimateGiven(
        1, None, None, None, EffortUnit.TARGET, "v2.0", "beta", note="estimate.unit: target_release"
    )
    assert points.fact == EstimateGiven(2, None, None, None, EffortUnit.POINTS, "5")
    (removed,) = only(told, "apple-0003", EstimateChanged)
    assert removed.fact == EstimateChanged(
        3, None, None, None, EffortUnit.TARGET, None, "v2.0", "beta", True, note="estimate.unit: target_release"
    )


def test_an_estimate_in_a_unit_of_nobodys_is_kept_in_the_words_of_the_source(told: Log) -> None:
    notes = [e.fact for e in only(told, "apple-0003", SourceNoted)]
    assert SourceNoted("estimated", 'estimate: {"value":3,"unit":"fortnights"}') in notes


def test_a_deferral_is_a_no_with_the_words_of_the_source(told: Log) -> None:
    deferral, rejection = only(told, "apple-0001", DecisionTaken)
    text = "Nobody has the long ladder before autumn; the neighbours lent it out.\nAsk again then."
    assert isinstance(deferral.fact, DecisionTaken)
    assert (deferral.fact.verdict, deferral.fact.disposition) == (Verdict.NO, Disposition.POSTPONE)
    assert deferral.fact.reasons == (Reason("NOT_CLASSIFIED", text),)
    assert (deferral.fact.decider, deferral.fact.verdict_raw) == (member("Bea Sloe"), "Deferred")
    assert (deferral.fact.basis, deferral.fact.review_id, deferral.fact.revisit) == (None, None, ())
    assert isinstance(rejection.fact, DecisionTaken)
    assert rejection.fact.reasons == (Reason("NOT_RECORDED", ""),)
    assert rejection.fact.decider is None


def test_what_a_decision_has_no_field_for_stands_beside_it(told: Log) -> None:
    (deferral, _) = only(told, "apple-0001", DecisionTaken)
    beside = [e.fact for e in told.events if e.command_id == deferral.command_id][1:]
    assert beside == [SourceNoted("decided", 'reason_source: section "Deferral"\nby_source: header Delegate')]


def test_a_decision_recorded_late_keeps_both_times(told: Log) -> None:
    (_, rejection) = only(told, "apple-0001", DecisionTaken)
    assert rejection.occurred_at == on(2019, 11, 1)
    assert rejection.source
    assert rejection.source.known_at == on(2020, 1, 15, 12)
    assert (rejection.source.dating, rejection.source.dated_by) == (Dating.DAY, "header Resolution")


def test_a_later_reason_stands_beside_the_decision(told: Log) -> None:
    (_, rejection) = only(told, "apple-0001", DecisionTaken)
    (explained,) = only(told, "apple-0001", DecisionExplained)
    assert isinstance(rejection.fact, DecisionTaken)
    assert explained.fact == DecisionExplained(
        rejection.fact.decision_id, (Reason("NOT_CLASSIFIED", "Half of the trees had died by then."),)
    )


def test_a_return_says_why(told: Log) -> None:
    (event,) = only(told, "apple-0001", ProposalReopened)
    assert isinstance(event.fact, ProposalReopened)
    assert event.fact.because == "REPROPOSED"
    assert event.fact.note == "status_raw: Deferred → Draft\ncommit_message: the ladder is back"


def test_nothing_stands_before_its_proposal_yet_keeps_when_it_was_known(told: Log) -> None:
    posted = told.proposal("apple-0001")[1:3]
    (note,) = [e for e in posted if e.fact == SourceNoted("posted", "")]
    assert note.occurred_at == on(2019, 2, 20)
    assert note.source
    assert note.source.known_at == on(2019, 2, 20)
    assert note.source.external_id == "apple-0001#2"


def test_facts_stand_in_the_order_of_knowing_over_all_proposals(told: Log) -> None:
    numbers = [e.source.external_id for e in told.events if e.source and e.source.external_id.startswith("apple-0002")]
    assert numbers == [f"apple-0002#{n}" for n in (1, 2, 3, 4, 5)]
    known = [e.source.known_at for e in told.of(DecisionTaken) if e.source and e.source.known_at]
    assert known == sorted(known)


def test_an_authorisation_without_a_date_stands_after_what_came_before_it(told: Log) -> None:
    (decided,) = only(told, "apple-0002", DecisionTaken)
    assert isinstance(decided.fact, DecisionTaken)
    assert (decided.fact.verdict, decided.fact.verdict_raw) == (Verdict.YES, "initials on the slip")
    assert decided.fact.reasons == ()
    assert decided.occurred_at == on(2019, 5, 2)
    assert decided.source
    assert (decided.source.dating, decided.source.known_at, decided.source.is_dated) == (Dating.UNDATED, None, False)


def test_a_date_by_which_is_marked_as_a_bound(told: Log) -> None:
    submitted = told.proposal("apple-0002")[0]
    assert submitted.occurred_at == on(2019, 5, 2)
    assert submitted.source
    assert (submitted.source.dating, submitted.source.is_dated) == (Dating.NOT_AFTER, False)
    upper = told.proposal("apple-0003")[0]
    assert upper.source
    assert upper.source.dating is Dating.NOT_AFTER


def test_work_has_its_hours_and_whoever_did_it(told: Log) -> None:
    (started,) = only(told, "apple-0002", WorkStarted)
    assert started.fact == WorkStarted(note=f"by: member:{member('worker-3')}")
    (completed,) = only(told, "apple-0002", WorkCompleted)
    assert completed.fact == WorkCompleted(Decimal("0.9375"), EffortUnit.HOURS, "7.5", "status_raw: DONE")


def test_work_is_without_a_yes_only_where_the_source_has_a_no(told: Log) -> None:
    (started,) = only(told, "apple-0003", WorkStarted)
    assert started.fact == WorkStarted(without_yes=True)


def test_the_other_verdicts_are_a_no_that_can_be_told_apart(told: Log) -> None:
    scoped, duplicate, invalid, rejected = [e.fact for e in only(told, "apple-0003", DecisionTaken)]
    assert isinstance(scoped, DecisionTaken)
    assert isinstance(duplicate, DecisionTaken)
    assert isinstance(invalid, DecisionTaken)
    assert (scoped.verdict, scoped.scope, scoped.decider) == (Verdict.YES, "bee safety, beta", member("@hum"))
    assert duplicate.reasons == (Reason("DUPLICATE", "", "https://example.org/orchard/apple-0002"),)
    assert (invalid.disposition, invalid.verdict_raw) == (Disposition.DECLINE, "invalid")
    assert isinstance(rejected, DecisionTaken)
    assert rejected.reasons == (Reason("NOT_RECORDED", ""),)


def test_a_successor_is_named_where_the_source_names_exactly_one(told: Log) -> None:
    (event,) = only(told, "apple-0003", ProposalSuperseded)
    assert event.fact == ProposalSuperseded(NAMES.proposal("apple-0001"), "Grafting counts them anyway.")


def test_what_none_of_ours_says_is_kept_word_for_word(told: Log) -> None:
    notes = [e.fact for e in only(told, "apple-0003", SourceNoted)]
    assert SourceNoted("scheduled", 'sprint: {"name":"9"}') in notes
    assert SourceNoted("retired", "reason: The hives are gone.") in notes
    assert SourceNoted("danced", "tune: a slow one") in notes


def test_hours_spent_in_vain_are_kept(told: Log) -> None:
    (event,) = only(told, "apple-0004", ProposalWithdrawn)
    assert event.fact == ProposalWithdrawn("The wall fell.", Decimal("0.5"))
    assert event.source
    assert event.source.dating is Dating.UNDATED


def test_an_estimate_of_what_was_spent_in_vain_is_kept(
    load: Load, log: Callable[[], Log], written: Callable[..., Path]
) -> None:
    hours = {"value": 4, "unit": "hours"}
    load(written(proposal("pear-1", {"type": "withdrawn", "at": "2020-09-01", "estimate": hours})))
    (withdrawn,), (noted,) = log().of(ProposalWithdrawn), log().of(SourceNoted)
    assert withdrawn.fact == ProposalWithdrawn(None, Decimal("0.5"))
    assert noted.fact == SourceNoted("withdrawn", 'estimate: {"value":4,"unit":"hours"}')


def test_the_statuses_are_those_of_the_source(told: Log) -> None:
    states = told.states()
    found = {number: states[NAMES.proposal(f"apple-000{number}")].status for number in range(1, 5)}
    assert found == {
        1: ProposalStatus.DECLINED,
        2: ProposalStatus.COMPLETED,
        3: ProposalStatus.SUPERSEDED,
        4: ProposalStatus.WITHDRAWN,
    }


def test_dates_against_the_order_of_the_source_do_not_change_its_logic(
    load: Load, log: Callable[[], Log], written: Callable[..., Path]
) -> None:
    backwards = proposal("pear-1", {"type": "started", "at": "2020-09-01"}, {"type": "completed", "at": "2020-08-01"})
    load(written(backwards))
    told = log()
    (state,) = told.states().values()
    assert state.status is ProposalStatus.COMPLETED
    completed = told.of(WorkCompleted)[0]
    assert completed.occurred_at == on(2020, 8, 1)
    assert completed.source
    assert completed.source.known_at == on(2020, 8, 1)
