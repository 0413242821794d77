"""Members and teams by the names that an operator types."""

from typing import Any
from uuid import UUID, uuid4, uuid5

import psycopg

from ledger.cli.running import USAGE, Failed
from ledger.directory import members
from ledger.directory.members import MemberKind
from ledger.exports.choosing import NoSuchTeam, team_called
from ledger.values import NAMESPACE, MemberId, TeamId

_FIND = "SELECT member_id, kind FROM directory.members WHERE name = %s AND erased_at IS NULL LIMIT 2"


def member_called(connection: psycopg.Connection[Any], name: str, kind: MemberKind | None = None) -> MemberId:
    """This will find the one member of that name, or enter one; `kind` None: whatever is found, and a person where nobody is.

    Raises Failed for a name that several have, that somebody of another kind has, or that is none.
    """
    found = connection.execute(_FIND, [name]).fetchall()
    if len(found) > 1:
        raise Failed(f"Several members are called {name}; the directory must tell them apart first.")
    if found:
        if kind is not None and found[0][1] != kind:
            raise Failed(f"{name} is a {found[0][1].lower()}; give the {kind.lower()} another name.")
        return MemberId(found[0][0])
    if not members.is_name(name):
        raise Failed(f"A name has 1 to {members.NAME_MAX} characters, and can be seen. Give another.", USAGE)
    member_id = MemberId(uuid5(NAMESPACE, f"member/{uuid4()}"))
    members.put(connection, [members.Person(member_id, name, kind=kind or MemberKind.PERSON)])
    return member_id


def member_known(connection: psycopg.Connection[Any], who: str) -> MemberId:
    """This will find the one member of a name or an id. Raises Failed."""
    try:
        found = connection.execute(
            "SELECT member_id FROM directory.members WHERE member_id = %s", [UUID(who)]
        ).fetchall()
    except ValueError:
        found = connection.execute(_FIND, [who]).fetchall()
    if len(found) != 1:
        raise Failed(f"{'Nobody is' if not found else 'Several members are'} called {who}; give a member's id.")
    return MemberId(found[0][0])


def team_known(connection: psycopg.Connection[Any], who: str) -> TeamId:
    """This will find the one team of a name or an id. Raises Failed."""
    try:
        return TeamId(team_called(connection, who))
    except NoSuchTeam as error:
        raise Failed(f"{error}.") from error
