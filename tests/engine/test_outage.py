"""A platform that is away: probes instead of storms, no attempt charged that was not made, nothing lost."""

from datetime import timedelta

import pytest

from pingpilot.delivery.breaker import FIRST_PROBE, TRIPS_AFTER
from pingpilot.errors import PermanentFailure, TemporaryFailure
from tests.support.waiting import eventually, until

from .scripted import Engine, deliveries, statuses

AWAY = TemporaryFailure("The platform is away.")
RECIPIENTS = 20


@pytest.fixture
async def away(engine: Engine) -> Engine:
    """An engine whose platform is away, with one event for each of many recipients."""
    engine.channel.fail_always(AWAY)
    for number in range(RECIPIENTS):
        await engine.post(await engine.account(f"user-{number}"), f"to user {number}")
    return engine


async def test_after_a_few_failures_nothing_more_is_tried_and_nothing_more_is_charged(away: Engine) -> None:
    async with away.running(slots=TRIPS_AFTER):
        await away.channel.wait_for_tries(TRIPS_AFTER)
        await away.clock.wait_for_looks()

    assert len(away.channel.tries) == TRIPS_AFTER
    assert sorted(each.attempts for each in await deliveries()) == [0] * 15 + [1] * TRIPS_AFTER


async def test_one_probe_goes_out_when_its_time_has_come(away: Engine) -> None:
    async with away.running(slots=TRIPS_AFTER):
        await away.channel.wait_for_tries(TRIPS_AFTER)
        await away.clock.wait_for_looks()
        away.clock.advance(FIRST_PROBE)
        await away.channel.wait_for_tries(TRIPS_AFTER + 1)
        await away.clock.wait_for_looks()

    assert len(away.channel.tries) == TRIPS_AFTER + 1


async def test_the_first_answer_ends_the_outage_for_all(away: Engine) -> None:
    async with away.running(slots=TRIPS_AFTER):
        await away.channel.wait_for_tries(TRIPS_AFTER)
        await away.clock.wait_for_looks()
        away.channel.fail_always(None)
        away.clock.advance(2 * FIRST_PROBE)
        await eventually(statuses, ["delivered"] * RECIPIENTS)

    assert len(set(away.channel.delivered)) == RECIPIENTS


async def test_a_refusal_is_an_answer_too(away: Engine) -> None:
    async with away.running(slots=TRIPS_AFTER):
        await away.channel.wait_for_tries(TRIPS_AFTER)
        await away.clock.wait_for_looks()
        away.channel.fail_always(PermanentFailure("Too long."))
        away.clock.advance(2 * FIRST_PROBE)
        await eventually(statuses, ["failed"] * RECIPIENTS)


async def test_an_outage_of_twelve_hours_drops_nothing(away: Engine) -> None:
    hours = 12
    steps = hours * 60
    async with away.running() as dispatcher:
        for _ in range(steps):
            away.clock.advance(timedelta(hours=hours) / steps)
            dispatcher.wake()
            await away.clock.wait_for_looks(4)
            await until(lambda: not away.channel.under_way)
        tried_in_vain = len(away.channel.tries)
        away.channel.fail_always(None)
        for _ in range(20):
            away.clock.advance(timedelta(hours=1))
            await away.clock.wait_for_looks()
        await eventually(statuses, ["delivered"] * RECIPIENTS)

    assert tried_in_vain <= RECIPIENTS * 9
    assert sorted(away.channel.delivered) == sorted(f"to user {number}" for number in range(RECIPIENTS))
