"""Waiting for an event's deliveries to change."""

import asyncio
from uuid import UUID

from pingpilot.delivery.settlement import Settlements

ACCOUNT = 7
EVENT, OTHER = UUID(int=1), UUID(int=2)


async def waiting(settlements: Settlements, event_id: UUID, seconds: float = 30) -> asyncio.Task[None]:
    """Return a task that waits for the event already."""
    task = asyncio.create_task(settlements.wait(event_id, seconds))
    await asyncio.sleep(0)
    return task


async def test_an_announcement_wakes_all_who_wait_for_the_event_and_nobody_else() -> None:
    settlements = Settlements()
    first, second = await waiting(settlements, EVENT), await waiting(settlements, EVENT)
    other = await waiting(settlements, OTHER)

    settlements.announce(ACCOUNT, [EVENT])

    async with asyncio.timeout(5):
        await asyncio.gather(first, second)
    assert not other.done()
    settlements.announce(ACCOUNT, [OTHER])
    await other


async def test_an_announcement_is_not_kept_for_later() -> None:
    settlements = Settlements()
    settlements.announce(ACCOUNT, [EVENT])

    late = await waiting(settlements, EVENT)

    assert not late.done()
    settlements.close()
    await late


async def test_waiting_ends_after_the_time_given() -> None:
    settlements = Settlements()

    async with asyncio.timeout(5):
        await settlements.wait(EVENT, 0.01)

    assert not settlements.closed


async def test_closing_wakes_everybody_and_lets_nobody_wait_again() -> None:
    settlements = Settlements()
    tasks = [await waiting(settlements, EVENT), await waiting(settlements, OTHER)]

    settlements.close()

    async with asyncio.timeout(5):
        await asyncio.gather(*tasks)
        await settlements.wait(EVENT, 30)
    assert settlements.closed


async def test_somebody_who_goes_away_harms_nobody() -> None:
    settlements = Settlements()
    gone, stays = await waiting(settlements, EVENT), await waiting(settlements, EVENT)

    gone.cancel()
    await asyncio.wait([gone])
    settlements.announce(ACCOUNT, [EVENT])

    async with asyncio.timeout(5):
        await stays
