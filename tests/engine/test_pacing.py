"""The pace of a channel and of each recipient."""

import asyncio

import pytest

from pingpilot.channels import TELEGRAM, Rate, Window
from pingpilot.delivery.pacing import Pacer, Sent
from pingpilot.errors import RateLimited
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
        async with pacer.turn(address):
            times.append(clock.monotonic() - start)
    return times


def windowed(clock: ManualClock, window: Window, per_recipient: Rate | None = None) -> Pacer:
    """Return a pacer whose start is long past."""
    pacer = Pacer(overall=window, per_recipient=per_recipient, clock=clock)
    clock.advance_seconds(60)
    return pacer


async def test_a_window_takes_so_many_at_once_and_then_none_until_it_is_over() -> None:
    clock = PassingClock()
    pacer = windowed(clock, Window(most=3, seconds=1))

    times = await turns(pacer, clock, *"abcdefgh")

    assert times == [0, 0, 0, 1, 1, 1, 2, 2]


async def test_a_rest_earns_no_more_than_a_window() -> None:
    clock = PassingClock()
    pacer = windowed(clock, Window(most=3, seconds=1))
    await turns(pacer, clock, *"abcdef")
    clock.advance_seconds(3600)

    times = await turns(pacer, clock, *"abcde")

    assert times == [0, 0, 0, 1, 1]


async def test_at_the_start_half_of_the_window_is_left_to_others() -> None:
    clock = PassingClock()
    pacer = Pacer(overall=Window(most=4, seconds=1), per_recipient=None, clock=clock)

    times = await turns(pacer, clock, *"abcdefghij")

    assert times == [0, 0, 1, 1, 2, 2, 3, 3, 3, 3]


async def test_the_window_counts_from_the_answer_less_the_shortest_way() -> None:
    clock = PassingClock()
    pacer = windowed(clock, Window(most=2, seconds=1))
    for way in (0.3, 0.1):
        async with pacer.turn("a"):
            clock.advance_seconds(way)

    times = await turns(pacer, clock, "b")

    assert times == [
        pytest.approx(0.8, abs=0.002)
    ]  # from 0.4 on: sent at 0, answered at 0.3, over at 1.3 - 0.1


async def test_what_is_not_answered_for_long_holds_its_place_for_half_a_second_more() -> None:
    clock = PassingClock()
    pacer = windowed(clock, Window(most=1, seconds=1))

    async with pacer.turn("a"):
        times = await turns(pacer, clock, "b")

    assert times == [1.5]


async def test_no_window_of_the_platform_sees_too_many_however_long_the_ways_are() -> None:
    clock = ManualClock()
    pacer = windowed(clock, Window(most=10, seconds=1))
    arrivals: list[float] = []

    async def send(number: int) -> None:
        async with pacer.turn("a"):
            await clock.sleep(0.02 + number * 7 % 10 * 0.03)
            arrivals.append(clock.monotonic())
            await clock.sleep(0.01 + number * 3 % 10 * 0.01)

    async with asyncio.TaskGroup() as tasks:
        sends = [tasks.create_task(send(number)) for number in range(100)]
        while not all(each.done() for each in sends):
            for _ in range(30):  # whatever is due now
                await asyncio.sleep(0)
            clock.advance_seconds(0.01)

    spans = [later - earlier for earlier, later in zip(arrivals, arrivals[10:], strict=False)]
    assert min(spans) >= 1
    assert arrivals[-1] - arrivals[0] < 15  # ten windows, and the ways


async def test_each_recipient_has_a_pace_of_its_own() -> None:
    clock = PassingClock()
    pacer = Pacer(overall=None, per_recipient=Rate(per_second=1, burst=2), clock=clock)

    times = await turns(pacer, clock, *"aabbaab")

    assert times == [0, 0, 0, 0, 1, 2, 2]


async def test_a_recipients_pace_counts_from_the_answer() -> None:
    clock = PassingClock()
    pacer = Pacer(overall=None, per_recipient=Rate(per_second=1, burst=2), clock=clock)

    async with pacer.turn("a"):
        clock.advance_seconds(5)  # it may have come to the platform just now

    assert await turns(pacer, clock, "a", "a", "a") == [0, 1, 2]


@pytest.mark.parametrize("way", [0, 0.7, 4], ids=str)
async def test_no_minute_of_a_room_has_more_than_twenty_messages(way: float) -> None:
    """Whether a message comes to the platform at once or just before its answer."""
    clock = PassingClock()
    pacer = Pacer(
        overall=None,
        per_recipient=TELEGRAM.recipient_pace,
        per_room=TELEGRAM.room_pace,
        room_window=TELEGRAM.room_window,
        clock=clock,
    )
    came: list[float] = []
    for number in range(100):
        async with pacer.turn("-1", in_room=True):
            came.append(clock.monotonic())
            clock.advance_seconds(way if number % 7 == 0 else 0.1)
            if number % 2:
                came[-1] = clock.monotonic()
            elif number % 9 == 0:  # somebody asked the bot for something
                answer = pacer.place("-1", in_room=True)
                try:
                    async with answer:
                        came.append(clock.monotonic())
                except RateLimited:
                    pass

    assert min(later - earlier for earlier, later in zip(came, came[20:], strict=False)) >= 60
    assert came[-1] - came[0] < 60 * (len(came) / 20 + 1)


async def test_an_answer_waits_for_no_rate_and_takes_its_part_of_it() -> None:
    clock = PassingClock()
    pacer = Pacer(
        overall=None,
        per_recipient=Rate(per_second=1, burst=2),
        room_window=Window(most=2, seconds=60),
        clock=clock,
    )
    for address in ("a", "a"):
        async with pacer.place(address):
            pass

    assert await turns(pacer, clock, "a", "a") == [1, 2]


async def test_an_answer_is_told_when_a_room_that_has_its_messages_takes_the_next() -> None:
    clock = PassingClock()
    window = Window(most=2, seconds=60)
    pacer = Pacer(overall=None, per_recipient=None, room_window=window, clock=clock)
    start = clock.monotonic()
    for _ in range(2):
        async with pacer.turn("-1", in_room=True):
            clock.advance_seconds(1)

    with pytest.raises(RateLimited) as full:
        async with pacer.place("-1", in_room=True):
            pass
    async with pacer.turn("-1", in_room=True):
        waited = clock.monotonic() - start

    assert full.value.retry_after.total_seconds() == pytest.approx(59)
    assert waited == pytest.approx(61)


async def test_both_paces_hold_at_once() -> None:
    clock = PassingClock()
    pacer = windowed(clock, Window(most=1, seconds=0.5), Rate(per_second=1, burst=1))

    times = await turns(pacer, clock, *"abab")

    assert times == [0, 0.5, 1, 1.5]


async def test_without_rates_nobody_waits() -> None:
    clock = PassingClock()
    pacer = Pacer(overall=None, per_recipient=None, clock=clock)

    times = await turns(pacer, clock, *"aaaaaaaa")

    assert times == [0] * 8


async def test_turns_are_handed_out_in_order_of_asking() -> None:
    clock = ManualClock()
    pacer = windowed(clock, Window(most=1, seconds=1))
    served: list[int] = []

    async def ask(number: int) -> None:
        async with pacer.turn(f"{number}"):
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


async def test_what_was_sent_by_another_daemon_counts_by_recipient() -> None:
    clock = PassingClock()
    rate = Rate(per_second=1 / 3, burst=3)
    pacer = Pacer(overall=None, per_recipient=Rate(per_second=1, burst=2), per_room=rate, clock=clock)

    pacer.begin(
        [Sent("room", True, 2.5), Sent("room", True, 2), Sent("room", True, 1.5), Sent("a", False, 5)]
    )
    start = clock.monotonic()
    async with pacer.turn("room", in_room=True):
        in_room = clock.monotonic() - start

    assert in_room == pytest.approx(3 - 2.5)
    assert await turns(pacer, clock, "a", "a", "other") == [0, 0, 0]


async def test_what_was_sent_holds_nothing_up_for_longer_than_a_burst_however_often_it_is_counted() -> None:
    """A clock that was set back has all of an hour be of this moment."""
    clock = PassingClock()
    pacer = Pacer(overall=None, per_recipient=Rate(per_second=1, burst=2), clock=clock)

    pacer.begin([Sent("a", False, 0)] * 500)

    start = clock.monotonic()
    async with pacer.turn("a"):
        first = clock.monotonic() - start
    assert first == pytest.approx(1)


async def test_who_leads_again_counts_what_it_sent_itself_once() -> None:
    clock = PassingClock()
    pacer = Pacer(overall=None, per_recipient=Rate(per_second=1, burst=2), clock=clock)
    times = await turns(pacer, clock, *["a"] * 30)
    start = clock.monotonic()

    pacer.begin([Sent("a", False, times[-1] - each) for each in times])

    async with pacer.turn("a"):
        waited = clock.monotonic() - start
    assert waited == pytest.approx(1)


async def test_a_new_term_leaves_half_of_the_window_to_the_one_before() -> None:
    clock = PassingClock()
    pacer = windowed(clock, Window(most=4, seconds=1))

    pacer.begin()

    assert await turns(pacer, clock, *"abcde") == [0, 0, 1, 1, 2]
