"""Ending the parts of a daemon that stops."""

import asyncio
from contextlib import suppress

from pingpilot.loops import end


async def test_a_part_that_lost_its_cancellation_ends_all_the_same() -> None:
    finished = asyncio.Event()
    task = asyncio.create_task(connect_and_serve(finished))
    await asyncio.sleep(0)
    finished.set()  # what it waits for is done in the moment of the cancellation

    async with asyncio.timeout(10):
        await end([task], again_after=0.01)

    assert task.cancelled()


async def test_a_part_has_its_time_to_clean_up() -> None:
    cleaned_up = asyncio.Event()
    task = asyncio.create_task(serve_and_clean_up(cleaned_up))
    await asyncio.sleep(0)

    await end([task])

    assert cleaned_up.is_set()


async def connect_and_serve(connected: asyncio.Event) -> None:
    """Lose one cancellation, as discord.py does while it connects."""
    with suppress(asyncio.CancelledError):
        await connected.wait()
    await asyncio.Event().wait()


async def serve_and_clean_up(cleaned_up: asyncio.Event) -> None:
    try:
        await asyncio.Event().wait()
    finally:
        await asyncio.sleep(0.05)
        cleaned_up.set()
