"""Many callers, one round trip."""

import asyncio

import pytest
import structlog

from pingpilot.batching import Batcher, Stuck
from tests.support.waiting import until


class Doubler:
    """Doubles numbers, one batch at a time; an odd one is refused, 13 breaks the whole batch."""

    def __init__(self, *, most: int = 500, patience: float = 60, slow: float = 60, apart: float = 0) -> None:
        self.batches: list[list[int]] = []
        self.others_wait = False
        self.gate = asyncio.Event()
        self.gate.set()
        self.batcher: Batcher[int, int] = Batcher(
            self._handle,
            most=most,
            patience=patience,
            slow=slow,
            apart=apart,
            gives_way=lambda: self.others_wait,
        )

    async def _handle(self, items: list[int]) -> list[int | Exception]:
        self.batches.append(items)
        await self.gate.wait()
        if 13 in items:
            raise RuntimeError("13")
        return [ValueError(f"{item} is odd") if item % 2 else item * 2 for item in items]

    def submit(self, *items: int) -> "list[asyncio.Task[int]]":
        return [asyncio.create_task(self.batcher.submit(item)) for item in items]

    async def hold(self, *items: int) -> "list[asyncio.Task[int]]":
        """Submit items as a batch that is under way until the gate opens."""
        self.gate.clear()
        tasks = self.submit(*items)
        await until(lambda: bool(self.batches))
        return tasks


async def test_each_caller_gets_its_own_answer_in_order_of_arrival() -> None:
    doubler = Doubler()

    answers = await asyncio.gather(*doubler.submit(2, 4, 6))

    assert answers == [4, 8, 12]
    assert doubler.batches == [[2, 4, 6]]


async def test_while_others_wait_batches_are_apart_and_larger() -> None:
    doubler = Doubler(apart=0.5)
    doubler.others_wait = True
    began = asyncio.get_running_loop().time()
    [first] = doubler.submit(2)
    await first

    later = doubler.submit(4)
    await asyncio.sleep(0.1)  # without the gap, the second batch is over by then
    await asyncio.gather(*later, *doubler.submit(6))

    assert asyncio.get_running_loop().time() - began >= 0.5
    assert [item for batch in doubler.batches for item in batch] == [2, 4, 6]


async def test_while_nobody_waits_batches_follow_at_once() -> None:
    doubler = Doubler(apart=3600)

    for number in (2, 4, 6):
        await asyncio.gather(*doubler.submit(number))

    assert doubler.batches == [[2], [4], [6]]


async def test_what_arrives_during_a_batch_shares_the_next() -> None:
    doubler = Doubler()
    first = await doubler.hold(2)

    later = doubler.submit(4, 6)
    await asyncio.sleep(0)
    more = doubler.submit(8)
    await asyncio.sleep(0)
    doubler.gate.set()
    answers = await asyncio.gather(*first, *later, *more)

    assert answers == [4, 8, 12, 16]
    assert doubler.batches == [[2], [4, 6, 8]]


async def test_who_was_just_answered_and_comes_back_shares_a_batch_with_those_who_wait() -> None:
    doubler = Doubler()
    answered = await doubler.hold(2, 4, 6)

    async def come_back() -> None:
        for item in [await each for each in answered]:
            await asyncio.sleep(0)  # each a little later, as from a network
            doubler.submit(item)

    back = asyncio.create_task(come_back())
    [waits] = doubler.submit(16)
    await asyncio.sleep(0)
    doubler.gate.set()
    await asyncio.gather(back, waits)

    assert doubler.batches == [[2, 4, 6], [16, 4, 8, 12]]


async def test_where_nobody_comes_back_those_who_wait_do_not_wait_long() -> None:
    doubler = Doubler()
    first = await doubler.hold(2, 4, 6)
    [waits] = doubler.submit(16)
    await asyncio.sleep(0)
    doubler.gate.set()
    await asyncio.gather(*first)

    for _ in range(10):
        await asyncio.sleep(0)

    assert waits.done()


async def test_a_batch_holds_no_more_than_the_most() -> None:
    doubler = Doubler(most=2)

    answers = await asyncio.gather(*doubler.submit(2, 4, 6, 8, 10))

    assert answers == [4, 8, 12, 16, 20]
    assert doubler.batches == [[2, 4], [6, 8], [10]]


async def test_a_failing_entry_fails_its_caller_alone() -> None:
    doubler = Doubler()

    answers = await asyncio.gather(*doubler.submit(2, 3, 4), return_exceptions=True)

    assert answers[::2] == [4, 8]
    assert str(answers[1]) == "3 is odd"


async def test_a_failing_handler_fails_its_batch_and_no_other() -> None:
    doubler = Doubler(most=2)

    answers = await asyncio.gather(*doubler.submit(2, 13, 4), return_exceptions=True)

    assert [repr(each) for each in answers] == ["RuntimeError('13')", "RuntimeError('13')", "8"]


async def test_a_caller_that_goes_away_harms_nobody_and_leaves_its_item() -> None:
    doubler = Doubler()
    first = await doubler.hold(2)
    goes, stays = doubler.submit(4, 6)
    await asyncio.sleep(0)

    goes.cancel()
    doubler.gate.set()

    assert await asyncio.gather(*first, stays) == [4, 12]
    assert doubler.batches == [[2], [4, 6]]
    with pytest.raises(asyncio.CancelledError):
        await goes


async def test_nobody_waits_for_a_batch_that_does_not_end() -> None:
    doubler = Doubler(patience=0.05)
    first = await doubler.hold(2)

    outcomes = await asyncio.gather(*first, *doubler.submit(4), return_exceptions=True)
    late = await asyncio.gather(*doubler.submit(6), return_exceptions=True)
    doubler.gate.set()
    await doubler.batcher.idle()

    assert [type(each) for each in [*outcomes, *late]] == [Stuck] * 3
    assert await asyncio.gather(*doubler.submit(8)) == [16]
    assert doubler.batches == [[2], [8]]


async def test_those_who_waited_for_a_batch_that_took_long_to_fail_do_not_wait_once_more() -> None:
    doubler = Doubler(slow=0)
    first = await doubler.hold(13)
    later = doubler.submit(4)
    await asyncio.sleep(0)

    doubler.gate.set()
    outcomes = await asyncio.gather(*first, *later, return_exceptions=True)

    assert [repr(each) for each in outcomes] == ["RuntimeError('13')"] * 2
    assert doubler.batches == [[13]]


async def test_idle_waits_for_what_is_under_way_and_what_waits() -> None:
    doubler = Doubler()
    tasks = await doubler.hold(2)
    tasks += doubler.submit(4)
    await asyncio.sleep(0)
    idle = asyncio.create_task(doubler.batcher.idle())

    await asyncio.sleep(0)
    was_idle = idle.done()
    doubler.gate.set()
    await idle

    assert not was_idle
    assert doubler.batches == [[2], [4]]
    assert await asyncio.gather(*tasks) == [4, 8]


async def test_idle_returns_at_once_where_nothing_was_asked_for() -> None:
    doubler = Doubler()

    async with asyncio.timeout(5):
        await doubler.batcher.idle()

    assert doubler.batches == []


async def test_what_a_batch_logs_is_not_put_down_to_one_callers_request() -> None:
    async def handle(items: list[int]) -> list[str | Exception]:
        return [structlog.contextvars.get_contextvars().get("request_id", "")] * len(items)

    batcher: Batcher[int, str] = Batcher(handle)
    structlog.contextvars.bind_contextvars(request_id="of the first caller")

    seen = await asyncio.gather(batcher.submit(1), batcher.submit(2))

    assert list(seen) == ["", ""]
    assert structlog.contextvars.get_contextvars() == {"request_id": "of the first caller"}
