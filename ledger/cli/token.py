"""`decision-ledger token create|list|revoke`."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4, uuid5

import psycopg
import rich_click as click

from ledger.cli.running import Failed, answer, as_json, database
from ledger.directory import members, tokens
from ledger.settings import Settings
from ledger.values import GLOBAL_ROLES, NAMESPACE, ORGANISATION, MemberId, Role, TeamId

LIFE_DAYS_MAX = 366


@click.group()
def token() -> None:
    """Make, list and revoke the API's tokens. A token acts for one member; its roles are the member's.

    \b
    decision-ledger token create "Robin" --role STEWARD
    decision-ledger token list
    """


@token.command()
@click.argument("name")
@click.option(
    "--client", default="cli", show_default=True, help="The program it is for; two live tokens each, for rotation."
)
@click.option("--role", type=click.Choice([role.value for role in Role]), help="Grant the member this role as well.")
@click.option("--team", type=click.UUID, help="The team of the role; AUDITOR, STEWARD and INTEGRATOR need none.")
@click.option("--days", type=click.IntRange(1, LIFE_DAYS_MAX), default=90, show_default=True, help="How long it lives.")
@as_json
def create(name: str, client: str, role: str | None, team: UUID | None, days: int, json: bool) -> None:
    """Make a token for the member NAME and show it, this once. A new name becomes a member.

    \b
    decision-ledger token create "Robin" --role STEWARD
    decision-ledger token create "Ada" --role ENGINEER --team 4d0c…
    """
    settings = Settings.from_environment()
    if not name.strip():
        raise click.UsageError("NAME is empty: name the member.")
    if role is None and team is not None:
        raise click.UsageError("--team is for a role: name it with --role.")
    if role is not None and (Role(role) in GLOBAL_ROLES) == (team is not None):
        where = (
            "is a role across teams: leave --team out." if team else "is a role in a team: name the team with --team."
        )
        raise click.UsageError(f"{role} {where}")
    with database(settings, migrated=True) as url, psycopg.connect(url, autocommit=True) as connection:
        member_id = _member(connection, name)
        if role is not None:
            from ledger.cli.granting import grant  # noqa: PLC0415 - the whole application, which the other verbs don't need

            grant(url, member_id, Role(role), TeamId(team) if team else ORGANISATION)
        try:
            secret, made = tokens.create(
                connection, settings.pepper(), member_id, client, expires_at=datetime.now(UTC) + timedelta(days=days)
            )
        except tokens.TooManyTokens as error:
            raise Failed(f"{error}. See: decision-ledger token list") from error
    answer({"token": secret, "record": made}, secret, json=json)


@token.command("list")
@as_json
def list_(json: bool) -> None:
    """List all tokens that there ever were, by how they begin; never the tokens themselves.

    \b
    decision-ledger token list
    decision-ledger token list --json
    """
    with (
        database(Settings.from_environment(), migrated=True) as url,
        psycopg.connect(url, autocommit=True) as connection,
    ):
        found = tokens.every(connection)
    lines = [f"{each.token_id}  {each.hint}…  {each.client}  {_standing(each)}" for each in found]
    answer({"tokens": found}, "\n".join(lines) or "There are no tokens.", json=json)


@token.command()
@click.argument("token_id", type=click.UUID)
@as_json
def revoke(token_id: UUID, json: bool) -> None:
    """End a token at once; TOKEN_ID is what `list` shows. A token that has ended already gives exit code 1.

    \b
    decision-ledger token revoke 7f0c…
    """
    with (
        database(Settings.from_environment(), migrated=True) as url,
        psycopg.connect(url, autocommit=True) as connection,
    ):
        ended = tokens.revoke(connection, token_id)
    answer({"revoked": ended}, "Revoked." if ended else "There is no such live token.", json=json)
    if not ended:
        raise SystemExit(1)


def _member(connection: psycopg.Connection[Any], name: str) -> MemberId:
    """This will find the one member of that name, or make one."""
    found = connection.execute(
        "SELECT member_id FROM directory.members WHERE name = %s AND erased_at IS NULL LIMIT 2", [name]
    ).fetchall()
    if len(found) > 1:
        raise Failed(f"Several members are called {name}; the directory must tell them apart first.")
    if found:
        return MemberId(found[0][0])
    member_id = MemberId(uuid5(NAMESPACE, f"member/{uuid4()}"))
    members.put(connection, [members.Person(member_id, name)])
    return member_id


def _standing(each: tokens.Token) -> str:
    if each.revoked_at is not None:
        return f"revoked {each.revoked_at:%Y-%m-%d}"
    if each.expires_at is not None and each.expires_at <= datetime.now(UTC):
        return f"expired {each.expires_at:%Y-%m-%d}"
    used = f"last used {each.last_used_at:%Y-%m-%d %H:%M}" if each.last_used_at else "never used"
    return f"live until {each.expires_at:%Y-%m-%d}, {used}" if each.expires_at else f"live, {used}"
