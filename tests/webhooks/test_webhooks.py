"""Webhooks: a receiver on a real socket gets every message signed, in order and at least once, and a bad one holds nobody up."""

import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from click.testing import CliRunner
from cryptography.exceptions import InvalidTag
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from ledger.cli.webhook import webhook
from ledger.directory import tokens
from ledger.directory.scopes import Scope
from ledger.events.proposal import DecisionTaken, ProposalSubmitted
from ledger.values import Actor, DecisionId, Disposition, MemberId, Role, TeamId, Verdict
from ledger.webhooks import endpoints, sender, sending
from ledger.webhooks.destination import DestinationRefused, checked, is_public
from ledger.webhooks.endpoints import Endpoint
from ledger.webhooks.messages import MessageType, of_fact
from ledger.webhooks.sending import Meaning, meaning_of
from projections.audit.facts import LedgerEvent
from projections.catalogue import VIEWS
from projections.follower import Follower
from tests.api.conftest import PEPPER
from tests.projections.recording import Recorder, ledger_of
from tests.rules.saying import no
from tests.rules.town import Team, Town

Answer = Callable[[dict[str, Any]], int]


class Receiver:
    """Remembers what it was sent, and answers as it is told."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes, int]] = []
        self.answer: Answer = lambda _: 204
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                status = receiver.answer(json.loads(body))
                headers = {name.lower(): value for name, value in self.headers.items()}
                receiver.got.append((headers, body, status))
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hooks"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def taken(self) -> list[dict[str, Any]]:
        """The messages that it took, in the order in which they came."""
        return [json.loads(body) for _, body, status in self.got if status < 300]

    def wait_for(self, count: int) -> list[dict[str, Any]]:
        until(lambda: len(self.taken()) >= count)
        return self.taken()


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()
    yield found
    found.server.shutdown()
    found.server.server_close()


class Told:
    """An endpoint of one team."""

    def __init__(self, team: Team, url: str, *types: MessageType) -> None:
        self.team = team
        self.secret, made = endpoints.add(team.town.directory, PEPPER, url, types, UUID(team.id))
        self.id = made.endpoint_id

    def now(self) -> Endpoint:
        return next(one for one in endpoints.every(self.team.town.directory) if one.endpoint_id == self.id)

    def replay(self, after: int | None) -> None:
        endpoints.replay(self.team.town.directory, self.id, after)


@pytest.fixture
def told(team: Team, receiver: Receiver) -> Iterator[Told]:
    found = Told(team, receiver.url, *MessageType)
    yield found
    endpoints.remove(team.town.directory, found.id)


def test_a_decision_is_told_signed_and_without_its_texts(team: Team, told: Told, receiver: Receiver) -> None:
    proposal_id, decision_id = team.declined()
    (message,) = receiver.wait_for(1)
    headers, body, _ = receiver.got[0]
    assert Webhook(told.secret).verify(body, headers) == message
    with pytest.raises(WebhookVerificationError):
        Webhook(told.secret).verify(body.replace(b"DECLINE", b"POSTPONE"), headers)
    assert message["type"] == "decision.taken"
    data = message["data"]
    assert (data["proposalId"], data["decisionId"], data["teamId"]) == (proposal_id, decision_id, team.id)
    assert (data["verdict"], data["disposition"], data["reasonCodes"]) == ("NO", "DECLINE", ["NO_COMPELLING_CASE"])
    assert set(data) == {
        *("proposalId", "decisionId", "teamId", "verdict", "disposition", "reviewId", "reasonCodes", "position"),
    }


def test_other_teams_and_other_types_are_not_told(team: Team, receiver: Receiver, town: Town) -> None:
    told = Told(team, receiver.url, MessageType.APPEAL_LODGED)
    town.team("Search").declined()
    proposal_id, decision_id = team.declined()
    team.tell(proposal_id, decision_id, team.engineer)
    appeal = {
        "proposalId": proposal_id,
        "decisionId": decision_id,
        "grounds": "NEW_INFORMATION",
        "text": "It broke twice.",
    }
    team.engineer.does("lodgeAppeal", **appeal)
    (message,) = receiver.wait_for(1)
    assert message["type"] == "appeal.lodged"
    assert message["data"]["grounds"] == "NEW_INFORMATION"
    assert "It broke twice" not in json.dumps(message)
    endpoints.remove(team.town.directory, told.id)


def test_an_endpoint_that_is_away_gets_everything_in_order_once_it_is_back(
    team: Team, told: Told, receiver: Receiver
) -> None:
    receiver.answer = lambda _: 503
    proposals = [team.declined()[0] for _ in range(3)]
    until(lambda: told.now().failures >= 2)
    assert (told.now().fault, receiver.taken()) == ("It answered 503.", [])
    receiver.answer = lambda _: 200
    found = receiver.wait_for(3)
    assert [message["data"]["proposalId"] for message in found] == proposals
    until(lambda: told.now().failures == 0)
    assert len({headers["webhook-id"] for headers, _, _ in receiver.got}) == 3


def test_what_is_refused_for_good_is_kept_aside_and_can_be_sent_again(
    team: Team, told: Told, receiver: Receiver, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = team.town.ledger.head()
    poison, fine = team.propose(), team.propose()
    receiver.answer = lambda body: 422 if body["data"]["proposalId"] == poison else 200
    for proposal_id in (poison, fine):
        team.decide(no(team.opened(proposal_id), proposal_id))
    assert [message["data"]["proposalId"] for message in receiver.wait_for(1)] == [fine]
    (dead,) = endpoints.dead_letters(team.town.directory, told.id)
    assert (dead.type, dead.attempts, dead.fault) == ("decision.taken", sender.REFUSED_MAX, "It answered 422.")
    receiver.answer = lambda _: 200
    monkeypatch.setenv("LEDGER_DATABASE_URL", team.town.database_url)
    monkeypatch.setenv("LEDGER_DATA_DIR", str(tmp_path))
    listed = json.loads(CliRunner().invoke(webhook, ["dead", str(told.id), "--json"]).output)
    assert [one["message_id"] for one in listed["dead_letters"]] == [dead.message_id]
    result = CliRunner().invoke(webhook, ["replay", str(told.id), "--after", str(before), "--json"])
    assert result.exit_code == 0, result.output
    assert [message["data"]["proposalId"] for message in receiver.wait_for(3)] == [fine, poison, fine]
    assert endpoints.dead_letters(team.town.directory, told.id) == []


def test_one_that_is_gone_is_paused_and_goes_on_when_asked_to(team: Team, told: Told, receiver: Receiver) -> None:
    receiver.answer = lambda _: 410
    proposal_id, _ = team.declined()
    until(lambda: told.now().paused_at is not None)
    receiver.answer = lambda _: 200
    assert receiver.taken() == []
    told.replay(None)
    assert receiver.wait_for(1)[0]["data"]["proposalId"] == proposal_id


def test_a_paused_one_is_said_by_readiness_and_the_metrics_and_keeps_nobody_out(
    team: Team, told: Told, receiver: Receiver
) -> None:
    def said() -> tuple[int, bool, str]:
        found = team.town.http.get("/health/ready")
        return found.status_code, found.json()["ready"], found.json()["webhooks"]

    token, _ = tokens.create(
        team.town.directory, PEPPER, MemberId(UUID(team.engineer.id)), "scraper", granted=[Scope.METRICS]
    )

    def counted() -> str:
        headers = {"Authorization": f"Bearer {token}"}
        (line,) = re.findall(
            r"^ledger_webhooks_paused .*$", team.town.http.get("/metrics", headers=headers).text, re.MULTILINE
        )
        return str(line)

    assert (said(), counted()) == ((200, True, "ok"), "ledger_webhooks_paused 0.0")
    receiver.answer = lambda _: 410
    team.declined()
    until(lambda: told.now().paused_at is not None)
    until(lambda: said() == (200, True, "1 paused"))
    assert counted() == "ledger_webhooks_paused 1.0"
    receiver.answer = lambda _: 204
    told.replay(None)
    assert (said(), counted()) == ((200, True, "ok"), "ledger_webhooks_paused 0.0")


def test_a_slow_endpoint_does_not_hold_up_another(team: Team, told: Told, receiver: Receiver) -> None:
    hanging, release = Receiver(), threading.Event()
    hanging.answer = lambda _: (release.wait(15) and 200) or 500
    other = Told(team, hanging.url, MessageType.DECISION_TAKEN)
    try:
        team.declined()
        receiver.wait_for(1)
        assert hanging.got == []
        release.set()
        hanging.wait_for(1)
    finally:
        release.set()
        endpoints.remove(team.town.directory, other.id)
        hanging.server.shutdown()
        hanging.server.server_close()


def test_one_that_hangs_holds_nobody_up_for_as_long_as_it_does(team: Team, told: Told, receiver: Receiver) -> None:
    """Not even with what happens meanwhile."""
    hanging, release = Receiver(), threading.Event()
    hanging.answer = lambda _: (release.wait(8) and 200) or 500
    other = Told(team, hanging.url, MessageType.DECISION_TAKEN)
    try:
        for count in range(1, 4):
            team.declined()
            receiver.wait_for(count)
        assert hanging.got == []
    finally:
        release.set()
        endpoints.remove(team.town.directory, other.id)
        hanging.server.shutdown()
        hanging.server.server_close()


def test_an_answer_in_drops_is_no_answer(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "ANSWER_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as dripping:
        dripping.settimeout(20)
        told = Told(team, f"http://127.0.0.1:{dripping.getsockname()[1]}/", MessageType.DECISION_TAKEN)
        team.declined()
        connection, _ = dripping.accept()
        with connection, suppress(OSError):
            for drop in b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100:
                connection.sendall(bytes([drop]))
                time.sleep(0.1)
            pytest.fail("it was waited for")
        until(lambda: told.now().fault == "It did not answer within 0 s.")
        endpoints.remove(team.town.directory, told.id)


def test_one_that_was_told_more_than_there_is_waits_to_be_told_from_where(
    team: Team, told: Told, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    """As after an older state was put back: what the ledger grows by until it is there again would never be told."""
    team.declined()
    receiver.wait_for(1)
    head = team.town.ledger.head()
    ahead = "UPDATE webhooks.endpoints SET position = %s WHERE endpoint_id = %s"
    team.town.directory.execute(ahead, [head + 3, told.id])
    until(lambda: told.now().paused_at is not None)
    assert f"It was told up to {head + 3}, and the ledger ends at {head}: an older state was" in (
        told.now().fault or ""
    )
    assert [record.levelname for record in caplog.records if "is paused" in record.message] == ["CRITICAL"]
    proposal_id, _ = team.declined()
    told.replay(head)
    assert receiver.wait_for(2)[-1]["data"]["proposalId"] == proposal_id


def test_nobody_is_told_of_another_ledger(database_url: str, receiver: Receiver) -> None:
    """As long as the ledger is not the one that was seen."""
    stream, decision = uuid4(), DecisionTaken(DecisionId(uuid4()), Verdict.NO, Disposition.DECLINE)
    is_other: list[str] = ["another state was restored"]
    with (
        ledger_of(database_url) as ledger,
        psycopg.connect(database_url, autocommit=True) as directory,
        Follower(database_url, ledger, VIEWS) as follower,
        sender.Sender(database_url, PEPPER, private=True, is_other=lambda: is_other[0] if is_other else None),
    ):
        endpoints.add(directory, PEPPER, receiver.url, [MessageType.DECISION_TAKEN], None)
        recorder = Recorder(ledger)
        recorder.record((stream, ProposalSubmitted(TeamId(uuid4()), "One price engine", None)))
        head = recorder.record((stream, decision))
        assert all(follower.wait_for(view.name, head, 20) for view in VIEWS), follower.faults
        time.sleep(4 * sender.POLL_S)
        assert receiver.got == []
        is_other.clear()
        (message,) = receiver.wait_for(1)
    assert message["data"]["decisionId"] == str(decision.decision_id)


def test_a_message_is_never_taken_for_that_of_another_fact_which_stood_in_its_place() -> None:
    """Until an older state was put back, and the ledger grew again."""
    ledger_id, now = uuid4(), datetime.now(UTC)
    actor, body = Actor(MemberId(uuid4()), Role.ENGINEER), {"appeal_id": str(uuid4())}
    once, again = uuid4(), uuid4()

    def told(command: UUID, position: int = 7) -> str:
        given = (position, 2, "AppealUpheld", now, now, actor, "", body, command, command, None, None)
        found = of_fact(ledger_id, LedgerEvent(*given, stream_id=uuid4(), team_id=None))
        assert found is not None
        return found.message_id

    assert told(once) == told(once)
    assert len({told(once), told(once, 8), told(again)}) == 3


def test_what_the_clock_brings_about_is_told_once(
    team: Team, told: Told, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "instant", lambda: datetime.now(UTC) + timedelta(hours=2))
    team.town.steward.does("setServiceLevel", teamId=team.id, daysToDecide=14, hoursToTell=1)
    proposal_id, decision_id = team.declined()
    found = receiver.wait_for(2)
    assert [message["type"] for message in found] == ["decision.taken", "decision.untold"]
    assert found[1]["data"]["decisionId"] == decision_id
    team.declined()
    receiver.wait_for(4)
    time.sleep(0.5)  # several looks at the clock
    assert [message["type"] for message in receiver.taken()].count("decision.untold") == 2
    assert proposal_id in {message["data"]["proposalId"] for message in receiver.taken()}


@pytest.mark.parametrize(
    "url",
    [
        "http://portal.example/hooks",
        "ftp://portal.example",
        "https://",
        "https://user:secret@portal.example",
        "https://portal.example/#x",
        "https://portal.example:99999/",
        "https://port al.example/",
        "https://portal.example/" + "x" * 2_000,
    ],
)
def test_a_url_that_can_not_be_is_refused(url: str) -> None:
    with pytest.raises(DestinationRefused):
        checked(url, private=False)


@pytest.mark.parametrize(
    "address",
    [
        *(
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
        ),
        *(
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::1",
        ),
        *("2001:0:53aa:64c:0:fbff:80ff:fffe", "ff02::1", "fec0::1", "100::1", "2001:db8::1"),
        *("::127.0.0.1", "::ffff:0:127.0.0.1", "64:ff9b:1::7f00:1", "2002:0:0:1::"),
        *("192.0.0.8", "192.0.0.192", "2001:1::3", "3fff::1"),
    ],
)
def test_private_addresses_are_known_in_every_disguise(address: str) -> None:
    assert not is_public(ip_address(address))


def test_public_addresses_are_public() -> None:
    assert is_public(ip_address("8.8.8.8"))
    assert is_public(ip_address("2606:4700::1111"))
    assert is_public(ip_address("2001:4860:4860::8888"))


def test_a_name_that_leads_into_a_private_network_is_never_asked(
    team: Team, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:

    genuine = sending.resolved
    monkeypatch.setattr(
        sending, "resolved", lambda url, private: genuine(url.replace("http:", "https:"), private=False)
    )
    told = Told(team, receiver.url.replace("127.0.0.1", "localhost"), MessageType.DECISION_TAKEN)
    team.declined()
    until(lambda: told.now().paused_at is not None)
    assert "not on the public internet" in (told.now().fault or "")
    assert receiver.got == []
    endpoints.remove(team.town.directory, told.id)


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        (200, Meaning.DELIVERED),
        (204, Meaning.DELIVERED),
        (301, Meaning.AWAY),
        (400, Meaning.REFUSED),
        (404, Meaning.REFUSED),
        (408, Meaning.AWAY),
        (410, Meaning.ENDED),
        (429, Meaning.AWAY),
        (500, Meaning.AWAY),
    ],
)
def test_what_a_status_means(status: int, meaning: Meaning) -> None:
    assert meaning_of(status).meaning is meaning


def test_a_secret_opens_only_with_the_pepper_and_for_its_endpoint() -> None:
    one, other = uuid4(), uuid4()
    kept = endpoints.encrypted("whsec_x", PEPPER, one)
    assert b"whsec" not in kept
    assert endpoints.decrypted(kept, PEPPER, one) == "whsec_x"
    for pepper, endpoint_id in ((bytes(32), one), (PEPPER, other)):
        with pytest.raises(InvalidTag):
            endpoints.decrypted(kept, pepper, endpoint_id)


def test_the_command_line_adds_lists_and_removes(team: Team, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEDGER_DATABASE_URL", team.town.database_url)
    monkeypatch.setenv("LEDGER_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("LEDGER_TOKEN_PEPPER", PEPPER.hex())

    def run(*arguments: str) -> Any:
        result = CliRunner().invoke(webhook, [*arguments, "--json"])
        assert result.exit_code == 0, (result.output, result.exception)
        return json.loads(result.output)

    made = run("add", "https://portal.example/hooks", "--type", "decision.taken", "--team", team.id)
    assert made["secret"].startswith("whsec_")
    (listed,) = [one for one in run("list")["endpoints"] if one["endpoint_id"] == made["endpoint"]["endpoint_id"]]
    assert "secret" not in listed
    assert listed["types"] == ["decision.taken"]
    run("remove", listed["endpoint_id"])
    gone = CliRunner().invoke(webhook, ["remove", listed["endpoint_id"]])
    assert "There is no endpoint" in str(gone.exception)
    refused = CliRunner().invoke(webhook, ["add", "http://portal.example"])
    assert "must begin with https://" in str(refused.exception)
