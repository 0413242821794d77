"""Mutations through HTTP, handlers, the log and back."""

from uuid import uuid4

from ledger.commands import derived_id
from ledger.values import Role
from tests.api.conftest import Api, case


def test_a_proposal_is_recorded_with_a_receipt(api: Api) -> None:
    team = api.team()
    ada = api.client(Role.ENGINEER, team)
    done = ada.do("submitProposal", teamId=str(team), title="One price engine", businessCase=case())
    assert done["userErrors"] == []
    assert done["version"] >= 1
    assert done["repeated"] is False
    assert int(done["position"]) == api.ledger.head() == int(done["receipt"]["facts"][-1]["position"])
    ((leaf,),) = api.sql("SELECT encode(leaf, 'hex') FROM ledger.events WHERE position = %s", int(done["position"]))
    assert done["receipt"]["facts"][-1]["leaf"] == leaf
