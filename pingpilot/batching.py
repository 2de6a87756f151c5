"""Many callers, one round trip: whatever arrives while a batch is under way shares the next one."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import structlog

Item = TypeVar("Item")
Result = TypeVar("Result")


class Batcher(Generic[Item, Result]):
    """Gathers single items into batches for `handle`, one batch at a time, in order of arrival.

    `handle` returns one entry an item, in the items' order; an entry that is an exception is raised
    to that item's caller alone. If `handle` itself raises, every caller of the batch gets that error.
    """

    def __init__(
        self, handle: Callable[[list[Item]], Awaitable[list[Result | Exception]]], *, most: int = 500
    ) -> None:
        self._handle = handle
        self._most = most
        self._waiting: list[tuple[Item, asyncio.Future[Result]]] = []
        self._worker: asyncio.Task[None] | None = None

    async def submit(self, item: Item) -> Result:
        """Return what `handle` made of the item; a caller that goes away leaves its item in the batch."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._worker is None:
            self._worker = asyncio.create_task(self._work(), name="batcher")
        return await future

    async def idle(self) -> None:
        """Return when nothing is waiting or under way."""
        while self._worker is not None:
            await asyncio.wait([self._worker])

    async def _work(self) -> None:
        structlog.contextvars.clear_contextvars()  # what is logged here is not of the first caller alone
        try:
            while self._waiting:
                await asyncio.sleep(0)  # lets the callers that are ready now join this batch
                batch, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
                await self._handle_batch(batch)
        finally:
            self._worker = None

    async def _handle_batch(self, batch: list[tuple[Item, asyncio.Future[Result]]]) -> None:
        results: list[Result | Exception]
        try:
            results = await self._handle([item for item, _ in batch])
        except Exception as exc:  # noqa: BLE001  # whatever it is, it is the callers' to see
            results = [exc] * len(batch)
        for (_, future), result in zip(batch, results, strict=True):
            if future.done():  # its caller was cancelled meanwhile
                continue
            if isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(result)
