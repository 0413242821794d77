"""A picture in a file: .svg or .png, the same for the same drawing. Needs Matplotlib (the extra `plot`)."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FORMATS = (".svg", ".png")


class PlotError(RuntimeError):
    """The picture can't be drawn; the message says what to do."""


def check(path: Path) -> None:
    """This will refuse a name that no picture can have. Raises PlotError."""
    if path.suffix.lower() not in FORMATS:
        raise PlotError(f"{path.name} is neither .svg nor .png. Name it so.")


@contextmanager
def saved(path: Path, salt: str, inches: tuple[float, float]) -> Iterator[Any]:
    """This will give a figure to draw on and save it as .svg or .png; the same drawing with the same salt gives the same SVG.

    Raises PlotError.
    """
    check(path)
    try:
        from matplotlib import rc_context  # noqa: PLC0415 - an extra, and slow to come up
        from matplotlib.figure import Figure  # noqa: PLC0415
    except ImportError as error:
        raise PlotError("Matplotlib is not installed. Run: pip install 'decision-ledger[plot]'") from error
    with rc_context({"svg.hashsalt": salt, "svg.fonttype": "path"}):
        figure = Figure(inches, layout="constrained")
        yield figure
        metadata: dict[str, Any] = {"Date": None} if path.suffix.lower() == ".svg" else {}
        figure.savefig(path, dpi=120, metadata=metadata)
