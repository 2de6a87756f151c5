"""Long work in many small pieces, so that everybody else goes on meanwhile."""

import asyncio
from datetime import timedelta

_FIRST = 20  # rows


class Pieces:
    """How many rows (`size`) the next piece of a long work has, and how long to rest after it.

    All pieces together take a `share` of the time that goes by: a busy machine gets less work. One has `most`
    rows at most, and fewer where the one before took longer than `longest`: rows differ, and so do machines.
    """

    def __init__(self, *, share: float, most: int, longest: timedelta = timedelta.max) -> None:
        self.size = min(_FIRST, most)
        self._share = share
        self._most = most
        self._longest = longest.total_seconds()

    async def done(self, took: float, *, most: float | None = None) -> None:
        """Rest after a piece that took so many seconds; the next one has `most` rows at most."""
        by_time = self.size * self._longest / max(took, 1e-6)
        # At most doubled, at least halved: one piece says little of the next
        size = min(max(by_time, self.size / 2), self.size * 2, self._most, most or self._most)
        self.size = max(1, round(size))
        await asyncio.sleep(took / self._share - took)
