"""The pace of a channel and of each recipient."""

import asyncio

from pingpilot.channels import Rate
from pingpilot.delivery.pacing import Pacer
from tests.support.clock import ManualClock
from tests.support.waiting import until


class PassingClock(ManualClock):
    """Time passes only for those who sleep, and at once."""

    async def sleep(self, seconds: float) -> None:
        self.advance_seconds(seconds)


async def turns(pacer: Pacer, clock: ManualClock, *addresses: str) -> list[float]:
    """Return when each turn came, in seconds from the first."""
    start, times = clock.monotonic(), []
    for address in addresses:
        await pacer.turn(address)
        times.append(clock.monotonic() - start)
    return times


async def test_after_a_burst_turns_come_at_the_rate() -> None:
    clock = PassingClock()
    pacer = Pacer(overall=Rate(per_second=4, burst=3), per_recipient=None, clock=clock)

    times = await turns(pacer, clock, *"abcdef")

    assert times == [0, 0, 0, 0.25, 0.5, 0.75]


async def test_a_rest_earns_the_burst_anew_and_no_more() -> None:
    clock = PassingClock()
    pacer = Pacer(overall=Rate(per_second=4, burst=3), per_recipient=None, clock=clock)
    await turns(pacer, clock, *"abcdef")
    clock.advance_seconds(3600)

    times = await turns(pacer, clock, *"abcde")

    assert times == [0, 0, 0, 0.25, 0.5]


async def test_each_recipient_has_a_pace_of_its_own() -> None:
    clock = PassingClock()
    pacer = Pacer(overall=None, per_recipient=Rate(per_second=1, burst=2), clock=clock)

    times = await turns(pacer, clock, *"aabbaab")

    assert times == [0, 0, 0, 0, 1, 2, 2]


async def test_both_paces_hold_at_once() -> None:
    clock = PassingClock()
    pacer = Pacer(overall=Rate(per_second=2, burst=1), per_recipient=Rate(per_second=1, burst=1), clock=clock)

    times = await turns(pacer, clock, *"abab")

    assert times == [0, 0.5, 1, 1.5]


async def test_without_rates_nobody_waits() -> None:
    clock = PassingClock()
    pacer = Pacer(overall=None, per_recipient=None, clock=clock)

    times = await turns(pacer, clock, *"aaaaaaaa")

    assert times == [0] * 8


async def test_turns_are_handed_out_in_order_of_asking() -> None:
    clock = ManualClock()
    pacer = Pacer(overall=Rate(per_second=1, burst=1), per_recipient=None, clock=clock)
    served: list[int] = []

    async def ask(number: int) -> None:
        await pacer.turn(f"{number}")
        served.append(number)

    async with asyncio.TaskGroup() as tasks:
        for number in range(4):
            tasks.create_task(ask(number))
        for count in range(1, 5):
            await until(lambda count=count: len(served) == count)  # type: ignore[misc]
            assert served == list(range(count))
            clock.advance_seconds(1)


async def test_recipients_nobody_writes_to_any_more_are_forgotten() -> None:
    clock = PassingClock()
    pacer = Pacer(overall=None, per_recipient=Rate(per_second=1, burst=1), clock=clock)
    await turns(pacer, clock, *(f"{number}" for number in range(10_000)))
    clock.advance_seconds(10)

    times = await turns(pacer, clock, "one more", "one more", "0", "0")

    assert times == [0, 1, 1, 2]
