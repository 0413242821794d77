"""How good the reasons are, and whose name stands beside them for whom."""

from collections.abc import Iterator
from typing import Any

import pytest

from ledger.events import proposal
from ledger.settings import Settings
from ledger.store.application import Ledger
from ledger.values import (
    AppealGrounds,
    AppealId,
    DecisionId,
    Disposition,
    MemberId,
    Reason,
    ReopenCause,
    Role,
    Verdict,
)
from tests.api.conftest import Api, Client
from tests.api.test_audit_fields import known
from tests.projections import story as told
from tests.projections.recording import Recorder
from tests.projections.story import named, tell

QUALITY = """query ($asOf: AsOf, $atLeast: Position, $teamIds: [UUID!], $since: DateTime) {
  reasonQuality(asOf: $asOf, atLeast: $atLeast, teamIds: $teamIds, since: $since) {
    overall { ...figures } teams { teamId teamName ...figures } deciders { decider { memberId } ...figures } decidersHidden } }
fragment figures on ReasonQuality { noes live other shareOther unexplained appealed overturned shareOverturned repeated told
  medianHoursToTell neverAcknowledged shareNeverAcknowledged reasons { code count share } }"""
OVERTURNED, AGAIN = DecisionId(named("overturned")), DecisionId(named("again"))
CLEO = MemberId(named("cleo"))


def overturn(r: Recorder) -> None:
    """A NO of Cleo's for OTHER on an idea, an appeal upheld, and the same NO again."""
    other = (Reason("OTHER", "It does not fit into the quarter's plan at all."),)
    no = proposal.DecisionTaken(OVERTURNED, Verdict.NO, Disposition.DECLINE, reasons=other, decider=CLEO)
    appeal = AppealId(named("second appeal"))
    lodged = proposal.AppealLodged(appeal, OVERTURNED, told.ANA, AppealGrounds.PROCEDURE, "Nobody asked us.")
    again = proposal.DecisionTaken(AGAIN, Verdict.NO, Disposition.DECLINE, reasons=other, decider=CLEO)
    r.record((told.UNSEEN, no))
    r.record((told.UNSEEN, lodged))
    reopened = proposal.ProposalReopened(
        ReopenCause.REPROPOSED
    )  # before the appeal is heard: it overturns the NO all the same
    r.record((told.UNSEEN, reopened), (told.UNSEEN, proposal.AppealUpheld(appeal, told.BEN, "True.")))
    r.record((told.UNSEEN, again))


@pytest.fixture
def head(api: Api, settings: Settings) -> Iterator[int]:
    assert settings.database_url is not None
    ledger = Ledger(settings.database_url)
    recorder = Recorder(ledger)
    tell(recorder)
    overturn(recorder)
    yield ledger.head()
    ledger.close()


def quality(client: Client, head: int, **given: Any) -> Any:
    return client.ask(QUALITY, atLeast=str(head), **given)["reasonQuality"]


@pytest.fixture
def auditor(api: Api, head: int) -> Client:
    return known(api, api.client(Role.AUDITOR))


def test_it_counts_the_mix_the_overturned_the_repeated_and_the_untold(auditor: Client, head: int) -> None:
    overall = quality(auditor, head)["overall"]
    assert (overall["noes"], overall["live"], overall["unexplained"]) == (7, 5, 0)
    assert (overall["other"], overall["shareOther"]) == (2, 2 / 7)
    assert (overall["appealed"], overall["overturned"], overall["shareOverturned"]) == (2, 1, 1 / 7)
    assert overall["repeated"] == 2  # PEP 315 and the overturned one
    assert (overall["told"], overall["neverAcknowledged"], overall["shareNeverAcknowledged"]) == (1, 4, 0.8)
    assert overall["medianHoursToTell"] == pytest.approx(24, abs=0.2)
    assert overall["reasons"][0] == {"code": "OTHER", "count": 2, "share": 2 / 7}
    assert {one["code"] for one in overall["reasons"]} >= {"AREA_SUNSET", "NOT_RECORDED"}


def test_a_team_has_its_own_figures_under_its_name(auditor: Client, head: int) -> None:
    teams = {team["teamName"]: team for team in quality(auditor, head)["teams"]}
    assert (teams["checkout"]["noes"], teams["checkout"]["repeated"]) == (5, 1)
    assert (teams["search"]["noes"], teams["search"]["live"], teams["search"]["medianHoursToTell"]) == (2, 0, None)


def test_an_auditor_and_a_steward_see_deciders_by_name_and_others_themselves_alone(
    api: Api, auditor: Client, head: int
) -> None:
    steward = known(api, api.client(Role.STEWARD))
    for client in (auditor, steward):
        found = quality(client, head)
        assert {one["decider"]["memberId"]: one["noes"] for one in found["deciders"]} == {
            str(told.BEN): 3,
            str(CLEO): 2,
        }
        assert found["decidersHidden"] == 0
    machine = known(api, api.client(Role.INTEGRATOR))
    manager = known(api, api.client(Role.PRODUCT_MANAGER, told.TEAM))
    for client in (machine, manager):
        found = quality(client, head)
        assert (found["deciders"], found["decidersHidden"], found["overall"]["other"]) == ([], 2, 2)


def test_a_decider_sees_their_own_figures(api: Api, head: int) -> None:
    manager = api.client(Role.PRODUCT_MANAGER, told.TEAM)
    recorder = Recorder(api.ledger)
    recorder.versions[told.CARRIED] = len(api.ledger.events(told.CARRIED))
    own = proposal.DecisionTaken(
        DecisionId(named("own")), Verdict.NO, Disposition.DECLINE, reasons=(), decider=manager.member_id
    )
    recorder.record((told.CARRIED, own))
    found = quality(known(api, manager), api.ledger.head())
    assert [one["decider"]["memberId"] for one in found["deciders"]] == [str(manager.member_id)]
    assert (found["deciders"][0]["noes"], found["decidersHidden"]) == (1, 2)


def test_as_of_then_an_appeal_was_not_upheld_yet(auditor: Client, head: int) -> None:
    quality(auditor, head)
    then = auditor.ask(QUALITY, asOf={"position": str(head - 3)})["reasonQuality"]["overall"]
    assert (then["noes"], then["overturned"], then["appealed"], then["repeated"]) == (6, 0, 2, 1)


def test_a_member_of_another_team_counts_nothing(api: Api, head: int) -> None:
    stranger = known(api, api.client(Role.PRODUCT_MANAGER, api.team("Payments")))
    found = quality(stranger, head)
    assert (found["overall"]["noes"], found["overall"]["shareOther"], found["teams"], found["decidersHidden"]) == (
        0,
        None,
        [],
        0,
    )
