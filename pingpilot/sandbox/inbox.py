"""What a stand-in has received, and ways to wait for it."""

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Changes:
    """Wakes those who wait for a condition each time something it may depend on has changed."""

    def __init__(self) -> None:
        self._waiters: set[asyncio.Future[None]] = set()

    def announce(self) -> None:
        """Let everyone who waits look again."""
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def until(self, holds: Callable[[], bool], *, timeout: float, what: str) -> None:
        """Return once `holds()`; raise `TimeoutError` naming `what` after `timeout` seconds."""
        try:
            async with asyncio.timeout(timeout):
                while not holds():
                    waiter = asyncio.get_running_loop().create_future()
                    self._waiters.add(waiter)
                    try:
                        await waiter
                    finally:
                        self._waiters.discard(waiter)
        except TimeoutError:
            raise TimeoutError(f"waited {timeout} s for {what}") from None


class Inbox(Generic[Item]):
    """The messages a stand-in has taken, oldest first, with callbacks for each new one."""

    def __init__(self, changes: Changes) -> None:
        self.items: list[Item] = []
        self.callbacks: list[Callable[[Item], None]] = []
        self._changes = changes

    def take(self, item: Item) -> None:
        """Record `item` and tell everyone who is interested."""
        self.items.append(item)
        for callback in self.callbacks:
            callback(item)
        self._changes.announce()

    async def wait_for(self, count: int, timeout: float) -> list[Item]:
        """Return all items once there are at least `count`; `TimeoutError` says how many there were."""
        try:
            await self._changes.until(lambda: len(self.items) >= count, timeout=timeout, what="messages")
        except TimeoutError:
            raise TimeoutError(f"{len(self.items)} of {count} messages arrived within {timeout} s") from None
        return list(self.items)
