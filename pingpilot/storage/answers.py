"""Answers of the database that serve all who ask: anybody may, as often as they like."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Generic, TypeVar

from pingpilot.clock import Clock
from pingpilot.errors import DatabaseUnavailable

PATIENCE = timedelta(seconds=2)
"""How long the database may take to answer before it counts as away."""

T = TypeVar("T")


class SharedAnswer(Generic[T]):
    """A question that is asked once at a time, and whose answer serves everybody while it is `fresh`."""

    def __init__(
        self,
        ask: Callable[[], Awaitable[T]],
        *,
        fresh: timedelta,
        patience: timedelta = PATIENCE,
        clock: Clock,
    ) -> None:
        self._ask = ask
        self._fresh = fresh.total_seconds()
        self._patience = patience.total_seconds()
        self._clock = clock
        self._question: asyncio.Future[T] | None = None
        self._asked_at = 0.0

    async def get(self) -> T | None:
        """Return the answer, None while the database is away."""
        question = self._question
        is_old = self._clock.monotonic() - self._asked_at >= self._fresh
        if question is None or (question.done() and is_old):
            question = self._question = asyncio.ensure_future(self._ask())
            # Looked at, lest asyncio complain of a failure that nobody waited for
            question.add_done_callback(lambda done: done.cancelled() or done.exception())
            self._asked_at = self._clock.monotonic()
        await asyncio.wait([question], timeout=self._patience)  # not cancelled: that does harm
        try:
            return question.result()
        except (asyncio.InvalidStateError, DatabaseUnavailable):
            return None
