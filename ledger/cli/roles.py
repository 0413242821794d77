"""Who may issue which command and read which field as a page, from the tables that the handlers and the resolvers themselves go by."""

from collections import defaultdict
from collections.abc import Collection

from msgspec import Struct

from ledger.api.reading import CHANGING, READING, Reading
from ledger.api.reason_quality import NAMES_ARE_FOR
from ledger.api.schema import root_fields
from ledger.domain.authority import ALONE, PERMISSIONS, RUNS, Permission
from ledger.values import GLOBAL_ROLES, TEAM_ROLES, Role

CHAPTERS = {
    "proposal": "Proposals",
    "review": "Reviews",
    "team": "Teams",
    "member": "Members",
    "policy": "Policies",
    "catalogue": "Reason codes",
    "simulation": "Simulations",
}
#: What a mark in a column means.
MAY = "●"


def _listed(roles: Collection[Role], *more: str) -> str:
    names = [*(f"`{role}`" for role in Role if role in roles), *more]
    return f"{', '.join(names[:-1])} and {names[-1]}"


INTRODUCTION = f"""# Who may do what

Made from the code by `decision-ledger schema --roles`; a test fails when this page and the code differ.

The first tables are about mutations. {MAY}: the role may issue it: {_listed(TEAM_ROLES)}
in the team that it is about, {_listed(GLOBAL_ROLES)} across teams. *Besides*: whose own thing it may be instead,
whatever their role is, and though they have left the team.
Whoever sees the team and may not is refused as `FORBIDDEN`, with the roles that may. To whoever has no role in it, nor one across teams,
nothing of it is there, neither what a mutation is about nor what it names besides: `NOT_FOUND`, word for word as for an id that nobody
has. What is for a `STEWARD` alone is `FORBIDDEN` to everybody else, whether it is there or not. An auditor finds both in `accessLog`.
Two things do tell that an id is taken: something new can't have it (`CONFLICT`), and a proposal may be redirected to any team that there
is. A token must besides have the scope `graphql:mutate`.

Then what a role does not suffice for, and the last table is about reading: any role in a team lets its member read the team; the roles
across teams read everything. {MAY}: it shows the same to every member, or all that there is. `team`: what is of teams in which the reader
has a role; anything else is, to them, not there: a list without it, or `NOT_FOUND`, as for an id that nobody has. `own`: what is about
the reader. –: nothing. Empty: `FORBIDDEN`.
How a decider gives reasons (`reasonQuality`) stands beside a name for {_listed(NAMES_ARE_FOR, "the decider")} alone; everybody else
sees the figures of the teams they may read, their own, and how many deciders there are besides."""


def page() -> str:
    """This will write the table as Markdown, a chapter per kind of thing."""
    by_kind: dict[str, list[type[Struct]]] = defaultdict(list)
    for command in PERMISSIONS:
        by_kind[command.__module__.rsplit(".", 1)[1]].append(command)
    parts = [INTRODUCTION]
    for kind, title in CHAPTERS.items():
        parts += ["", f"## {title}", "", *_table(by_kind.pop(kind))]
    parts += ["", "## Identities", "", *_changing()]
    parts += ["", "## What a role does not suffice for", "", *_alone()]
    parts += ["", "## Reading", "", *_reading()]
    if by_kind:
        raise ValueError(f"no chapter for the commands of {', '.join(by_kind)}")
    return "\n".join(parts) + "\n"


def _table(commands: list[type[Struct]]) -> list[str]:
    heads = ["mutation", *(f"`{role}`" for role in Role), "besides"]
    lines = [heads, ["---", *([":-:"] * len(Role)), "---"]]
    for command in commands:
        permission = PERMISSIONS[command]
        own = f"the {permission.own.lower()}" if permission.own is not None else ""
        lines.append([_mutation(command), *(_mark(permission, role) for role in Role), own])
    return [f"| {' | '.join(line)} |" for line in lines]


def _changing() -> list[str]:
    lines = [["mutation", *(f"`{role}`" for role in Role)], ["---", *([":-:"] * len(Role))]]
    lines += [[f"`{name}`", *(MAY if role in roles else "" for role in Role)] for name, roles in CHANGING.items()]
    return [f"| {' | '.join(line)} |" for line in lines]


def _alone() -> list[str]:
    lines = [["mutation", "is for", "anybody else"], ["---"] * 3]
    lines += [[_mutation(command), whose, f"`{code}`"] for command, (whose, code) in ALONE.items()]
    return [f"| {' | '.join(line)} |" for line in lines]


def _reading() -> list[str]:
    lines = [["field", *(f"`{role}`" for role in Role), "no role"], ["---", *([":-:"] * (len(Role) + 1))]]
    lines += [[f"`{field}`", *(_may_read(field, role) for role in (*Role, None))] for field in root_fields()]
    return [f"| {' | '.join(line)} |" for line in lines]


def _may_read(field: str, role: Role | None) -> str:
    found = READING[field]
    if not isinstance(found, Reading):
        return MAY if role in found else ""
    if found is Reading.TEAM:
        return MAY if role in GLOBAL_ROLES else "team" if role is not None else "–"
    return MAY if found is Reading.ALL else "own"


def _mutation(command: type[Struct]) -> str:
    name = command.__name__
    return f"`{name[0].lower()}{name[1:]}`"


def _mark(permission: Permission, role: Role) -> str:
    if role not in permission.roles:
        return ""
    if not permission.of_its_kind:
        return MAY
    (kind,) = (kind for kind, runs in RUNS.items() if runs is role)
    return f"{kind.lower()} reviews"
