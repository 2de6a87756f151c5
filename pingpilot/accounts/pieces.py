"""Long work in many small pieces, so that everybody else goes on meanwhile."""

import asyncio
from datetime import timedelta

PIECE = timedelta(milliseconds=6)
"""How long a piece is to take, a few commits."""
_FIRST = 20  # rows


class Pieces:
    """How many rows (`size`) the next piece of a long work has, and how long to rest after it.

    By time, not by count: rows differ in size, machines in speed, and a busy one is to get less work.
    A piece has `most` rows at most, and all together take a `share` of the time that goes by.
    """

    def __init__(self, *, share: float, most: int) -> None:
        self.size = min(_FIRST, most)
        self._share = share
        self._most = most

    async def done(self, took: float, *, most: float | None = None) -> None:
        """Rest after a piece that took so many seconds; the next one has `most` rows at most."""
        by_time = self.size * PIECE.total_seconds() / max(took, 1e-6)
        # At most doubled, at least halved: one piece says little of the next
        size = min(max(by_time, self.size / 2), self.size * 2, self._most, most or self._most)
        self.size = max(1, round(size))
        await asyncio.sleep(took / self._share - took)
