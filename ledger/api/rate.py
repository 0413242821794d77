"""How much a token may ask for: so many points a minute, which fill up again; and how many requests a process takes at once."""

from collections import OrderedDict
from collections.abc import Callable
from math import ceil
from time import monotonic

#: Points that a token has a minute. A page of fifty proposals takes about eight, one that is kept takes one.
POINTS_PER_MINUTE = 120_000
#: Tokens that are remembered; one that comes back after so many others begins with a full measure.
TOKENS_MAX = 10_000
#: Requests that a process works on at once; more are turned away.
REQUESTS_MAX = 256


class RateExceeded(Exception):  # noqa: N818 - named for what happened
    """The token has too few points left; there will be enough in `after_s` seconds."""

    def __init__(self, after_s: int) -> None:
        super().__init__(f"try again in {after_s} s")
        self.after_s = after_s


class Overloaded(Exception):  # noqa: N818
    """The process works on as many requests as it takes."""


class Rates:
    """A measure of points for each token, that fills up again steadily. Sized for a minute: a burst may take it all at once."""

    def __init__(self, per_minute: int = POINTS_PER_MINUTE, clock: Callable[[], float] = monotonic) -> None:
        self.per_minute = per_minute
        #: Requests that were refused.
        self.limited = 0
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, credential: str, points: int) -> int:
        """This will take points from a token's measure and give what is left. Raises RateExceeded, and then takes none."""
        now = self._clock()
        left, at = self._left.pop(credential, (float(self.per_minute), now))
        left = min(float(self.per_minute), left + (now - at) * self.per_minute / 60)
        # What costs more than a whole measure is allowed when the measure is full: it can never be fuller.
        wanted = min(points, self.per_minute)
        is_enough = left >= wanted
        self._left[credential] = (left - wanted if is_enough else left, now)
        while len(self._left) > TOKENS_MAX:
            self._left.popitem(last=False)
        if is_enough:
            return int(left - wanted)
        self.limited += 1
        raise RateExceeded(max(1, ceil((wanted - left) * 60 / self.per_minute)))


class Gate:
    """Lets so many requests in at once: each holds a place `with gate:`, or is turned away by Overloaded.

    Whoever is turned away knows it at once, instead of waiting in a line that only grows.
    """

    def __init__(self, requests_max: int = REQUESTS_MAX) -> None:
        self.requests_max = requests_max
        self.inside = 0
        #: Requests that were turned away.
        self.shed = 0

    @property
    def is_full(self) -> bool:
        """This will say whether whoever comes now is turned away."""
        return self.inside >= self.requests_max

    def __enter__(self) -> None:
        if self.is_full:
            self.shed += 1
            raise Overloaded
        self.inside += 1

    def __exit__(self, *_: object) -> None:
        self.inside -= 1
