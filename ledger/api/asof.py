"""The arguments `asOf` and `atLeast`, which every root field of a view takes."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import strawberry
from strawberry import UNSET

from ledger.api.scalars import Position


@strawberry.input(
    description="What the sources of imported history knew by an instant, so that nothing is told with hindsight."
)
class KnownAt:
    """An instant, and whose knowledge is meant."""

    at: datetime = strawberry.field(description="The instant. Ages are reckoned from it too.")
    source: str | None = strawberry.field(
        default=None, description="Of this source, such as python/peps, alone; left out: of every source."
    )


@strawberry.input(
    one_of=True,
    description="A past state of the ledger: exactly one of a position, an instant, a review, or what sources knew.",
)
class AsOf:
    """One of the four; the others stay UNSET."""

    position: Position | None = strawberry.field(
        default=UNSET, description="As it was once this position was recorded. The ledger must have got there."
    )
    recorded_at: datetime | None = strawberry.field(
        default=UNSET, description="As the ledger had recorded it by this instant. Ages are reckoned from it."
    )
    review_id: UUID | None = strawberry.field(
        default=UNSET,
        description="What could be known in this review: as it was when the review opened. Ages are reckoned from then.",
    )
    known_at: KnownAt | None = strawberry.field(
        default=UNSET,
        description="For imported history: the ledger up to before the first fact that a source itself recorded after an instant.",
    )


AsOfArgument = Annotated[AsOf | None, strawberry.argument(description="A past state to show; left out: as it is now.")]
AtLeastArgument = Annotated[
    Position | None,
    strawberry.argument(
        description="Wait until the view has got to this position, such as a mutation gave, or answer VIEW_LATE."
    ),
]
