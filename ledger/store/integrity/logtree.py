"""The tree over the stored leaves, for proofs on demand: whole tiles are kept as their top hash, the leaves below are read again."""

from threading import Lock

from ledger.store.connections import Connection
from ledger.store.integrity import reading
from ledger.store.integrity.tiles import HEIGHT, WIDTH
from ledger.store.integrity.tree import consistency_proof, inclusion_proof, node_hash, parents, root, top

#: Leaves read at once while it grows: 256 tiles.
CHUNK = WIDTH * WIDTH


class LogTree:
    """Grows with the log, and needs a quarter of a byte for each fact. Safe for many threads."""

    def __init__(self) -> None:
        #: Complete nodes of level 8 and above.
        self._levels: list[list[bytes]] = [[]]
        self._growing = Lock()

    def root(self, connection: Connection, size: int) -> bytes:
        """This will give the root over the first `size` facts."""
        return root(size, self._reading(connection, size))

    def inclusion(self, connection: Connection, position: int, size: int) -> list[bytes]:
        """This will give the proof that the fact at a position is among the first `size`. Raises ValueError if it can't be."""
        return inclusion_proof(position - 1, size, self._reading(connection, size))

    def consistency(self, connection: Connection, first: int, second: int) -> list[bytes]:
        """This will give the proof that the ledger of the first `first` facts is the beginning of that of `second`."""
        return consistency_proof(first, second, self._reading(connection, second))

    def _reading(self, connection: Connection, size: int) -> "_Nodes":
        with self._growing:
            self._grow(connection, size)
        return _Nodes(self._levels, connection)

    def _grow(self, connection: Connection, size: int) -> None:
        while (whole := size // WIDTH) > (there := len(self._levels[0])):
            after = there * WIDTH
            leaves = reading.leaves(connection, after, min(whole * WIDTH, after + CHUNK))
            if len(leaves) < WIDTH:
                raise ValueError(f"the ledger has fewer than {size} facts")
            for start in range(0, len(leaves) - WIDTH + 1, WIDTH):
                self._add(top(leaves[start : start + WIDTH]))

    def _add(self, node: bytes) -> None:
        for level in self._levels:
            level.append(node)
            if len(level) % 2:
                return
            node = node_hash(level[-2], level[-1])
        self._levels.append([node])


class _Nodes:
    """The nodes of one proof, which reads each tile of leaves at most once."""

    def __init__(self, levels: list[list[bytes]], connection: Connection) -> None:
        self._levels = levels
        self._connection = connection
        self._leaves: dict[int, list[bytes]] = {}

    def __call__(self, level: int, index: int) -> bytes:
        if level >= HEIGHT:
            return self._levels[level - HEIGHT][index]
        tile, start = divmod(index << level, WIDTH)
        if tile not in self._leaves:
            self._leaves[tile] = reading.leaves(self._connection, tile * WIDTH, (tile + 1) * WIDTH)
        row = self._leaves[tile][start : start + (1 << level)]
        if len(row) < 1 << level:
            raise ValueError("the ledger has fewer facts than that")
        while len(row) > 1:
            row = parents(row)
        return row[0]
