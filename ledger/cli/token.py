"""`decision-ledger token create|list|rotate|revoke`."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import rich_click as click

from ledger.cli.running import Failed, answer, as_json, connected, database
from ledger.cli.who import member_called, team_known
from ledger.directory import members, tokens
from ledger.directory.members import MemberKind
from ledger.directory.scopes import Scope
from ledger.settings import Settings
from ledger.store.connections import patient_connection
from ledger.values import GLOBAL_ROLES, ORGANISATION, Role

LIFE_DAYS_MAX = 366


SCOPES = [scope.value for scope in Scope]
#: What a portal or a robot may be: it decides nothing.
SERVICE_ROLES = frozenset({Role.OBSERVER, Role.AUDITOR, Role.INTEGRATOR})
GRACE_HOURS_MAX = 24 * 14
_NAMES = "SELECT member_id, name FROM directory.members"


@click.group()
def token() -> None:
    """Make, list, rotate and revoke the API's tokens. A token acts for one member; its roles are the member's.

    \b
    decision-ledger token create "Robin" --role STEWARD
    decision-ledger token create "Portal" --service --role AUDITOR
    decision-ledger token list
    """


@token.command()
@click.argument("name")
@click.option(
    "--client", default="cli", show_default=True, help="The program it is for; two live tokens each, for rotation."
)
@click.option("--role", type=click.Choice([role.value for role in Role]), help="Grant the member this role as well.")
@click.option("--team", help="The team of the role, its name or id; AUDITOR, STEWARD and INTEGRATOR need none.")
@click.option("--days", type=click.IntRange(1, LIFE_DAYS_MAX), default=90, show_default=True, help="How long it lives.")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice([*SCOPES, "none"]),
    multiple=True,
    help="What it may be used for; again for several. A person's: all; a service's: graphql:mutate, so trusted documents only.",
)
@click.option("--service", is_flag=True, help="NAME is a portal or a robot: it may be OBSERVER, AUDITOR or INTEGRATOR.")
@as_json
def create(
    name: str,
    client: str,
    role: str | None,
    team: str | None,
    days: int,
    scopes: tuple[str, ...],
    service: bool,
    json: bool,
) -> None:
    """Make a token for the member NAME and show it, this once. A new name becomes a member.

    \b
    decision-ledger token create "Robin" --role STEWARD
    decision-ledger token create "Ada" --role ENGINEER --team Checkout
    decision-ledger token create "Portal" --service --role AUDITOR --scope graphql:free-form
    """
    settings = Settings.from_environment()
    if not name.strip():
        raise click.UsageError("NAME is empty: name the member.")
    if "none" in scopes and len(scopes) > 1:
        raise click.UsageError("--scope none stands alone.")
    _check_role(role, team, service=service)
    with database(settings, migrated=True) as url, patient_connection(url) as connection:
        team_id = ORGANISATION if team is None else team_known(connection, team)
        member_id = member_called(connection, name, MemberKind.SERVICE if service else None)
        if role is not None:
            from ledger.cli.granting import grant  # noqa: PLC0415 - the whole application, which the other verbs don't need

            grant(url, member_id, Role(role), team_id)
        try:
            secret, made = tokens.create(
                connection,
                settings.pepper(),
                member_id,
                client,
                expires_at=datetime.now(UTC) + timedelta(days=days),
                granted=[scope for scope in scopes if scope != "none"] if scopes else None,
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
    with connected(Settings.from_environment()) as connection:
        found = tokens.every(connection)
        names = dict(connection.execute(_NAMES).fetchall())
    lines = [
        f"{each.token_id}  {each.hint}…  {names.get(each.member_id) or '(erased)'}  {each.client}  {_standing(each)}"
        f"  {' '.join(each.scopes) or 'no scope'}"
        for each in found
    ]
    answer({"tokens": found}, "\n".join(lines) or "There are no tokens.", json=json)


@token.command()
@click.argument("token_id", type=click.UUID)
@click.option(
    "--grace-hours",
    type=click.IntRange(0, GRACE_HOURS_MAX),
    default=24,
    show_default=True,
    help="How long the old one lets its client in yet.",
)
@click.option("--days", type=click.IntRange(1, LIFE_DAYS_MAX), default=90, show_default=True, help="How long it lives.")
@as_json
def rotate(token_id: UUID, grace_hours: int, days: int, json: bool) -> None:
    """Make the token that takes another's place, with its client and scopes, and show it, this once; the old one ends after a day.

    \b
    decision-ledger token rotate 7f0c…
    decision-ledger token rotate 7f0c… --grace-hours 0
    """
    settings = Settings.from_environment()
    with connected(settings) as connection:
        try:
            secret, made = tokens.rotate(
                connection,
                settings.pepper(),
                token_id,
                grace=timedelta(hours=grace_hours),
                life=timedelta(days=days),
            )
        except tokens.NoSuchToken as error:
            raise Failed(f"{error}. See: decision-ledger token list") from error
        except members.NoSuchMember as error:
            raise Failed(f"{error}.") from error
        except tokens.TooManyTokens as error:
            raise Failed(f"{error}: it was rotated before. See: decision-ledger token list") from error
    answer({"token": secret, "record": made}, secret, json=json)


@token.command()
@click.argument("token_id", type=click.UUID)
@as_json
def revoke(token_id: UUID, json: bool) -> None:
    """End a token at once; TOKEN_ID is what `list` shows. A token that has ended already gives exit code 1.

    \b
    decision-ledger token revoke 7f0c…
    """
    with connected(Settings.from_environment()) as connection:
        ended = tokens.revoke(connection, token_id)
    sentence = "Revoked." if ended else "There is no such live token. See: decision-ledger token list"
    answer({"token_id": token_id, "revoked": ended}, sentence, json=json)
    if not ended:
        raise SystemExit(1)


def _check_role(role: str | None, team: str | None, *, service: bool) -> None:
    if role is None and team is not None:
        raise click.UsageError("--team is for a role: name it with --role.")
    if role is not None and (Role(role) in GLOBAL_ROLES) == (team is not None):
        where = (
            "is a role across teams: leave --team out." if team else "is a role in a team: name the team with --team."
        )
        raise click.UsageError(f"{role} {where}")
    if service and role is not None and Role(role) not in SERVICE_ROLES:
        raise click.UsageError(f"{role} is for people: a service is OBSERVER, AUDITOR or INTEGRATOR.")


def _standing(each: tokens.Token) -> str:
    if each.revoked_at is not None:
        return f"revoked {each.revoked_at:%Y-%m-%d}"
    if each.expires_at is not None and each.expires_at <= datetime.now(UTC):
        return f"expired {each.expires_at:%Y-%m-%d}"
    used = f"last used {each.last_used_at:%Y-%m-%d %H:%M}" if each.last_used_at else "never used"
    return f"live until {each.expires_at:%Y-%m-%d}, {used}" if each.expires_at else f"live, {used}"
