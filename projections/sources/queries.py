"""Which position of the ledger holds what sources knew by an instant."""

from datetime import datetime

from projections.conditions import Conditions, Connection, rows


async def position_known(connection: Connection, at: datetime, system: str | None = None) -> int | None:
    """This will give the last position before the first fact that a source recorded after an instant; None: there is no such fact.

    `system` None: any source. What a source learned by then and the ledger imported only after something later is not in it: it shows
    less than was known rather than more.
    """
    where = Conditions()
    where.add("k.known_at > %(at)s", at=at).given("k.system = %(system)s", system=system)
    ((first,),) = await rows(
        connection, f"SELECT min(k.position) FROM views.sources_known AS k WHERE {where}", where.values
    )
    return None if first is None else first - 1


async def is_known(connection: Connection, system: str) -> bool:
    """This will say whether any fact of a source says when the source recorded it."""
    ((found,),) = await rows(
        connection, "SELECT EXISTS (SELECT FROM views.sources_known WHERE system = %(system)s)", {"system": system}
    )
    return bool(found)
