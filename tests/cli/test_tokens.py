"""token create, list and revoke: who gets in, and as what."""

from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import psycopg

from ledger.commands import Issued
from ledger.commands.team import FormTeam
from ledger.demo.lookups import LogLookups
from ledger.handlers import Handlers
from ledger.store.application import Ledger
from ledger.values import ORGANISATION, SYSTEM, Role, TeamId
from tests.cli.conftest import Cli


def roles(url: str) -> list[tuple[str, str]]:
    with psycopg.connect(url) as connection:
        found = connection.execute(
            "SELECT stream_id::text, convert_from(payload, 'UTF8')::json ->> 'role' FROM ledger.events"
            " WHERE topic = 'RoleGranted' ORDER BY position"
        ).fetchall()
    return [(row[0], row[1]) for row in found]


def test_a_secret_is_shown_once(cli: Cli, database_url: str) -> None:
    made = cli.run("token", "create", "Robin", "--role", "STEWARD", "--json")
    assert made.code == 0, made.err
    secret, record = made.json()["token"], made.json()["record"]
    assert secret.startswith(record["hint"])
    assert roles(database_url) == [(str(ORGANISATION), Role.STEWARD)]
    listed = cli.run("token", "list", "--json")
    assert [token["token_id"] for token in listed.json()["tokens"]] == [record["token_id"]]
    assert secret not in listed.out
    assert f"{record['hint']}…  Robin  " in cli.run("token", "list").out
    with psycopg.connect(database_url) as connection:
        kept = connection.execute("SELECT t::text FROM directory.tokens AS t").fetchall()
    assert secret not in str(kept)


def test_a_client_has_two_live_tokens_and_one_can_be_revoked(cli: Cli) -> None:
    assert cli.run("token", "list").out == "There are no tokens.\n"
    first = cli.run("token", "create", "Ada", "--client", "portal", "--json").json()["record"]
    second = cli.run("token", "create", "Ada", "--client", "portal", "--days", "7", "--json").json()["record"]
    assert first["member_id"] == second["member_id"]
    third = cli.run("token", "create", "Ada", "--client", "portal", "--json")
    assert (third.code, third.out) == (1, "")
    assert "revoke one first" in third.err
    ended = cli.run("token", "revoke", first["token_id"], "--json")
    assert (ended.code, ended.json()) == (0, {"token_id": first["token_id"], "revoked": True})
    again = cli.run("token", "revoke", first["token_id"])
    assert (again.code, again.out) == (1, "There is no such live token. See: decision-ledger token list\n")
    assert cli.run("token", "create", "Ada", "--client", "portal").out.startswith("ldg_")


def test_a_role_in_a_team_is_granted_once(cli: Cli, database_url: str) -> None:
    team_id = TeamId(uuid4())
    granting = ("token", "create", "Ada", "--role", "ENGINEER", "--team", str(team_id), "--json")
    unknown = cli.run(*granting)
    assert (unknown.code, unknown.out) == (1, "")
    assert f"No team is called {team_id}. There are none yet." in unknown.err
    with Ledger(database_url) as ledger:
        form = FormTeam(team_id=team_id, name="Checkout")
        Handlers(ledger, LogLookups(ledger)).handle(Issued(form, uuid4(), SYSTEM, datetime.now(UTC)))
    assert cli.run(*granting).code == 0
    assert cli.run(*granting).code == 0
    assert cli.run("token", "create", "Ada", "--client", "x", "--role", "ENGINEER", "--team", "checkout").code == 0
    assert roles(database_url) == [(str(team_id), Role.ENGINEER)]
    misspelt = cli.run("webhook", "add", "https://portal.example/hooks", "--team", "Chekout")
    assert (misspelt.code, misspelt.out) == (1, "")
    assert "No team is called Chekout. There are: Checkout." in misspelt.err


def test_a_token_is_rotated_and_the_old_one_ends_after_its_grace(cli: Cli) -> None:
    first = cli.run("token", "create", "Ada", "--scope", "graphql:free-form", "--json").json()["record"]
    rotated = cli.run("token", "rotate", first["token_id"], "--grace-hours", "1", "--days", "7", "--json")
    assert rotated.code == 0, rotated.err
    second = rotated.json()["record"]
    assert rotated.json()["token"].startswith(second["hint"])
    assert (second["member_id"], second["client"], second["scopes"]) == (
        first["member_id"],
        first["client"],
        ["graphql:free-form"],
    )
    old, new = cli.run("token", "list", "--json").json()["tokens"]
    assert old["expires_at"] < new["expires_at"] < first["expires_at"]
    again = cli.run("token", "rotate", first["token_id"])
    assert (again.code, again.out) == (1, "")
    assert "rotated before" in again.err
    unknown = cli.run("token", "rotate", str(uuid4()))
    assert (unknown.code, "no live token" in unknown.err) == (1, True)


def test_a_service_is_a_member_that_decides_nothing(cli: Cli) -> None:
    deciding = cli.run("token", "create", "Portal", "--service", "--role", "PRODUCT_MANAGER", "--team", str(uuid4()))
    assert (deciding.code, "for people" in deciding.err) == (2, True)
    made = cli.run("token", "create", "Portal", "--service", "--role", "AUDITOR", "--json")
    assert made.json()["record"]["scopes"] == ["graphql:mutate"]
    more = cli.run("token", "create", "Portal", "--service", "--scope", "none", "--json")
    assert more.json()["record"]["scopes"] == []
    both = cli.run("token", "create", "Portal", "--scope", "none", "--scope", "graphql:mutate")
    assert (both.code, "stands alone" in both.err) == (2, True)
    (member,) = cli.run("member", "list", "--json").json()["members"]
    assert (member["name"], member["kind"]) == ("Portal", "SERVICE")
    assert "is a service" in cli.run("member", "add", "Portal").err


def test_a_name_has_a_bound_and_can_be_seen(cli: Cli) -> None:
    for name in ("A" * 201, "Ada\nLovelace"):
        for verb in (("token", "create"), ("member", "add")):
            refused = cli.run(*verb, name)
            assert (refused.code, "A name has 1 to 200 characters" in refused.err) == (2, True), refused.err
    assert cli.run("member", "add", "A" * 200).code == 0
    assert len(cli.run("member", "list", "--json").json()["members"]) == 1


def test_dead_letters_of_an_endpoint_that_is_not_there_are_not_none(cli: Cli) -> None:
    found = cli.run("webhook", "dead", str(uuid4()))
    assert (found.code, "There is no endpoint" in found.err, found.out) == (1, True, "")
    assert cli.run("webhook", "dead").out == "There are no dead letters.\n"


def test_somebody_of_a_provider_is_linked_and_unlinked(cli: Cli, tmp_path: Path) -> None:
    ada = cli.run("member", "add", "Ada").out.strip()
    linking = ("member", "link", "Ada", "--subject", "00u-ada")
    nobody = cli.run(*linking)
    assert (nobody.code, "give --issuer" in nobody.err) == (2, True)
    one = '[[provider]]\nissuer = "https://id.example"\naudience = "https://ledger.example"\njwks_url = "https://id.example/jwks"\n'
    file, several = tmp_path / "providers.toml", tmp_path / "several.toml"
    file.write_text(one)
    several.write_text(one + one.replace("id.example", "other.example"))
    which = cli.run(*linking, LEDGER_OIDC=str(several))
    assert (which.code, "https://id.example, https://other.example" in which.err) == (2, True)
    provider = {"LEDGER_OIDC": str(file)}
    linked = cli.run(*linking, "--json", **provider)
    assert linked.json() == {"issuer": "https://id.example", "subject": "00u-ada", "member_id": ada}
    again = cli.run("member", "link", ada, "--subject", "00u-ada", **provider)
    assert (again.code, "a member already" in again.err) == (1, True)
    assert "https://id.example 00u-ada" in cli.run("member", "list").out
    unlinking = ("member", "unlink", "--subject", "00u-ada", "--issuer", "https://id.example")
    assert cli.run(*unlinking).out == "Unlinked.\n"
    assert cli.run(*unlinking).code == 1
    assert "Nobody is" in cli.run("member", "link", "Grace", "--subject", "x", **provider).err
