"""Floods of bad keys: an address that guesses is told to slow down; good keys from it are never refused."""

import math
from collections import OrderedDict
from dataclasses import dataclass

from pingpilot.clock import Clock

BURST = 20
"""Bad keys an address may send at once."""
EVERY = 3.0
"""Seconds after which it may send one more."""
REMEMBERED = 10_000
"""Addresses that are kept in mind at most."""


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float


class FloodGuard:
    """Counts bad keys by address (a token bucket each)."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def note_bad(self, address: str) -> int:
        """Count a key that was refused; return the seconds to wait where there were too many, else 0.

        One that is told to wait is not counted again: the wait gets no longer by asking.
        """
        now = self._clock.monotonic()
        bucket = self._buckets.setdefault(address, _Bucket(BURST, now))
        self._buckets.move_to_end(address)
        if len(self._buckets) > REMEMBERED:
            self._buckets.popitem(last=False)
        bucket.left, bucket.at = min(BURST, bucket.left + (now - bucket.at) / EVERY), now
        if bucket.left < 1:
            return math.ceil((1 - bucket.left) * EVERY)
        bucket.left -= 1
        return 0
