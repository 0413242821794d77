"""What a source knew by an instant, through the real API."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ledger.events import proposal, team
from ledger.importing.naming import Names
from ledger.values import (
    DecisionId,
    Disposition,
    ProposalId,
    Reason,
    ReopenCause,
    RevisitCondition,
    RevisitKind,
    Role,
    Source,
    TeamId,
    Verdict,
)
from tests.api.conftest import Api, Client
from tests.api.test_audit_fields import known
from tests.projections.recording import Recorder
from tests.projections.story import named

ABACUS, ORCHARD, SILENT = (TeamId(named(name)) for name in ("abacus", "orchard", "silent"))
TEAMS = ((ABACUS, "abacus"), (ORCHARD, "orchard"), (SILENT, "silent"))
FIRST, SECOND, OTHER = (ProposalId(named(f"known {n}")) for n in range(3))
WHY = """query ($id: UUID!, $asOf: AsOf) { whyNot(proposalId: $id, asOf: $asOf) {
  proposal { title } latestNo { decision { reasons { text } } conditions { missing unit } } } }"""
PROPOSED = """query ($asOf: AsOf) { transparency(asOf: $asOf) { proposed declined } }"""


def year(number: int) -> datetime:
    return datetime(number, 1, 1, tzinfo=UTC)


def source(system: str, number: int) -> Source:
    return Source(system, f"{system}-{number}", None, None, year(number))


@pytest.fixture
def auditor(api: Api) -> Client:
    """Two sources' histories, the one imported after the other."""
    r = Recorder(api.ledger)
    r.record(*((id_, team.TeamFormed(name.title(), source=name)) for id_, name in TEAMS))
    revisit = (RevisitCondition(RevisitKind.DATE, on=year(2004) + timedelta(days=10)),)
    deferred = proposal.DecisionTaken(
        DecisionId(named("deferred")),
        Verdict.NO,
        Disposition.POSTPONE,
        reasons=(Reason("NOT_CLASSIFIED", "Not this year."),),
        revisit=revisit,
    )
    rejected = proposal.DecisionTaken(
        DecisionId(named("rejected")), Verdict.NO, Disposition.DECLINE, reasons=(Reason("NOT_CLASSIFIED", "Never."),)
    )
    r.record((FIRST, proposal.ProposalSubmitted(ABACUS, "Beads", None)), source=source("abacus", 2001))
    r.record((FIRST, deferred), source=source("abacus", 2003))
    r.record((SECOND, proposal.ProposalSubmitted(ABACUS, "Wires", None)), source=source("abacus", 2005))
    r.record(
        (FIRST, proposal.ProposalReopened(ReopenCause.REPROPOSED)), (FIRST, rejected), source=source("abacus", 2007)
    )
    r.record((OTHER, proposal.ProposalSubmitted(ORCHARD, "Trees", None)), source=source("orchard", 2002))
    found = known(api, api.client(Role.AUDITOR))
    found.ask("query ($at: Position) { declined(atLeast: $at) { totalCount } }", at=str(api.ledger.head()))
    return found


def as_of(at: datetime, system: str | None = None) -> dict[str, Any]:
    return {"knownAt": {"at": at.isoformat(), "source": system}}


def test_what_the_source_recorded_later_is_not_told(auditor: Client) -> None:
    then = auditor.ask(WHY, id=str(FIRST), asOf=as_of(year(2004), "abacus"))["whyNot"]["latestNo"]
    assert [reason["text"] for reason in then["decision"]["reasons"]] == ["Not this year."]
    now = auditor.ask(WHY, id=str(FIRST))["whyNot"]["latestNo"]
    assert [reason["text"] for reason in now["decision"]["reasons"]] == ["Never."]
    assert auditor.error(WHY, id=str(SECOND), asOf=as_of(year(2004)))["extensions"]["code"] == "NOT_FOUND"
    assert auditor.ask(WHY, id=str(SECOND), asOf=as_of(year(2005)))["whyNot"]["proposal"]["title"] == "Wires"


def test_ages_are_reckoned_from_the_instant_asked_for(auditor: Client) -> None:
    then = auditor.ask(WHY, id=str(FIRST), asOf=as_of(year(2004)))["whyNot"]["latestNo"]
    assert then["conditions"] == [{"missing": 10, "unit": "days"}]


def test_every_source_together_shows_no_more_than_all_of_them_knew(auditor: Client) -> None:
    def proposed(at: datetime, system: str | None = None) -> int:
        return int(auditor.ask(PROPOSED, asOf=as_of(at, system))["transparency"]["proposed"])

    assert proposed(year(2000)) == 0
    assert proposed(year(2004)) == 1  # the orchard's was imported after what the abacus learned later
    assert proposed(year(2004), "orchard") == 3
    assert proposed(year(2001), "orchard") == 2
    assert proposed(year(2030)) == 3
    # A name misspelt would show everything, with hindsight.
    for system, said in (("nobody", "There are: abacus, orchard, silent."), ("silent", "never says when it knew")):
        error = auditor.error(PROPOSED, asOf=as_of(year(2030), system))
        assert error["extensions"]["code"] == "BAD_USER_INPUT"
        assert said in error["message"]


def test_a_member_is_told_nothing_of_when_another_teams_source_knew(api: Api, auditor: Client) -> None:
    member = known(api, api.client(Role.ENGINEER, ABACUS))
    assert member.ask(PROPOSED, asOf=as_of(year(2004), "abacus"))["transparency"]["proposed"] == 1
    said = [member.error(PROPOSED, asOf=as_of(year(2004), system)) for system in ("orchard", "nobody")]
    assert said[0] == said[1]
    assert "There are: abacus. Check" in said[0]["message"]


BY_SOURCES = (
    "query ($source: String!, $at: Position) { transparency(source: $source, atLeast: $at) { proposed } }",
    'query ($source: String!, $at: Position) { declined(filter: {sources: ["abacus", $source]}, atLeast: $at) { totalCount } }',
)


@pytest.mark.parametrize("text", BY_SOURCES)
def test_a_source_that_nobody_imported_is_refused_with_those_that_are_there(
    api: Api, auditor: Client, text: str
) -> None:
    asked = {"at": str(api.ledger.head())}
    assert auditor.ask(text, source="orchard", **asked)
    error = auditor.error(text, source="nobody", **asked)
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert "nothing that you may see came from this source. There are: abacus, orchard, silent. " in error["message"]
    # A member hears of their own teams' sources alone.
    member = known(api, api.client(Role.ENGINEER, api.team("Payments")))
    assert "There are none." in member.error(text, source="orchard", **asked)["message"]


def test_exactly_one_past_state_is_asked_for(auditor: Client) -> None:
    error = auditor.error(PROPOSED, asOf={**as_of(year(2004)), "position": "1"})
    assert error["extensions"]["code"] in {"BAD_USER_INPUT", "GRAPHQL_VALIDATION_FAILED"}


BY_SOURCE = """query ($source: SourceItem, $id: UUID) { proposal(source: $source, proposalId: $id) { proposalId title }
  whyNot(source: $source, proposalId: $id) { latestNo { decision { reasons { text } } } } }"""


def test_an_imported_proposal_is_found_by_its_sources_own_id(api: Api) -> None:
    names = Names("python/peps")
    r = Recorder(api.ledger)
    own = names.proposal("pep-0315")
    whence = Source("python/peps", "pep-0315", None, None, year(2003))
    r.record((own, proposal.ProposalSubmitted(names.team_id, "Enhanced While Loop", None)), source=whence)
    client = known(api, api.client(Role.AUDITOR))
    client.ask(
        "query ($at: Position) { proposals(proposalIds: [], atLeast: $at) { title } }", at=str(api.ledger.head())
    )
    found = client.ask(BY_SOURCE, source={"name": "python/peps", "externalId": "pep-0315"})
    assert found["proposal"] == {"proposalId": str(own), "title": "Enhanced While Loop"}
    nobody = client.answer(BY_SOURCE, source={"name": "python/peps", "externalId": "pep-9999"})
    assert nobody["errors"][0]["extensions"]["code"] == "NOT_FOUND"
    for given in ({}, {"id": str(own), "source": {"name": "python/peps", "externalId": "pep-0315"}}):
        assert "either proposalId or source" in client.answer(BY_SOURCE, **given)["errors"][0]["message"]
