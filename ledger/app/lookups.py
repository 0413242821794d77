"""What the handlers need of the views and the directory: the one place where these two meet."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from time import monotonic, sleep
from typing import Any
from uuid import UUID

import psycopg

from ledger.api.standing import Standing, late
from ledger.events import TOPICS
from ledger.events.proposal import AppealLodged, ConcernRaised, DecisionTaken
from ledger.store.connections import STATEMENT_TIMEOUT_MS, Pool, reader_pool
from ledger.values import MemberId, PolicyId, ProposalId, TeamId
from projections.audit import projector as audit
from projections.backlog import projector as backlog
from projections.catalogue import BUILT_AS
from projections.projector import View
from projections.reviews import projector as reviews

#: Most proposals that one agenda looks at.
LOOKED_AT_MAX = 10_000
#: Longest wait for a view before an agenda is frozen, and how often it is looked at meanwhile, in seconds.
WAIT_S = 5.0
POLL_S = 0.01
POOL_SIZE = 2

_PENDING = b"""
SELECT id FROM views.backlog WHERE team_id = %s AND status = 'PENDING' AND valid_to IS NULL
 ORDER BY place, submitted_position, id LIMIT %s
"""
_WAITING = b"""
SELECT d.proposal_id FROM views.audit_decisions AS d JOIN views.audit_proposals AS p USING (proposal_id)
 WHERE d.team_id = %s AND d.may_return AND p.status IN ('DECLINED', 'POSTPONED') AND d.valid_to IS NULL AND p.valid_to IS NULL
 ORDER BY COALESCE(d.next_date, 'infinity'), d.decision_id LIMIT %s
"""
_REVIEWS_HELD = b"""
SELECT min(valid_from) FROM views.reviews WHERE team_id = %s AND kind = 'PRODUCT' AND state = 'CLOSED' GROUP BY review_id ORDER BY 1
"""
_POLICY = b"SELECT policy_id FROM views.backlog_rankings WHERE team_id = %s AND valid_to IS NULL"
#: Of facts after a position: whose decision, concern or appeal has an id.
_GIVEN_AFTER = f"""
SELECT stream_id FROM ledger.events
 WHERE position > {{after}} AND topic IN ('{"', '".join(TOPICS[fact] for fact in (DecisionTaken, ConcernRaised, AppealLodged))}')
   AND strpos(convert_from(payload, 'UTF8'), %(given)s::text) > 0 LIMIT 1
"""  # noqa: S608 - names of our own
#: By the view, and by the log from where the view is on: so it is exact, and waits for nothing.
_AFTER_VIEW = _GIVEN_AFTER.format(after="COALESCE((SELECT position FROM views.positions WHERE view = 'audit'), 0)")
_PROPOSAL_OF = f"""
SELECT proposal_id FROM views.audit_decisions WHERE decision_id = %(given)s UNION ALL
SELECT proposal_id FROM views.audit_concerns WHERE concern_id = %(given)s UNION ALL
SELECT proposal_id FROM views.audit_appeals WHERE appeal_id = %(given)s UNION ALL
({_AFTER_VIEW}) LIMIT 1
"""  # noqa: S608 - names of our own
#: Waits until nobody has the turn of an id (or of another that shares its last 31 bits), and has it until the transaction ends.
_TURN = b"SELECT pg_advisory_xact_lock(%s::int, %s::int)"
_TURNS_OF_IDS = 0x1D
_MEMBER = b"SELECT FROM directory.members WHERE member_id = %s"
_STANDING = f"""
SELECT h.position, p.position, p.fault
  FROM ledger.head AS h LEFT JOIN views.positions AS p ON p.view = %s AND p.definition IN ({BUILT_AS})
""".encode()  # noqa: S608 - hashes of our own


class ViewLookups:
    """Tells the handlers which streams an agenda may need, by the views at the ledger's head, and who is a member.

    A view that does not get there within `wait_s` raises the error VIEW_LATE. Safe for many threads; connects when first asked.
    """

    def __init__(self, url: str, *, wait_s: float = WAIT_S) -> None:
        self._url = url
        self._wait_s = wait_s

    @cached_property
    def _pool(self) -> Pool:
        return reader_pool(self._url, POOL_SIZE, STATEMENT_TIMEOUT_MS)

    def close(self) -> None:
        """This will end its connections; it must not be asked again."""
        if "_pool" in vars(self):
            self._pool.close()

    def pending(self, team_id: TeamId) -> list[ProposalId]:
        """This will give the proposals in the team's backlog, the foremost 10,000."""
        return self._rows(backlog.VIEW, _PENDING, team_id, LOOKED_AT_MAX)

    def postponed(self, team_id: TeamId) -> list[ProposalId]:
        """This will give the team's proposals with a NO that conditions may bring back, declined ones too, the nearest date first."""
        return self._rows(audit.VIEW, _WAITING, team_id, LOOKED_AT_MAX)

    def reviews_held(self, team_id: TeamId) -> list[int]:
        """This will give the positions at which product reviews of the team closed."""
        return self._rows(reviews.VIEW, _REVIEWS_HELD, team_id)

    def policy_in_force(self, team_id: TeamId) -> PolicyId | None:
        """This will give the policy that the team goes by."""
        return next(iter(self._rows(backlog.VIEW, _POLICY, team_id)), None)

    def is_member(self, member_id: MemberId) -> bool:
        """This will say whether the directory has this member."""
        with self._pool.connection() as connection:
            return connection.execute(_MEMBER, [member_id]).fetchone() is not None

    @contextmanager
    def proposal_of(self, given: UUID) -> Iterator[ProposalId | None]:
        """This will give the proposal that has a decision, a concern or an appeal of this id; None: it is free, until the block ends.

        Whoever else asks for the id, in whatever process, waits for that end, and then sees what was recorded in the block.
        """
        with self._pool.connection() as connection:
            connection.execute("BEGIN")
            connection.execute(_TURN, [_TURNS_OF_IDS, given.int % 2**31])
            try:
                with connection.transaction():
                    row = connection.execute(_PROPOSAL_OF.encode(), {"given": given}).fetchone()
            except psycopg.errors.UndefinedTable:  # no view was ever built
                row = connection.execute(_GIVEN_AFTER.format(after=0).encode(), {"given": given}).fetchone()
            try:
                yield None if row is None else ProposalId(row[0])
            finally:
                with suppress(
                    psycopg.OperationalError
                ):  # what was recorded in the block is so, whatever becomes of the turn
                    connection.rollback()

    def _rows(self, view: View, statement: bytes, *values: object) -> list[Any]:
        with self._pool.connection() as connection:
            deadline = monotonic() + self._wait_s
            standing = _standing(connection, view.name)
            wanted = standing.head
            while standing.position < wanted:
                if standing.fault is not None or monotonic() >= deadline:
                    raise late(standing, wanted)
                sleep(POLL_S)
                standing = _standing(connection, view.name)
            return [row[0] for row in connection.execute(statement, values)]


def _standing(connection: psycopg.Connection[Any], view: str) -> Standing:
    try:
        row = connection.execute(_STANDING, [view]).fetchone()
    except psycopg.errors.UndefinedTable:  # no view was ever built
        row = connection.execute("SELECT position, NULL, NULL FROM ledger.head").fetchone()
    head, position, fault = row or (0, None, None)
    return Standing(view, position or 0, head, fault=fault)
