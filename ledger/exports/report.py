"""The whole story of one proposal, as an auditor reads it: the question, the answer, what became of it, and how to check that."""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import starmap
from uuid import UUID

import psycopg
from msgspec import Struct

from ledger.directory.members import Person, people
from ledger.exports.material import Told
from ledger.exports.page import Part
from ledger.exports.telling import told
from ledger.store.connections import ONE_STATE, patient_async_connection
from projections.audit.story import ProposalStory, proposal_story
from projections.audit.timeline import TimelineEntry, timeline
from projections.audit.version_structs import KINDS, RECORDED, Version, version_of
from projections.catalogue import BUILT_AS
from projections.conditions import Connection, instant_of, rows

#: Most facts of one proposal that are told.
FACTS_MAX = 100_000

_LEAVES = "SELECT position, leaf FROM ledger.events WHERE stream_id = %(id)s AND position <= %(until)s ORDER BY version"
_VERSIONS = (
    f"SELECT {RECORDED} FROM ledger.events AS e WHERE e.stream_id = %(id)s AND e.topic = ANY(%(topics)s)"  # noqa: S608
    " AND e.position <= %(until)s ORDER BY e.version"
)
_STATE = f"SELECT position, fault FROM views.positions WHERE view = 'audit' AND definition IN ({BUILT_AS})"  # noqa: S608
_HEAD = "SELECT h.position, i.ledger_id FROM ledger.head AS h, ledger.identity AS i"


class NotTold(Exception):  # noqa: N818 - named for what it is
    """There is no such proposal in that state, or no view to tell it from."""


class Report(Struct, frozen=True):
    """The parts of the report, and the position whose state it tells."""

    parts: list[Part]
    position: int
    title: str


def report(url: str, proposal_id: UUID, *, as_of: int | None = None, checkpoint: str | None = None) -> Report:
    """This will tell a proposal's story as it is now, or was at a position. `checkpoint`: the signed note to hold it against.

    Raises NotTold.
    """
    return asyncio.run(_report(url, proposal_id, as_of, checkpoint))


async def _report(url: str, proposal_id: UUID, as_of: int | None, checkpoint: str | None) -> Report:
    async with await patient_async_connection(url) as connection, connection.transaction():
        # One snapshot: the story, the log and the names belong together.
        await connection.execute(ONE_STATE)
        until, ledger_id = await _until(connection, as_of)
        now = datetime.now(UTC) if as_of is None else await instant_of(connection, until, datetime.now(UTC))
        story = await proposal_story(connection, None, proposal_id, now, as_of=until)
        if story is None:
            raise NotTold(
                f"There is no proposal {proposal_id} at position {until}. Look its id up: `backlog` and `declined` have it"
            )
        facts = await timeline(connection, None, proposal_id, limit=FACTS_MAX, as_of=until)
        values = {"id": proposal_id, "until": until, "topics": list(KINDS)}
        versions = tuple(starmap(version_of, await rows(connection, _VERSIONS, values)))
        leaves: dict[int, bytes] = dict(await rows(connection, _LEAVES, values))
        names = await people(connection, _mentioned(story, facts, versions))
    called = {member_id: _called(person) for member_id, person in names.items()}
    parts = told(
        Told(story, tuple(facts), versions, leaves, called, until, str(ledger_id), now, as_of is not None, checkpoint)
    )
    return Report(parts, until, story.proposal.title)


async def _until(connection: Connection, as_of: int | None) -> tuple[int, UUID]:
    ((head, ledger_id),) = await rows(connection, _HEAD, {})
    try:
        found = await rows(connection, _STATE, {})
    except psycopg.errors.UndefinedTable:
        found = []
    if not found:
        raise NotTold("The view audit was not built yet. Run: decision-ledger project --once")
    position, fault = found[0]
    if fault is not None and (as_of is None or as_of > position):
        raise NotTold(f"The view audit stopped at position {position}: {fault}")
    if as_of is not None and as_of > position:
        raise NotTold(f"The ledger is at position {head}, and its view at {position}. Give an earlier one")
    return (position if as_of is None else as_of), ledger_id


def _mentioned(story: ProposalStory, facts: Iterable[TimelineEntry], versions: Iterable[Version]) -> set[UUID]:
    """This will give everybody whom the story names."""
    found: set[UUID | None] = {*story.proposal.proposers, *(fact.actor.member_id for fact in facts)}
    found |= {version.by for version in versions}
    for concern in story.concerns:
        found |= {concern.raised_by, concern.answered_by, concern.overruled_by}
    for each in story.decisions:
        decision = each.decision
        found |= {decision.decider, *(member for telling in decision.communications for member in telling.audience)}
        found |= {telling.by for telling in decision.communications}
        found |= {given.by for given in decision.acknowledgements} | {played.by for played in decision.playbacks}
        found |= {appeal.by for appeal in each.appeals} | {appeal.heard_by for appeal in each.appeals}
    return {member for member in found if member is not None}


def _called(person: Person) -> str:
    return person.name or ("somebody whose name was erased" if person.erased_at else f"member {person.member_id}")
