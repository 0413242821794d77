"""A steward erases somebody over the API: the name is nowhere, nobody comes in by it, and whoever may not changes nothing."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from ledger.commands.member import EraseMember
from ledger.directory import identities, members, tokens
from ledger.directory.identities import Identity
from ledger.directory.members import NoSuchMember, Person
from ledger.events.member import MemberErased
from ledger.values import SYSTEM, MemberId, Role
from tests.api.conftest import PEPPER, Api, Client
from tests.api.test_identity import LOG, directory, let_in, the_auditor
from tests.cli.test_erasing import stored
from tests.databases import dumped

NAME, ADDRESS, SUBJECT = "Ana Qwertzuiop", "ana@qwertzuiop.example", "qwertzuiop-0815"
WHY = {"reason": "She asked for it in writing.", "legalBasis": "GDPR Article 17(1)(b)"}
ERASE = """mutation E($input: EraseMemberInput!) {
  eraseMember(input: $input) { memberId position version repeated userErrors { code message path } receipt { facts { position } } }
}"""


@pytest.fixture
def ana(api: Api) -> Client:
    """Somebody with everything that could say who they are."""
    found = api.client(name=NAME)
    with directory(api) as connection:
        members.put(connection, [Person(found.member_id, NAME, ADDRESS)])
        identities.link(connection, Identity("https://id.example", SUBJECT, found.member_id))
    return found


def erase(by: Client, member_id: MemberId, **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = by.ask(ERASE, input={"memberId": str(member_id), **WHY, **more})["eraseMember"]
    return found


def is_nowhere(url: str, log: pytest.LogCaptureFixture, again: Callable[[], object]) -> bool:
    """Whether nothing of her is left. Where the log says that somebody was in the way, one asks again: other tests work on this server."""
    for _ in range(10):
        if "may be on the disk yet" not in log.text:
            break
        log.clear()
        again()
    return is_there(url) == set()


def is_there(url: str) -> set[bytes]:
    """What can still be read of her, in the database or on its disk."""
    texts = dumped(url), stored(url)
    return {secret.encode() for secret in (NAME, ADDRESS, SUBJECT) if any(secret.encode() in text for text in texts)}


def test_an_erased_name_is_nowhere_as_soon_as_it_is_answered(
    api: Api, ana: Client, caplog: pytest.LogCaptureFixture
) -> None:
    steward, auditor = api.client(Role.STEWARD), the_auditor(api)
    assert len(is_there(api.database_url)) == 3
    assert let_in(api, ana.token)

    command_id = str(uuid4())
    erased = erase(steward, ana.member_id, commandId=command_id)

    assert erased["userErrors"] == []
    assert erased["memberId"] == str(ana.member_id)
    assert is_nowhere(api.database_url, caplog, lambda: erase(steward, ana.member_id))
    assert not let_in(api, ana.token)
    (event,) = api.ledger.events(ana.member_id)
    assert event.fact == MemberErased(ana.member_id, WHY["reason"], WHY["legalBasis"])
    assert (event.actor.member_id, event.actor.role) == (steward.member_id, Role.STEWARD)
    assert erased["receipt"]["facts"] == [{"position": str(event.position)}]
    assert erased["position"] == str(event.position)

    again = erase(steward, ana.member_id, commandId=command_id)
    assert again == {**erased, "repeated": True}
    (once_more,) = erase(steward, ana.member_id)["userErrors"]
    assert (once_more["code"], once_more["path"]) == ("WRONG_STATE", ["input", "memberId"])
    assert f"position {event.position}" in once_more["message"]

    kinds = ["IDENTITY_LINKED", "IDENTITY_UNLINKED", "TOKEN_CREATED", "TOKEN_REVOKED"]
    nodes = auditor.ask(LOG, member=str(ana.member_id), kinds=kinds)["accessLog"]["nodes"]
    assert {(node["kind"], (node["actedBy"] or {}).get("memberId")) for node in nodes} == {
        ("IDENTITY_LINKED", None),
        ("TOKEN_CREATED", None),
        ("IDENTITY_UNLINKED", str(steward.member_id)),
        ("TOKEN_REVOKED", str(steward.member_id)),
    }
    assert NAME not in str(nodes)
    assert SUBJECT not in str(nodes)


def test_without_a_steward_a_reason_a_ground_and_a_member_nothing_goes(api: Api, ana: Client) -> None:
    team_id = api.team()
    steward = api.client(Role.STEWARD)
    for by in (api.client(), api.client(Role.AUDITOR), api.client(Role.PRODUCT_MANAGER, team_id), ana):
        (refused,) = erase(by, ana.member_id)["userErrors"]
        assert (refused["code"], "is for STEWARD across teams" in refused["message"]) == ("FORBIDDEN", True)
        assert [refused] == erase(by, MemberId(uuid4()))["userErrors"]  # nor are they told who is there
    for field, text in {"reason": "so", "legalBasis": "         "}.items():
        (refused,) = erase(steward, ana.member_id, **{field: text})["userErrors"]
        assert (refused["code"], refused["path"]) == ("BAD_USER_INPUT", ["input", field])
        assert f"`{field}` needs at least 10 characters" in refused["message"]
    proposal_like = MemberId(team_id)  # an id that the ledger has, and no member's
    for nobody in (MemberId(uuid4()), proposal_like):
        (refused,) = erase(steward, nobody)["userErrors"]
        assert (refused["code"], refused["path"]) == ("NOT_FOUND", ["input", "memberId"])
    (refused,) = erase(steward, SYSTEM)["userErrors"]
    assert (refused["code"], "can't be erased" in refused["message"]) == ("BAD_USER_INPUT", True)
    assert len(is_there(api.database_url)) == 3
    assert api.sql("SELECT count(*) FROM ledger.events WHERE topic = 'MemberErased'") == [(0,)]


@pytest.mark.parametrize("half_way", [False, True])
def test_one_that_was_broken_off_is_finished_by_whoever_asks_again(
    api: Api, ana: Client, caplog: pytest.LogCaptureFixture, *, half_way: bool
) -> None:
    steward, _ = (
        api.client(Role.STEWARD),
        the_auditor(api),
    )  # the views are built: who reads for long is waited for 5 s only
    with directory(api) as connection:
        api.issue(EraseMember(ana.member_id, WHY["reason"], WHY["legalBasis"]))  # recorded, and then the process died
        if half_way:  # and before that it had emptied the rows
            with connection.transaction():
                assert members.erase(connection, ana.member_id)
            assert NAME.encode() not in dumped(api.database_url)
        assert NAME.encode() in stored(api.database_url)
        assert erase(steward, ana.member_id)["userErrors"][0]["code"] == "WRONG_STATE"
        assert is_nowhere(api.database_url, caplog, lambda: erase(steward, ana.member_id))
        # And nobody is let in as them again.
        with pytest.raises(NoSuchMember):
            identities.link(connection, Identity("https://id.example", SUBJECT, ana.member_id))
        with pytest.raises(NoSuchMember):
            tokens.create(connection, PEPPER, ana.member_id, "tests")


def test_a_login_with_no_more_than_the_writer_s_rights_sweeps_the_disk_too(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    login, ana = f"plain_{uuid4().hex[:8]}", MemberId(uuid4())
    with psycopg.connect(database_url, autocommit=True) as connection:
        members.put(connection, [Person(ana, NAME, ADDRESS)])
        identities.link(connection, Identity("https://id.example", SUBJECT, ana))
        connection.execute(f"CREATE ROLE {login} LOGIN IN ROLE ledger_writer, ledger_reader")  # type: ignore[arg-type]
        try:
            assert len(is_there(database_url)) == 3
            connection.execute(f"SET SESSION AUTHORIZATION {login}")  # type: ignore[arg-type]
            assert members.erase(connection, ana)
            assert is_nowhere(database_url, caplog, lambda: members.erase(connection, ana))
        finally:
            connection.execute("RESET SESSION AUTHORIZATION")
            connection.execute(f"DROP ROLE {login}")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("elsewhere", "doing"),
    [
        (False, ["SET TRANSACTION ISOLATION LEVEL REPEATABLE READ", "SELECT count(*) FROM pg_class"]),
        (False, ["SELECT pg_current_xact_id()"]),  # whoever has written, and reads nothing just now
        (True, ["SELECT pg_current_xact_id()"]),
    ],
    ids=["a reader", "a writer", "a writer in another database"],
)
def test_whoever_is_at_work_since_before_is_in_the_way_and_the_log_says_so(
    database_url: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    doing: list[str],
    *,
    elsewhere: bool,
) -> None:
    ana = MemberId(uuid4())
    with (
        psycopg.connect(database_url, autocommit=True) as connection,
        psycopg.connect(make_conninfo(database_url, **({"dbname": "postgres"} if elsewhere else {}))) as other,
    ):
        members.put(connection, [Person(ana, NAME, ADDRESS)])
        for statement in doing:
            other.execute(statement)  # type: ignore[arg-type]
        with monkeypatch.context() as patched:
            patched.setattr(members, "sleep", lambda _: None)
            assert members.erase(connection, ana)
        assert NAME.encode() in stored(database_url)
        assert "may be on the disk yet" in caplog.text
        other.rollback()
        caplog.clear()
        assert not members.erase(connection, ana)
        assert is_nowhere(database_url, caplog, lambda: members.erase(connection, ana))


def test_the_operator_comes_in_by_no_token_and_no_provider(api: Api, ana: Client) -> None:
    with directory(api) as connection:
        members.put(connection, [Person(SYSTEM, "System")])
        with pytest.raises(NoSuchMember):
            tokens.create(connection, PEPPER, SYSTEM, "tests")
        with pytest.raises(NoSuchMember):
            identities.link(connection, Identity("https://id.example", "root", SYSTEM))
    api.sql("UPDATE directory.tokens SET member_id = %s WHERE member_id = %s", SYSTEM, ana.member_id)
    assert not let_in(api, ana.token)
