"""Waiting for a state under a timeout."""

import asyncio
from collections.abc import Awaitable, Callable

_LOOK_AGAIN = 0.02  # seconds


async def eventually(holds: Callable[[], Awaitable[bool]], what: str, *, timeout: float = 15) -> None:
    """Return once `await holds()` is true; raise `TimeoutError` naming `what` after `timeout` seconds."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout
    while not await holds():
        if loop.time() > deadline:
            raise TimeoutError(f"waited {timeout} s for {what}")
        await asyncio.sleep(_LOOK_AGAIN)
