"""A person leaves the directory: the name is nowhere, nobody comes in by it, and the story reads on."""

from pathlib import Path

import psycopg
import pytest

from ledger.directory import identities, members
from ledger.directory.identities import Identity
from ledger.directory.members import Person
from ledger.events.member import MemberErased
from ledger.events.team import RoleGranted, TeamFormed
from ledger.store.integrity.export import verify_export
from ledger.store.integrity.verifying import verify
from ledger.values import ORGANISATION, SYSTEM, MemberId, Role
from projections.catalogue import VIEWS
from projections.rebuild import rebuild
from tests.cli.conftest import Cli
from tests.databases import dumped
from tests.projections import story
from tests.projections.recording import Recorder, ledger_of

ROBIN = MemberId(story.named("robin"))
NAME, ADDRESS, SUBJECT = "Ana Qwertzuiop", "ana@qwertzuiop.example", "qwertzuiop-0815"
WHY = ("--by", "Robin", "--reason", "she asked for it in writing", "--legal-basis", "GDPR Article 17(1)(b)", "--yes")


@pytest.fixture
def told(database_url: str) -> int:
    with ledger_of(database_url) as ledger:
        recorder = Recorder(ledger)
        recorder.record((ORGANISATION, TeamFormed("organisation")), (ORGANISATION, RoleGranted(ROBIN, Role.STEWARD)))
        story.tell(recorder)
        rebuild(database_url, ledger, VIEWS)
        head = ledger.head()
    with psycopg.connect(database_url, autocommit=True) as connection:
        ana = Person(story.ANA, NAME, ADDRESS)
        members.put(connection, [ana, Person(ROBIN, "Robin"), Person(story.BEN, "Ben Example")])
        identities.link(connection, Identity("https://id.example", SUBJECT, story.ANA))
    return head


def stored(url: str) -> bytes:
    """The bytes of the directory's tables and indexes as they are on the disk."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CHECKPOINT")
        query = (
            "SELECT pg_read_binary_file(pg_relation_filepath(oid)) FROM pg_class"
            " WHERE relnamespace = 'directory'::regnamespace AND relkind IN ('r', 'i')"
        )
        return b"".join(row[0] for row in connection.execute(query).fetchall())


def test_an_erased_name_is_nowhere_and_the_story_reads_on(
    cli: Cli, database_url: str, told: int, tmp_path: Path
) -> None:
    before = verify(database_url).root
    token = cli.run("token", "create", NAME, "--role", "AUDITOR", "--json")
    assert token.code == 0, token.err
    assert NAME.encode() in dumped(database_url)
    assert NAME.encode() in stored(database_url)
    assert NAME in cli.run("report", str(story.DECLINED)).out

    erased = cli.run("member", "erase", NAME, *WHY, "--json")
    assert erased.code == 0, erased.err
    assert NAME not in erased.out + erased.err

    dump, files = dumped(database_url), stored(database_url)
    for secret in (NAME, ADDRESS, SUBJECT):
        assert secret.encode() not in dump
        assert secret.encode() not in files
        assert secret.encode().hex().encode() not in dump
    read = cli.run("report", str(story.DECLINED)).out
    assert NAME not in read
    assert "somebody whose name was erased" in read
    assert story.TEXT in read
    assert "Ben Example" in read
    with psycopg.connect(database_url) as connection:
        live = connection.execute("SELECT count(*) FROM directory.tokens WHERE revoked_at IS NULL").fetchone()
        assert live == (0,)
    found = verify(database_url)
    assert found.holds
    assert found.root != before

    with ledger_of(database_url) as ledger:
        (event,) = ledger.events(story.ANA)
        assert event.fact == MemberErased(story.ANA, WHY[3], WHY[5])
        assert (event.actor.member_id, event.actor.role) == (ROBIN, Role.STEWARD)
        assert event.position == erased.json()["position"] == ledger.head()
    again = cli.run("member", "erase", str(story.ANA), *WHY, "--json")
    assert again.json() == {**erased.json(), "erased": False}

    file = tmp_path / "facts.jsonl"
    assert cli.run("export", str(file)).code == 0
    assert verify_export(file).holds
    assert NAME.encode() not in file.read_bytes()


@pytest.mark.parametrize(
    ("who", "change", "says"),
    [
        (NAME, {"--by": "Ben Example"}, "is for STEWARD across teams"),
        (NAME, {"--reason": "so"}, "`reason` needs at least 10 characters"),
        (NAME, {"--legal-basis": "a law"}, "`legal_basis` needs at least 10 characters"),
        ("Nobody", {}, "Nobody is called Nobody"),
    ],
)
def test_without_a_steward_a_reason_and_a_ground_nothing_goes(
    cli: Cli, database_url: str, told: int, who: str, change: dict[str, str], says: str
) -> None:
    arguments = dict(zip(WHY[:-1:2], WHY[1::2], strict=True)) | change
    ran = cli.run("member", "erase", who, *(part for pair in arguments.items() for part in pair), "--yes")
    assert (ran.code, says in ran.err) == (1, True), ran.err
    assert NAME.encode() in dumped(database_url)
    with ledger_of(database_url) as ledger:
        assert ledger.head() == told


def test_one_that_was_broken_off_is_finished(cli: Cli, database_url: str, told: int) -> None:
    with ledger_of(database_url) as ledger:
        Recorder(ledger).record((story.ANA, MemberErased(story.ANA, "she asked for it", "GDPR Article 17(1)(b)")))
    ran = cli.run("member", "erase", NAME, *WHY, "--json")
    assert ran.json() == {"member_id": str(story.ANA), "position": told + 1, "erased": True}
    assert NAME.encode() not in dumped(database_url)


def test_the_operator_is_nobody_s_name(cli: Cli, database_url: str, told: int) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        members.put(connection, [Person(SYSTEM, "System")])
    ran = cli.run("member", "erase", str(SYSTEM), *WHY)
    assert (ran.code, "can't be erased" in ran.err) == (1, True), ran.err
