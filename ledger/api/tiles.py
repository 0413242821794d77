"""The proof's files over HTTP, as c2sp.org/tlog-tiles asks: the checkpoint and the tiles of hashes, for anybody, and cacheable.

They say how many facts there are, and nothing about any. The bundles of envelopes, which say who did what and when, are not served.
"""

import re
from pathlib import Path
from typing import Annotated, Any

import anyio
from litestar import Response, get
from litestar.exceptions import NotFoundException
from litestar.handlers import HTTPRouteHandler
from litestar.params import Parameter

_TILE = re.compile(r"/(?:[0-9]|[1-5][0-9]|6[0-3])/(?:x[0-9]{3}/)*[0-9]{3}(?:\.p/[1-9][0-9]{0,2})?")
#: A tile never changes under its name; a checkpoint is another one in a second.
_FOREVER = "public, max-age=31536000, immutable"
_TEXT = "text/plain"


def tile_routes(folder: Path) -> list[HTTPRouteHandler]:
    """This will make the routes under `/sealed` for the folder that the sealer keeps."""

    @get("/sealed/checkpoint")
    async def checkpoint() -> Response[bytes]:
        return await _file(folder / "checkpoint", _TEXT, "no-cache")

    @get("/sealed/log.key")
    async def key() -> Response[bytes]:
        return await _file(folder / "log.key", _TEXT, "no-cache")

    @get("/sealed/tile/{path:path}")
    async def tile(path: Annotated[Path, Parameter()]) -> Response[bytes]:
        if not _TILE.fullmatch(str(path)):
            raise NotFoundException
        return await _file(folder / "tile" / str(path)[1:], "application/octet-stream", _FOREVER)

    return [checkpoint, key, tile]


async def _file(path: Path, media_type: str, cached: str) -> Response[Any]:
    try:
        data = await anyio.Path(path).read_bytes()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        raise NotFoundException from error
    return Response(data, media_type=media_type, headers={"Cache-Control": cached})
