"""Proof that nothing was altered: a stretch checked, and proofs that a client verifies by itself against a checkpoint that it keeps."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Annotated, Any, TypeVar, cast

import anyio
import strawberry
from anyio import from_thread

from ledger.api.asof import AtLeastArgument
from ledger.api.context import Info
from ledger.api.errors import bad_input
from ledger.api.reading import refuse_role
from ledger.api.scalars import Position
from ledger.api.standing import Connection
from ledger.store.connections import Connection as BlockingConnection
from ledger.store.integrity import guard, reading
from ledger.store.integrity.checking import Fault, Kind, checked, unaccounted

T = TypeVar("T")

#: Most facts that one request checks; `decision-ledger verify` checks them all.
FACTS_MAX = 5_000
FACTS = 1_000

_UNACCOUNTED = "SELECT p FROM unnest(%s::bigint[]) AS p WHERE ledger.remains(p) IS NULL ORDER BY p LIMIT 1"

PositionArgument = Annotated[Position, strawberry.argument(description="Where the fact stands; a receipt says it.")]
SizeArgument = Annotated[
    Position | None,
    strawberry.argument(description="How many facts the tree has: that of a checkpoint, say. Left out: all there are."),
]


@strawberry.type(description="What is wrong with the ledger.")
class LedgerFault:
    """A `Fault` of the check."""

    kind: Kind = strawberry.field(description="What is wrong, for programs.")
    position: Position | None = strawberry.field(
        description="The first fact that does not hold; null: it is about the whole."
    )
    message: str = strawberry.field(description="What is wrong, in a sentence.")


@strawberry.type(description="A stretch of the ledger, recomputed from its stored bytes.")
class Verification:
    """What `verify` found."""

    holds: bool = strawberry.field(description="Each fact of the stretch holds, and the database's guards are up.")
    first: Position = strawberry.field(description="The first position that was checked.")
    last: Position = strawberry.field(description="The last position that was checked and holds.")
    head: Position = strawberry.field(description="The last position of the ledger.")
    fault: LedgerFault | None = strawberry.field(description="The first thing that is wrong; null: nothing.")
    guard: list[str] = strawberry.field(
        description="Triggers, functions, owners and grants that are not as they should be."
    )


@strawberry.type(description="Proof that a fact is in the tree of so many facts (RFC 6962, 2.1.1).")
class InclusionProof:
    """Hashes are SHA-256, hexadecimal."""

    position: Position = strawberry.field(description="Where the fact stands; its index in the tree is one less.")
    leaf: str = strawberry.field(description="The fact's leaf, as its receipt has it.")
    tree_size: Position = strawberry.field(description="How many facts the tree has.")
    root: str = strawberry.field(
        description="The tree's root; believe it only where a checkpoint that you keep says it."
    )
    hashes: list[str] = strawberry.field(description="The audit path, from the leaf up.")


@strawberry.type(description="Proof that a ledger is the beginning of a later one (RFC 6962, 2.1.2).")
class ConsistencyProof:
    """Hashes are SHA-256, hexadecimal."""

    first: Position = strawberry.field(description="How many facts the earlier tree has.")
    first_root: str = strawberry.field(description="The earlier tree's root.")
    second: Position = strawberry.field(description="How many facts the later tree has.")
    second_root: str = strawberry.field(description="The later tree's root.")
    hashes: list[str] = strawberry.field(description="The proof's nodes, in the order of the RFC.")


@strawberry.type
class ProofQuery:
    """The root fields `verify`, `inclusionProof` and `consistencyProof`."""

    @strawberry.field(
        description="Checks a stretch of facts and the database's guards. For AUDITOR and STEWARD. The whole ledger, against a"
        " checkpoint, is checked by `decision-ledger verify`."
    )
    async def verify(
        self,
        info: Info,
        start: Annotated[
            Position | None,
            strawberry.argument(
                description="The first position to check. Left out: so that the last fact there is is checked."
            ),
        ] = None,
        count: Annotated[int, strawberry.argument(description="How many facts: 1 to 5,000.")] = FACTS,
        at_least: AtLeastArgument = None,
    ) -> Verification:
        await info.context.position("teams", at_least=at_least)
        refuse_role(info.context, "verify", "The proofs are for everybody.")
        if not 1 <= count <= FACTS_MAX:
            raise bad_input(f"count is {count}; at least 1 and at most {FACTS_MAX:,} facts can be checked at once.")
        return await _in_thread(info, partial(_verification, start=start, count=count))

    @strawberry.field(description="Proves that a fact is among the first so many of the ledger.")
    async def inclusion_proof(
        self, info: Info, position: PositionArgument, tree_size: SizeArgument = None
    ) -> InclusionProof:
        tree = info.context.resources.tree

        def prove(connection: BlockingConnection) -> InclusionProof:
            size = _size(connection, tree_size, "treeSize")
            if not 1 <= position <= size:
                raise bad_input(f"position is {position}, and the tree has the facts from 1 to {size}.")
            (leaf,) = reading.leaves(connection, position - 1, position)
            return InclusionProof(
                position=position,
                leaf=leaf.hex(),
                tree_size=Position(size),
                root=tree.root(connection, size).hex(),
                hashes=[node.hex() for node in tree.inclusion(connection, position, size)],
            )

        return await _in_thread(info, prove)

    @strawberry.field(description="Proves that the ledger of so many facts is the beginning of the ledger of more.")
    async def consistency_proof(
        self,
        info: Info,
        first: Annotated[Position, strawberry.argument(description="How many facts the earlier one has; at least 1.")],
        second: SizeArgument = None,
    ) -> ConsistencyProof:
        tree = info.context.resources.tree

        def prove(connection: BlockingConnection) -> ConsistencyProof:
            size = _size(connection, second, "second")
            if not 1 <= first <= size:
                raise bad_input(f"first is {first}; it is 1 to {size}.")
            return ConsistencyProof(
                first=first,
                first_root=tree.root(connection, first).hex(),
                second=Position(size),
                second_root=tree.root(connection, size).hex(),
                hashes=[node.hex() for node in tree.consistency(connection, first, size)],
            )

        return await _in_thread(info, prove)


def _verification(connection: BlockingConnection, start: int | None, count: int) -> Verification:
    head = reading.head(connection)
    if start is not None and not 1 <= start <= head:
        raise bad_input(f"start is {start}, and the ledger has the facts from 1 to {head}.")
    after = max(0, head - count) if start is None else start - 1
    end = min(head, after + count)
    found = checked(after + 1, reading.pages(connection, after, end))
    fault = found.fault
    if fault is None and found.next <= end:
        fault = Fault(Kind.MISSING, found.next, "the fact is missing")
    unsaid = connection.execute(_UNACCOUNTED, [sorted(found.emptied)]).fetchone() if found.emptied else None
    if fault is None and unsaid is not None:
        fault = unaccounted(unsaid[0])
    down = [each.message for each in guard.faults(connection)]
    return Verification(
        holds=fault is None and not down,
        first=Position(after + 1),
        last=Position(found.next - 1 if fault is None else min(found.next, fault.position) - 1),
        head=Position(head),
        fault=None if fault is None else _shown(fault),
        guard=down,
    )


def _shown(fault: Fault) -> LedgerFault:
    return LedgerFault(kind=fault.kind, position=Position(fault.position) or None, message=fault.message)


def _size(connection: BlockingConnection, asked: int | None, name: str) -> int:
    head = reading.head(connection)
    if asked is not None and asked > head:
        raise bad_input(f"{name} is {asked}, and the ledger ends at {head}.")
    return head if asked is None else asked


async def _in_thread(info: Info, work: Callable[[BlockingConnection], T]) -> T:
    """This will do blocking work in a worker thread, on a connection that the event loop lends."""
    async with info.context.read() as connection:
        lent = cast("BlockingConnection", _Lent(connection))
        return await anyio.to_thread.run_sync(work, lent)


class _Lent:
    """An asynchronous connection as a thread uses it: each statement is run by the event loop, and answers all its rows."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def cursor(self, *, binary: bool = False) -> "_Lent":
        return self

    def __enter__(self) -> "_Lent":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def execute(self, statement: Any, values: Any = None, *, prepare: bool | None = None) -> "_Rows":
        return from_thread.run(self._fetched, statement, values, prepare)

    async def _fetched(self, statement: Any, values: Any, prepare: bool | None) -> "_Rows":
        async with self._connection.cursor(binary=True) as cursor:
            await cursor.execute(statement, values, prepare=prepare)
            return _Rows(await cursor.fetchall())


class _Rows:
    def __init__(self, rows: Sequence[tuple[Any, ...]]) -> None:
        self._rows = rows

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return iter(self._rows)

    def fetchall(self) -> Sequence[tuple[Any, ...]]:
        return self._rows

    def fetchone(self) -> tuple[Any, ...] | None:
        return self._rows[0] if self._rows else None
