"""An account is told when its month's quota is nearly used up, and when it is."""

import asyncio
from typing import get_args

import pytest
from structlog.testing import capture_logs

from models import Account, Delivery, Event, Plan
from pingpilot.accounts.accounts import set_plan
from pingpilot.accounts.quota import PlanLimits, percent_reached
from pingpilot.config import Settings
from pingpilot.events.submission import QuotaExceeded, Submission
from tests.support.accounts import link_chat, new_account
from tests.support.clock import ManualClock
from tests.support.composition import Composition
from tests.support.events import caller_for

LIMITS = PlanLimits(free=10, contact="ops@example.com")


@pytest.fixture
async def alice(database: str, clock: ManualClock) -> Account:
    """An account with ten events a month, and two channels."""
    account = await new_account(clock, channels=["telegram", "email"])
    await link_chat(account, "telegram", clock)
    return account


async def post(account: Account, clock: ManualClock, count: int, *, at_once: bool = False) -> int:
    """Post so many events; return how many were refused."""
    caller = await caller_for(account, clock, LIMITS)
    intake = Composition(clock=clock, limits=LIMITS).intake
    if at_once:
        posting = [intake.submit(Submission(caller, "sale", "", "{}")) for _ in range(count)]
        return sum(
            isinstance(each, QuotaExceeded) for each in await asyncio.gather(*posting, return_exceptions=True)
        )
    refused = 0
    for _ in range(count):
        try:
            await intake.submit(Submission(caller, "sale", "", "{}"))
        except QuotaExceeded:
            refused += 1
    return refused


async def told() -> list[str]:
    return [event.description for event in await Event.filter(notice=True).order_by("id")]


async def test_all_channels_are_told_at_80_percent_and_at_the_end_once_each(
    alice: Account, clock: ManualClock
) -> None:
    await post(alice, clock, 7)
    before = await told()
    await post(alice, clock, 2)
    at_nine = await told()
    refused = await post(alice, clock, 5)

    assert (before, refused) == ([], 4)
    (first, second), asked = await told(), "until 1 December (UTC). Ask ops@example.com for more."
    assert at_nine == [first]
    assert first == f"8 of this month's 10 events are used. Beyond the limit, events are refused {asked}"
    assert second == f"This month's 10 events are used up: further ones are refused {asked}"
    deliveries = await Delivery.filter(event__notice=True)
    assert sorted(each.channel for each in deliveries) == ["email", "email", "telegram", "telegram"]


async def test_one_batch_over_both_levels_tells_of_the_end_alone(alice: Account, clock: ManualClock) -> None:
    with capture_logs() as lines:
        refused = await post(alice, clock, 30, at_once=True)

    (notice,) = await told()
    assert refused == 20
    assert notice.startswith("This month's 10 events are used up")
    assert [line for line in lines if "quota" in line["event"]] == [
        {
            "event": "A month's quota is used up",
            "log_level": "warning",
            "account_id": alice.id,
            "used": 10,
            "limit": 10,
        }
    ]


async def test_a_new_month_tells_anew(alice: Account, clock: ManualClock) -> None:
    await post(alice, clock, 8)
    clock.advance_days(10)

    await post(alice, clock, 8)

    assert len(await told()) == 2


@pytest.mark.parametrize(
    ("limit", "says"), [(5, "This month's 5 events are used up"), (11, "9 of this month's 11")]
)
async def test_a_limit_that_was_changed_tells_anew(
    alice: Account, clock: ManualClock, limit: int, says: str
) -> None:
    await post(alice, clock, 8)
    await set_plan(alice, Plan.FREE, limit)

    await post(alice, clock, 1)

    assert (await told())[1].startswith(says)


async def test_notices_are_not_charged(alice: Account, clock: ManualClock) -> None:
    assert await post(alice, clock, 10) == 0


async def test_without_a_limit_or_with_none_at_all_nothing_is_told(database: str, clock: ManualClock) -> None:
    unlimited = await new_account(clock, plan=Plan.ENTERPRISE, channels=["email"])
    barred = await new_account(clock, "barred@example.com", monthly_events=0, channels=["email"])

    await post(unlimited, clock, 20)
    refused = await post(barred, clock, 1)

    assert (refused, await told()) == (1, [])


@pytest.mark.parametrize(
    ("used", "limit", "percent"),
    [
        (0, 10, 0),
        (7, 10, 0),
        (8, 10, 80),
        (9, 10, 80),
        (10, 10, 100),
        (15, 10, 100),
        (0, 1, 0),
        (1, 1, 100),
        (4, 5, 80),
    ],
)
def test_the_level_that_is_reached(used: int, limit: int, percent: int) -> None:
    assert percent_reached(used, limit) == percent


def test_a_setting_names_the_plan_of_new_accounts_as_the_plans_are_named() -> None:
    choices = get_args(Settings.model_fields["default_plan"].annotation)

    assert set(choices) == {*Plan}
