"""Many callers, one round trip: whatever arrives while a batch is under way shares the next one."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeAlias, TypeVar

import structlog

from pingpilot.errors import DatabaseUnavailable

Item = TypeVar("Item")
Result = TypeVar("Result")
Batch: TypeAlias = list[tuple[Item, asyncio.Future[Result]]]


PATIENCE = 4.5
"""Seconds after which a batch counts as stuck: longer than the database may take for one."""
SLOW = 1.0
"""Seconds after which the failure of a batch is that of all who waited for it, lest they wait once more."""
_BACK_WITHIN = 0.01
"""Seconds in which those who were answered come back, if they do at once."""
_ROUNDS = 4
"""Times that the loop goes round for them in vain: with fewer or many more, less is done in a second."""


class Stuck(DatabaseUnavailable):
    """A batch of work on the database does not come to an end; how it will, nobody knows."""


class Batcher(Generic[Item, Result]):
    """Gathers single items into batches for `handle`, one batch at a time, in order of arrival.

    `handle` returns one entry an item, in the items' order; an entry that is an exception is raised
    to that item's caller alone. If `handle` itself raises, every caller of the batch gets that error;
    if that took long, so does everybody who waited for it. Nobody waits for a batch longer than
    `patience` seconds: its callers, those who wait and those who come get `Stuck` until it has ended.
    While it `gives_way`, batches begin at least `apart` seconds after each other: fewer and larger ones.
    """

    def __init__(
        self,
        handle: Callable[[list[Item]], Awaitable[list[Result | Exception]]],
        *,
        most: int = 500,
        patience: float = PATIENCE,
        slow: float = SLOW,
        apart: float = 0.0,
        gives_way: Callable[[], bool] = lambda: False,
    ) -> None:
        self._handle = handle
        self._most = most
        self._patience = patience
        self._slow = slow
        self._apart = apart
        self._gives_way = gives_way
        self._began = self._ended = 0.0
        self._last = 0
        self._is_stuck = False
        self._waiting: Batch[Item, Result] = []
        self._worker: asyncio.Task[None] | None = None

    async def submit(self, item: Item) -> Result:
        """Return what `handle` made of the item; a caller that goes away leaves its item in the batch.

        Raises what `handle` did, or `Stuck`.
        """
        if self._is_stuck:
            raise _stuck()
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._worker is None:
            self._worker = asyncio.create_task(self._work(), name="batcher")
        return await future

    @property
    def is_busy(self) -> bool:
        """Whether something is waiting or under way."""
        return self._worker is not None

    async def idle(self) -> None:
        """Return when nothing is waiting or under way."""
        while self._worker is not None:
            await asyncio.wait([self._worker])

    async def _work(self) -> None:
        structlog.contextvars.clear_contextvars()  # what is logged here is not of the first caller alone
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                await self._gather()
                wait = self._began + self._apart - loop.time() if self._gives_way() else 0.0
                if wait > 0:
                    await asyncio.sleep(wait)
                self._began = loop.time()
                batch, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
                await self._handle_batch(batch)
                self._last, self._ended = len(batch), loop.time()
        finally:
            self._worker = None

    async def _gather(self) -> None:
        """Let all join that the loop has at hand: callers who were just answered mostly come back at once.

        Half as many batches of twice the size cost less than what they do beside each other gains: SQLite's
        thread waits for the interpreter after each of its statements while others are served. Those few who
        came while the others were served would have a batch to themselves each time; so the loop goes round
        without anybody new some times until as many are there as the last batch had, if that has just ended.
        """
        is_close = asyncio.get_running_loop().time() - self._ended < _BACK_WITHIN
        expected, count, rounds = self._last if is_close else 0, 0, 0
        while len(self._waiting) < self._most:
            rounds = rounds + 1 if len(self._waiting) == count else 0
            if rounds == (1 if count >= expected else _ROUNDS):
                return
            count = len(self._waiting)
            await asyncio.sleep(0)

    async def _handle_batch(self, batch: Batch[Item, Result]) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        limit = loop.call_later(self._patience, self._give_up, batch)
        results: list[Result | Exception]
        try:
            results = await self._handle([item for item, _ in batch])
        except Exception as exc:  # noqa: BLE001  # whatever it is, it is the callers' to see
            if loop.time() - began > self._slow:
                batch = batch + self._waiting
                self._waiting = []
            results = [exc] * len(batch)
        finally:
            limit.cancel()
            self._is_stuck = False
        for (_, future), result in zip(batch, results, strict=True):
            if future.done():  # its caller was cancelled meanwhile, or told that it is stuck
                continue
            if isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(result)

    def _give_up(self, batch: Batch[Item, Result]) -> None:
        """Let nobody wait any longer for a batch that is under way."""
        self._is_stuck = True
        waiting, self._waiting = self._waiting, []
        for _, future in batch + waiting:
            if not future.done():
                future.set_exception(_stuck())


def _stuck() -> Stuck:
    return Stuck("What was asked for earlier has not come to an end.")
