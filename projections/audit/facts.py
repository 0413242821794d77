"""The whole log in its order, each fact with the team that it concerns: what a stream of events is cut from."""

from uuid import UUID

import psycopg
from msgspec.structs import asdict

from ledger.store.codec import PAYLOAD
from projections.audit.timeline import TimelineEntry, entry
from projections.conditions import Connection, rows

#: The views that say to which team a stream belongs. What they have all digested can be shown.
VIEWS = ("audit", "reviews", "teams")

_REACHED = "SELECT count(*), min(position) FROM views.positions WHERE view = ANY(%(views)s)"
_AFTER = f"""
SELECT e.stream_id, COALESCE(p.team_id, r.team_id, t.team_id), e.position, e.recorded_at, e.topic, e.meta, {PAYLOAD}
  FROM ledger.events AS e
  LEFT JOIN views.audit_proposals AS p ON p.proposal_id = e.stream_id AND p.valid_to IS NULL
  LEFT JOIN views.reviews AS r ON r.review_id = e.stream_id AND r.valid_to IS NULL
  LEFT JOIN views.teams AS t ON t.team_id = e.stream_id AND t.valid_to IS NULL
 WHERE e.position > %(after)s AND e.position <= %(until)s ORDER BY e.position
"""


class LedgerEvent(TimelineEntry, frozen=True):
    """One fact of the log, with its stream and the team that the stream belongs to; None: to none."""

    stream_id: UUID
    team_id: UUID | None


async def reached(connection: Connection) -> int:
    """This will give the position up to which every fact's team is known; 0 before the views were built."""
    try:
        ((count, position),) = await rows(connection, _REACHED, {"views": list(VIEWS)})
    except psycopg.errors.UndefinedTable:
        return 0
    return position if count == len(VIEWS) else 0


async def facts_after(connection: Connection, after: int, until: int, limit: int) -> list[LedgerEvent]:
    """This will give up to `limit` facts after a position and up to another, in order, of all teams: the caller sifts them."""
    found = await rows(connection, f"{_AFTER} LIMIT {limit:d}", {"after": after, "until": until})
    return [_event(*row) for row in found]


def _event(stream_id: UUID, team_id: UUID | None, *row: object) -> LedgerEvent:
    shown = entry(*row)  # type: ignore[arg-type]
    return LedgerEvent(**asdict(shown), stream_id=stream_id, team_id=team_id)
