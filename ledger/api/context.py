"""What a resolver may reach: who asks, connections to read with, and the state of the ledger that is shown."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias
from uuid import UUID

import anyio
import msgspec
import strawberry
from msgspec import Struct
from msgspec.structs import replace

from ledger.api import roles
from ledger.api.asof import AsOf, KnownAt
from ledger.api.attempts import Attempts, Key
from ledger.api.errors import bad_input, not_found
from ledger.api.feed import Feed
from ledger.api.linking import Linking
from ledger.api.sources import refuse_unknown
from ledger.api.standing import (
    WAIT_S,
    Connection,
    Pool,
    Standing,
    Standings,
    position_at,
    position_of_review,
    reached,
    standings,
)
from ledger.commands.issued import Issued
from ledger.directory.access import AccessKind
from ledger.directory.members import Person, people
from ledger.store.asking import Asking
from ledger.store.integrity.logtree import LogTree
from ledger.store.integrity.remembering import Memory
from ledger.values import GLOBAL_ROLES, ORGANISATION, MemberId, Role, TeamId
from projections.sources.queries import is_known, position_known

if TYPE_CHECKING:
    from ledger.api.compiled import Plans  # made of what is shown, which needs the context
    from ledger.api.snapshot import Names


class Authentication(StrEnum):
    """How it is known who asks."""

    TOKEN = "TOKEN"  # noqa: S105 - no password
    OIDC = "OIDC"


class Viewer(Struct, frozen=True, dict=True):
    """Who asks: the member of the token, and the roles by team; those across teams are under ORGANISATION."""

    member_id: MemberId
    client: str
    roles: dict[TeamId, frozenset[Role]]
    #: The position at which the roles were so.
    roles_at: int = 0
    #: What the token may be used for: `ledger.directory.scopes`.
    scopes: frozenset[str] = frozenset()
    authenticated_by: Authentication = Authentication.TOKEN
    #: The API token; None: it is a provider's.
    token_id: UUID | None = None
    #: When the token ends; None: never by itself.
    expires_at: datetime | None = None

    @cached_property
    def credential(self) -> str:
        """This will name the token that was used, for limits per token; it shows nothing of it."""
        return str(self.token_id or f"{self.authenticated_by}/{self.member_id}/{self.client}")

    @property
    def reads_all(self) -> bool:
        """This will say whether a role across teams lets the viewer read every team."""
        return bool(self.roles.get(ORGANISATION, frozenset()) & GLOBAL_ROLES)


class Resources(Struct, frozen=True):
    """What all requests of a process share."""

    #: Connections that may only read, with time limits of their own.
    reads: Pool
    #: Where it is asked how everything stands.
    moments: Asking
    #: Runs a command on the event loop, told where the ledger ended after it came; None, and nothing done, for one that `handle` must run.
    handle_at_once: Callable[[Issued[Struct], int], Awaitable[Any]]
    #: Runs a command. It blocks, so it is called in a worker thread, of which there are as many as the limiter allows.
    handle: Callable[[Issued[Struct]], Any]
    commands: anyio.CapacityLimiter
    #: New facts as they come.
    feed: Feed
    #: What was seen of the ledger: where it is another now, nothing is answered.
    memory: Memory
    #: Whom the people of identity providers are here.
    linking: Linking
    #: Longest wait for a view, in seconds.
    wait_s: float = WAIT_S
    #: Counts what was refused.
    attempts: Attempts = msgspec.field(default_factory=Attempts)
    #: The Merkle tree over the log, as far as a proof needed it.
    tree: LogTree = msgspec.field(default_factory=LogTree)


@dataclass
class Context:
    """One request's. Resolvers find it as `info.context`."""

    viewer: Viewer
    resources: Resources
    #: The views that were read, as they were then; an answer says the earliest of these states.
    shown: dict[str, Standing] = field(default_factory=dict)
    #: The last position that this request's mutations recorded; 0: none did.
    recorded: int = 0
    #: By what the answer calls them: the payloads of mutations that were done before the standard executor came to them, or their errors.
    done: dict[str, Any] = field(default_factory=dict)
    #: Where a stream that broke off goes on, as its transport knows it; None: it is a new one.
    resume_after: int | None = None
    #: Where the views stood when the request came; None: that is looked up when it is needed.
    known: Standings | None = None
    #: How the document's selections are completed fast; None: they are not.
    plans: "Plans | None" = None
    #: Names that were read since the directory moved last; None: they are read each time.
    names: "Names | None" = None

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Connection]:
        """This will lend a connection that may only read. Wait for nothing else inside the block. Raises NotReconciled."""
        async with self.resources.reads.connection() as connection:
            self.resources.memory.refuse()
            yield connection

    async def position(self, view: str, as_of: AsOf | None = None, at_least: int | None = None) -> int | None:
        """This will settle which state of a view to show: a position, or None for the present one.

        It waits until the view has got to `at_least`, and to the position that `as_of` means. Raises the errors VIEW_LATE,
        and BAD_USER_INPUT for a position that the ledger has not reached. Call it outside `read()`: waiting holds no connection;
        and before `visible_teams()`: roles that were given by `at_least` count.
        """
        if at_least is not None and at_least > self.viewer.roles_at:
            await self.roles_at(at_least)
        at = None if as_of is None else await self._meant(as_of)
        wanted = max(at or 0, at_least or 0)
        found = self.known
        if found is None or view not in found.views or found.of(view).position < wanted or self.recorded:
            found = await reached(self.resources.reads, view, wanted, self.resources.wait_s)
        standing = found.of(view)
        self.shown[view] = standing if at is None else Standing(view, at, standing.head, standing.lag_ms)
        return at

    async def roles_at(self, position: int) -> None:
        """This will read the viewer's roles again: what they were given by then counts."""
        await reached(self.resources.reads, roles.VIEW, position, self.resources.wait_s)
        async with self.read() as connection:
            held = await roles.roles_of(connection, self.viewer.member_id)
        self.viewer = replace(self.viewer, roles=held.roles, roles_at=held.position)

    async def _meant(self, as_of: AsOf) -> int:
        if as_of.known_at:
            return await self._known(as_of.known_at)
        async with self.read() as connection:
            if as_of.recorded_at:
                return await position_at(connection, as_of.recorded_at)
            if as_of.review_id:
                return await position_of_review(connection, as_of.review_id, self.may_see)
            head = (await standings(connection)).head
        if as_of.position is None or as_of.position > head:
            raise bad_input(f"asOf.position is {as_of.position}, and the ledger ends at {head}.")
        return as_of.position

    async def _known(self, known: KnownAt) -> int:
        """This will find the position that holds what sources knew, once the view that says so has read the whole ledger."""
        async with self.read() as connection:
            head = (await standings(connection)).head
        if known.source is not None:
            await refuse_unknown(self, "asOf.knownAt.source", (known.source,), head)
        await reached(self.resources.reads, "sources", head, self.resources.wait_s)
        async with self.read() as connection:
            found = await position_known(connection, known.at, known.source)
            if found is None and known.source is not None and not await is_known(connection, known.source):
                raise bad_input("asOf.knownAt.source: this source never says when it knew anything. Leave it out.")
        return head if found is None else found

    async def head(self) -> int:
        """This will give a position at which the ledger ended after this request came, and after what it has recorded itself."""
        if self.known is None:
            async with self.read() as connection:
                self.known = await standings(connection)
        return max(self.known.head, self.recorded)

    def visible_teams(self) -> frozenset[TeamId] | None:
        """This will give the teams that the viewer may read; None: all of them."""
        return None if self.viewer.reads_all else frozenset(self.viewer.roles) - {ORGANISATION}

    def may_see(self, team_id: UUID) -> bool:
        """This will say whether the viewer may read a team."""
        teams = self.visible_teams()
        return teams is None or team_id in teams

    def refuse_unseen(self, team_id: UUID) -> None:
        """This will raise the error NOT_FOUND for a team that the viewer may not read."""
        if not self.may_see(team_id):
            raise not_found("team")

    def note_forbidden(self, what: str) -> None:
        """This will have it recorded that the viewer was refused a mutation or a field for want of a role or a scope."""
        viewer = self.viewer
        self.resources.attempts.note(Key(AccessKind.FORBIDDEN, what, viewer.member_id, viewer.client, viewer.token_id))

    async def members(self, ids: Iterable[UUID | None], connection: Connection) -> Mapping[MemberId, Person | None]:
        """This will read who the ids are, maybe among others, in one statement; one whom the directory does not know is None, or absent.

        An id that is None is passed over.
        """
        wanted: set[Any] = {*ids} - {None}
        if self.names is None:
            return await people(connection, wanted)
        return await self.names.of(wanted, lambda unknown: people(connection, unknown))


Info: TypeAlias = "strawberry.Info[Context, None]"
