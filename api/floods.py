"""Floods of bad keys: an address that guesses is slowed down, without harm to good keys from the same one."""

import math
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, TypeVar

from pingpilot.clock import Clock

Key = TypeVar("Key")

BURST = 20
"""Bad keys an address may send at once."""
EVERY = 3.0
"""Seconds after which it may send one more."""
REMEMBERED = 10_000
"""Addresses, and pairs of an address and a good key, that are kept in mind at most."""


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float


class FloodGuard:
    """Counts bad keys by address (a token bucket each).

    Who sent a good key from an address before goes on undisturbed, however many others guess from there:
    programs of one office share an address.
    """

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()
        self._good: OrderedDict[tuple[str, int], None] = OrderedDict()

    def wait_for(self, address: str, key: str) -> int:
        """Return how many seconds this address must wait before this key is looked up, 0 for none."""
        bucket = self._buckets.get(address)
        if bucket is None or (address, hash(key)) in self._good:
            return 0
        self._refill(bucket)
        return 0 if bucket.left >= 1 else math.ceil((1 - bucket.left) * EVERY)

    def note_bad(self, address: str, key: str) -> None:
        """Count a key that was refused; it may have been good before it was revoked."""
        self._good.pop((address, hash(key)), None)
        bucket = self._buckets.setdefault(address, _Bucket(BURST, self._clock.monotonic()))
        self._refill(bucket)
        bucket.left = max(0.0, bucket.left - 1)
        _touch(self._buckets, address)

    def note_good(self, address: str, key: str) -> None:
        """Remember a key that was accepted; `hash` is salted anew in each process, so nothing leaks."""
        pair = (address, hash(key))
        self._good.setdefault(pair, None)
        _touch(self._good, pair)

    def _refill(self, bucket: _Bucket) -> None:
        now = self._clock.monotonic()
        bucket.left = min(BURST, bucket.left + (now - bucket.at) / EVERY)
        bucket.at = now


def _touch(kept: OrderedDict[Key, Any], key: Key) -> None:
    """Keep the entry longest, and forget the one that was not asked for longest."""
    kept.move_to_end(key)
    if len(kept) > REMEMBERED:
        kept.popitem(last=False)
