"""Momentum: the share of a team's weekly hours that is free of drag, and the level that a debt's drag comes to."""

from decimal import Decimal

from msgspec import Struct

from ledger.values import MomentumLevel

#: A level holds below its share of the weekly hours, in percent; from the last on it is M5.
BOUNDS = (
    (Decimal("0.5"), MomentumLevel.M0),
    (Decimal(2), MomentumLevel.M1),
    (Decimal(5), MomentumLevel.M2),
    (Decimal(10), MomentumLevel.M3),
    (Decimal(25), MomentumLevel.M4),
)


class Assessment(Struct, frozen=True):
    """The level that counts, and a person's level where it disagrees with the hours (None: it agrees, or nobody judged)."""

    level: MomentumLevel
    judged_otherwise: MomentumLevel | None = None


def level_of(drag: Decimal, weekly_hours: Decimal) -> MomentumLevel:
    """This will give the level of `drag` engineer-hours per week for a team with `weekly_hours` > 0 in all."""
    percent = 100 * drag / weekly_hours
    return next((level for bound, level in BOUNDS if percent < bound), MomentumLevel.M5)


def assess(
    drag: Decimal | None, weekly_hours: Decimal | None, judged: MomentumLevel | None, *, blocked: bool
) -> Assessment | None:
    """This will give the level: M5 if a committed feature is blocked, else from the hours, else as judged; None: nothing says it."""
    if blocked:
        level = MomentumLevel.M5
    elif drag is not None and weekly_hours:
        level = level_of(drag, weekly_hours)
    elif judged is not None:
        level = judged
    else:
        return None
    return Assessment(level, judged if judged is not None and judged != level else None)
