"""A fact that one view can't make sense of, in a served ledger."""

import logging
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from ledger.app import composition, create_app
from ledger.events.proposal import ProposalWithdrawn
from ledger.settings import Settings
from ledger.store.application import Ledger
from ledger.values import Role
from projections.backlog import projector as backlog
from projections.catalogue import VIEWS
from projections.projector import PoisonFact, View
from projections.storing import Storing
from tests.api.conftest import Api, case, served
from tests.faults.asking import caught_up
from tests.faults.cluster import until
from tests.faults.figures import Figures
from tests.faults.oracle import examine


def refuse(*_: Any) -> None:
    raise ValueError("this withdrawal is poison")


ON = {**backlog.VIEW.on, ProposalWithdrawn: refuse}
POISONED = View(backlog.VIEW.name, backlog.VIEW.tables, ON, version=backlog.VIEW.version)
BACKLOG = "query B($at: Position) { backlog(first: 10, atLeast: $at) { nodes { proposalId } } }"
TIMELINE = "query T($of: UUID!, $at: Position) { timeline(of: $of, first: 10, atLeast: $at) { nodes { kind } } }"


def test_it_stops_its_view_with_an_alarm_and_the_others_go_on(
    settings: Settings,
    tmp_path: Path,
    figures: Figures,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert settings.database_url is not None
    views = tuple(POISONED if view.name == POISONED.name else view for view in VIEWS)
    monkeypatch.setattr(composition, "VIEWS", views)
    with Ledger(settings.database_url) as ledger:
        with caplog.at_level(logging.CRITICAL), served(create_app(settings), settings) as base_url:
            api = Api(settings.database_url, base_url, ledger)
            team = api.team()
            engineer, proposal = api.client(Role.ENGINEER, team), str(uuid4())
            with engineer.http:  # closed in a planted break too
                given = {"proposalId": proposal, "teamId": str(team), "title": "Debt", "businessCase": case()}
                before = engineer.do("submitProposal", **given)["position"]
                assert engineer.ask(BACKLOG, at=before)["backlog"]["nodes"] == [{"proposalId": proposal}]
                at = engineer.do("withdrawProposal", proposalId=proposal)["position"]
                error = engineer.error(BACKLOG, at=at)
                assert error["extensions"]["code"] == "VIEW_LATE"
                assert error["message"].endswith("It has stopped at a fact and needs an operator.")
                kinds = engineer.ask(TIMELINE, of=proposal, at=at)["timeline"]["nodes"]
                assert kinds[-1] == {"kind": "ProposalWithdrawn"}
                ready = httpx.get(f"{base_url}/health/ready")
                assert (ready.status_code, ready.json()["views"]) == (503, "stopped")
                (alarm,) = [record.getMessage() for record in caplog.records if record.levelno == logging.CRITICAL]
                assert alarm == f"view backlog has stopped before position {at}; the other views go on"
        monkeypatch.undo()
        with served(create_app(settings), settings) as base_url:
            until(lambda: httpx.get(f"{base_url}/health/ready").status_code == 200)
            caught_up(api)
    figures.survived("a poison fact", examine(settings.database_url, views=VIEWS), more=f"alarm: {alarm}")


def test_a_follower_that_skips_it_and_goes_on_is_found_out(
    settings: Settings,
    tmp_path: Path,
    figures: Figures,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """So that the test above can fail."""
    whole = Storing.store

    def skipping(self: Storing, connection: Any, events: Any) -> None:
        with suppress(PoisonFact):
            whole(self, connection, events)

    check = test_it_stops_its_view_with_an_alarm_and_the_others_go_on
    with pytest.MonkeyPatch.context() as planted:
        planted.setattr(Storing, "store", skipping)
        given = (settings, tmp_path, figures, monkeypatch, caplog)
        figures.found_out("a follower that skips the poison fact and goes on", "errors", check, *given)
