"""`decision-ledger member add|list|link|unlink|erase`."""

from datetime import UTC, datetime
from uuid import uuid4

import rich_click as click

from ledger.cli.running import CHECK_FAILED, USAGE, Failed, answer, as_json, connected, database
from ledger.cli.who import member_called, member_known
from ledger.commands import Issued
from ledger.commands.member import EraseMember
from ledger.directory import identities, members
from ledger.directory.identities import Identity
from ledger.directory.members import MemberKind
from ledger.domain.rejected import Code, Rejected
from ledger.handlers import Handlers
from ledger.settings import Settings
from ledger.store.application import Ledger
from ledger.store.connections import patient_connection
from ledger.values import MemberId

_LIST = "SELECT member_id, name, kind, erased_at FROM directory.members ORDER BY name NULLS LAST, member_id"


@click.group()
def member() -> None:
    """Say who the members are: people, services, and whom an identity provider's people are here.

    \b
    decision-ledger member add "Portal" --service
    decision-ledger member link "Ada" --subject 8f1d…
    decision-ledger member list
    decision-ledger member erase "Ada" --by Robin --reason "she asked for it" --legal-basis "GDPR Article 17(1)(b)"
    """


@member.command()
@click.argument("name")
@click.option("--service", is_flag=True, help="NAME is a portal or a robot.")
@as_json
def add(name: str, service: bool, json: bool) -> None:
    """Enter a member under a name, unless somebody of that name is there.

    \b
    decision-ledger member add "Ada"
    """
    if not name.strip():
        raise click.UsageError("NAME is empty: name the member.")
    with connected(Settings.from_environment()) as connection:
        kind = MemberKind.SERVICE if service else MemberKind.PERSON
        member_id = member_called(connection, name, kind)
    answer({"member_id": member_id, "name": name, "kind": kind}, str(member_id), json=json)


@member.command("list")
@as_json
def list_(json: bool) -> None:
    """List all members, with the identities that are theirs.

    \b
    decision-ledger member list --json
    """
    with connected(Settings.from_environment()) as connection:
        rows = connection.execute(_LIST).fetchall()
        linked = identities.every(connection)
    found = [
        {
            "member_id": row[0],
            "name": row[1],
            "kind": row[2],
            "erased_at": row[3],
            "identities": [each for each in linked if each.member_id == row[0]],
        }
        for row in rows
    ]
    lines = [
        f"{each['member_id']}  {each['kind']:<7}  {each['name'] or '(erased)'}"
        + "".join(f"  {one.issuer} {one.subject}" for one in each["identities"])
        for each in found
    ]
    answer({"members": found}, "\n".join(lines) or "There are no members.", json=json)


@member.command()
@click.argument("who")
@click.option("--subject", required=True, help="The claim `sub` of the provider's tokens.")
@click.option("--issuer", help="The provider, where there are several in LEDGER_OIDC.")
@as_json
def link(who: str, subject: str, issuer: str | None, json: bool) -> None:
    """Let the provider's SUBJECT in as the member WHO, a name or an id.

    \b
    decision-ledger member link "Ada" --subject 8f1d…
    """
    if not identities.is_subject(subject):
        raise click.BadParameter(
            f"It has 1 to {identities.SUBJECT_MAX} characters that can be seen.", param_hint="'--subject'"
        )
    settings = Settings.from_environment()
    with connected(settings) as connection:
        identity = Identity(_issuer(settings, issuer), subject, member_known(connection, who))
        try:
            identities.link(connection, identity)
        except (identities.LinkedAlready, members.NoSuchMember) as error:
            raise Failed(f"{error}.") from error
    answer(identity, f"{subject} comes in as {identity.member_id}.", json=json)


@member.command()
@click.option("--subject", required=True, help="The claim `sub` of the provider's tokens.")
@click.option("--issuer", help="The provider, where there are several in LEDGER_OIDC.")
@as_json
def unlink(subject: str, issuer: str | None, json: bool) -> None:
    """Let the provider's SUBJECT in no more.

    \b
    decision-ledger member unlink --subject 8f1d…
    """
    settings = Settings.from_environment()
    with connected(settings) as connection:
        gone = identities.unlink(connection, _issuer(settings, issuer), subject)
    answer({"subject": subject, "unlinked": gone}, "Unlinked." if gone else "Nobody here is that subject.", json=json)
    if not gone:
        raise SystemExit(CHECK_FAILED)


@member.command()
@click.argument("who")
@click.option("--by", required=True, help="The steward who asks: name or member id.")
@click.option("--reason", required=True, help="Why, without the name; it is recorded for good.")
@click.option("--legal-basis", required=True, help="The law, contract or order that asks for it; recorded too.")
@click.confirmation_option(prompt="The name can't be brought back. Go on?", help="Don't ask.")
@as_json
def erase(who: str, by: str, reason: str, legal_basis: str, json: bool) -> None:
    """Remove the name, address and identities of WHO (a name or an id) for good, and end their tokens; what they did stays, by their id.

    Names that somebody wrote into a text are for `redact`. Backups keep theirs until they are rotated.

    \b
    decision-ledger member erase "Ada" --by Robin --reason "she asked for it" --legal-basis "GDPR Article 17(1)(b)"
    """
    with (
        database(Settings.from_environment(), migrated=True) as url,
        Ledger(url, pool_size=2) as ledger,
        patient_connection(url) as connection,
    ):
        member_id, steward = member_known(connection, who), member_known(connection, by)
        position = _recorded(ledger, url, EraseMember(member_id, reason, legal_basis), steward)
        erased = members.erase(connection, member_id, by=steward)
    document = {"member_id": member_id, "position": position, "erased": erased}
    answer(document, f"Member {member_id} has no name any more; position {position} says why.", json=json)


def _recorded(ledger: Ledger, url: str, command: EraseMember, by: MemberId) -> int:
    """This will record an erasure and give its position; of one that was recorded before, that one's. Raises Failed."""
    from ledger.app import ViewLookups  # noqa: PLC0415 - the whole application, which the other verbs don't need

    try:
        return Handlers(ledger, ViewLookups(url)).handle(Issued(command, uuid4(), by, datetime.now(UTC))).position
    except Rejected as rejected:
        if rejected.code is Code.WRONG_STATE:
            return ledger.events(command.member_id)[0].position
        raise Failed(rejected.message) from rejected


def _issuer(settings: Settings, issuer: str | None) -> str:
    """This will give the provider that is meant. Raises Failed."""
    if issuer is not None:
        return issuer
    if len(settings.oidc) != 1:
        there_are = ", ".join(one.issuer for one in settings.oidc) or "none"
        raise Failed(f"No provider is named: give --issuer. In LEDGER_OIDC there are: {there_are}.", USAGE)
    return settings.oidc[0].issuer
