"""Proofs through the API: a client verifies them by itself, and an auditor has the ledger checked."""

from uuid import uuid4

import psycopg
import pytest

from ledger.store.integrity.tree import verify_consistency, verify_inclusion
from ledger.values import Role
from tests.api.conftest import Api
from tests.integrity.conftest import do

INCLUSION = "query I($at: Position!, $size: Position) { inclusionProof(position: $at, treeSize: $size) { leaf treeSize root hashes } }"
CONSISTENCY = "query C($first: Position!) { consistencyProof(first: $first) { firstRoot second secondRoot hashes } }"
VERIFY = """query V($start: Position, $count: Int! = 1000, $at: Position) {
    verify(start: $start, count: $count, atLeast: $at) { holds first last head guard fault { kind position message } } }"""


def test_a_receipt_is_proven_to_be_in_the_ledger(api: Api) -> None:
    team = api.team()
    engineer = api.client(Role.STEWARD)
    done = engineer.do("addMember", teamId=str(team), memberId=str(uuid4()))
    (fact,) = done["receipt"]["facts"]
    api.team("Another")
    found = engineer.ask(INCLUSION, at=fact["position"])["inclusionProof"]
    assert found["leaf"] == fact["leaf"]
    assert int(found["treeSize"]) == api.ledger.head()
    hashes = [bytes.fromhex(node) for node in found["hashes"]]
    root = bytes.fromhex(found["root"])
    verify_inclusion(bytes.fromhex(fact["leaf"]), int(fact["position"]) - 1, int(found["treeSize"]), hashes, root)


def test_what_was_before_is_proven_to_be_the_beginning_of_what_is_now(api: Api) -> None:
    client = api.client(Role.OBSERVER, api.team())
    first = api.ledger.head()
    before = client.ask(INCLUSION, at="1")["inclusionProof"]
    api.team("Another")
    found = client.ask(CONSISTENCY, first=str(first))["consistencyProof"]
    assert found["firstRoot"] == before["root"]
    roots = bytes.fromhex(found["firstRoot"]), bytes.fromhex(found["secondRoot"])
    verify_consistency(first, int(found["second"]), *roots, [bytes.fromhex(node) for node in found["hashes"]])
    again = client.ask(INCLUSION, at="1", size=str(first))["inclusionProof"]
    assert again == before


@pytest.mark.parametrize(
    ("query", "given"),
    [
        (INCLUSION, {"at": "0"}),
        (INCLUSION, {"at": "99999"}),
        (INCLUSION, {"at": "1", "size": "99999"}),
        (CONSISTENCY, {"first": "0"}),
        (VERIFY, {"start": "0"}),
        (VERIFY, {"start": "99999"}),
    ],
)
def test_there_is_no_proof_of_what_is_not_there(api: Api, query: str, given: dict[str, str]) -> None:
    auditor = api.client(Role.AUDITOR)
    auditor.ask(f'{{ teams(atLeast: "{api.ledger.head()}") {{ totalCount }} }}')  # by then the role counts
    assert auditor.error(query, **given)["extensions"]["code"] == "BAD_USER_INPUT"


def test_an_auditor_has_the_ledger_checked(api: Api) -> None:
    auditor = api.client(Role.AUDITOR)
    head = str(api.ledger.head())
    found = auditor.ask(VERIFY, at=head)["verify"]
    assert found == {"holds": True, "first": "1", "last": head, "head": head, "guard": [], "fault": None}
    assert auditor.ask(VERIFY, start="2", count=3)["verify"]["last"] == "4"
    with psycopg.connect(api.database_url, autocommit=True) as superuser:
        do(superuser, ["UPDATE ledger.events SET salt = sha256('x') WHERE position = 3"])
        superuser.execute("GRANT INSERT ON ledger.events TO ledger_reader")
    found = auditor.ask(VERIFY)["verify"]
    message = "its payload is not the one that its envelope commits to"
    assert found["fault"] == {"kind": "PAYLOAD", "position": "3", "message": message}
    assert (found["holds"], found["last"]) == (False, "2")
    assert found["guard"] == ["ledger_reader was granted INSERT on the table events"]


def test_others_have_nothing_checked(api: Api) -> None:
    team = api.team()
    for client in (api.client(Role.PRODUCT_MANAGER, team), api.client(Role.INTEGRATOR), api.client()):
        assert client.error(VERIFY, at=str(api.ledger.head()))["extensions"]["code"] == "FORBIDDEN"
    auditor = api.client(Role.AUDITOR)
    assert auditor.error(VERIFY, count=5001, at=str(api.ledger.head()))["extensions"]["code"] == "BAD_USER_INPUT"
