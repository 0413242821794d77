"""Who may issue which command as a page, from the table that the handlers themselves go by."""

from collections import defaultdict

from msgspec import Struct

from ledger.domain.authority import PERMISSIONS, RUNS, Permission
from ledger.values import Role

CHAPTERS = {
    "proposal": "Proposals",
    "review": "Reviews",
    "team": "Teams",
    "policy": "Policies",
    "catalogue": "Reason codes",
    "simulation": "Simulations",
}
#: What a mark in a column means.
MAY = "●"
INTRODUCTION = f"""# Who may do what

Made from the code by `decision-ledger schema --roles`; a test fails when this page and the code differ.

{MAY}: the role may issue the mutation: `ENGINEER`, `ENGINEERING_LEAD`, `PRODUCT_MANAGER` and `OBSERVER` in the team that it is about,
`AUDITOR`, `STEWARD` and `INTEGRATOR` across teams. *Besides*: whose own thing it may be instead, whatever their role is.
Whoever may not is refused as `FORBIDDEN`, with the roles that may.

A role does not suffice everywhere: only those who asked acknowledge a decision and answer a playback, only its raiser resolves a
concern, only its decider plays it back (rule 11), and nobody hears the appeal against their own decision (rule 12).

Reading: any role in a team lets its member read the team; the roles across teams read everything.
How a decider gives reasons (`reasonQuality`) stands beside a name for an `AUDITOR`, a `STEWARD` and the decider alone; everybody else
sees the figures of the teams they may read, their own, and how many deciders there are besides."""


def page() -> str:
    """This will write the table as Markdown, a chapter per kind of thing."""
    by_kind: dict[str, list[type[Struct]]] = defaultdict(list)
    for command in PERMISSIONS:
        by_kind[command.__module__.rsplit(".", 1)[1]].append(command)
    parts = [INTRODUCTION]
    for kind, title in CHAPTERS.items():
        parts += ["", f"## {title}", "", *_table(by_kind.pop(kind))]
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
