"""Waiting for a state under a timeout."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def eventually(probe: Callable[[], Awaitable[T]], expected: T, *, timeout: float = 30) -> None:
    """Return once `probe` gives what is expected; fail with what it gave last."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout
    while (last := await probe()) != expected:
        assert loop.time() < deadline, f"waited {timeout} s for {expected!r}, last seen: {last!r}"
        await asyncio.sleep(0.005)


async def until(holds: Callable[[], bool], *, timeout: float = 30) -> None:
    """Return once the condition holds; fail otherwise."""

    async def probe() -> bool:
        return holds()

    await eventually(probe, True, timeout=timeout)


async def comes_true(holds: Callable[[], Awaitable[bool]], what: str, *, timeout: float = 30) -> None:
    """Return once the condition holds; fail naming `what` otherwise. What `holds` raises comes at once."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout
    while not await holds():
        if loop.time() >= deadline:
            raise TimeoutError(f"waited {timeout} s for {what}")
        await asyncio.sleep(0.005)
