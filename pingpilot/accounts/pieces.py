"""Long work in many small pieces, so that everybody else goes on meanwhile."""

import asyncio
import time
from datetime import timedelta

_FIRST = 20  # rows


class Pieces:
    """How many rows (`size`) the next piece of a long work has, and how long to rest before it.

    All pieces together take a `share` of the time that goes by: a busy machine gets less work. One has `most`
    rows at most, and fewer where the one before took longer than `longest`: rows differ, and so do machines.
    """

    def __init__(self, *, share: float, most: int, longest: timedelta = timedelta.max) -> None:
        self.size = min(_FIRST, most)
        self._share = share
        self._most = most
        self._longest = longest.total_seconds()
        self._rest_until = 0.0

    def done(self, took: float, *, most: float | None = None) -> None:
        """Say that a piece has ended which took so many seconds; the next has `most` rows at most."""
        by_time = self.size * self._longest / max(took, 1e-6)
        # At most doubled, at least halved: one piece says little of the next
        size = min(max(by_time, self.size / 2), self.size * 2, self._most, most or self._most)
        self.size = max(1, round(size))
        self._rest_until = time.monotonic() + took / self._share - took

    async def rest(self) -> None:
        """Return when the next piece may begin; whatever was done since the last one counts as rest."""
        await asyncio.sleep(self._rest_until - time.monotonic())
