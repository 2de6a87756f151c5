"""The quota: limits of the plans, and months in UTC."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from models import Plan
from pingpilot.accounts.accounts import set_plan
from pingpilot.accounts.quota import PlanLimits, month_end, month_of, month_seconds, quota_of
from tests.support.accounts import new_account
from tests.support.clock import ManualClock
from tests.support.events import accept

LIMITS = PlanLimits(free=100, pro=1000)


@pytest.mark.parametrize(
    ("plan", "own", "limit"),
    [
        (Plan.FREE, None, 100),
        (Plan.PRO, None, 1000),
        (Plan.ENTERPRISE, None, None),
        (Plan.ENTERPRISE, 5000, 5000),
        (Plan.FREE, 0, 0),
    ],
)
def test_the_limit_is_the_plans_unless_the_account_has_its_own(
    plan: Plan, own: int | None, limit: int | None
) -> None:
    assert LIMITS.limit_of(plan, own) == limit


async def test_a_month_counts_what_was_accepted_and_then_starts_anew(
    database: str, clock: ManualClock
) -> None:
    account = await new_account(clock)
    await accept(account, clock, "sale", "bug")

    november = await quota_of(account, LIMITS, clock.now())
    clock.advance_days(10)
    december = await quota_of(account, LIMITS, clock.now())

    assert (november.used, november.limit, november.remaining) == (2, 100, 98)
    assert november.resets_at == datetime(2026, 12, 1, tzinfo=UTC)
    assert (december.used, december.resets_at) == (0, datetime(2027, 1, 1, tzinfo=UTC))


async def test_a_plan_that_shrinks_leaves_nothing_rather_than_less(sqlite: str, clock: ManualClock) -> None:
    account = await new_account(clock)
    await accept(account, clock, "sale", "sale")

    await set_plan(account, Plan.FREE, 1)
    quota = await quota_of(account, LIMITS, clock.now())

    assert (quota.used, quota.remaining) == (2, 0)


async def test_without_a_limit_nothing_remains_to_be_counted(sqlite: str, clock: ManualClock) -> None:
    account = await new_account(clock, plan=Plan.ENTERPRISE)

    quota = await quota_of(account, LIMITS, clock.now())

    assert (quota.limit, quota.remaining) == (None, None)


def test_months_are_those_of_utc() -> None:
    east = timezone(timedelta(hours=14))
    still_november = datetime(2026, 12, 1, 8, 0, tzinfo=east)

    assert month_of(still_november) == "2026-11"
    assert month_end(still_november) == datetime(2026, 12, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("year", "month", "days"), [(2026, 2, 28), (2028, 2, 29), (2026, 4, 30), (2026, 12, 31), (2026, 1, 31)]
)
def test_a_month_is_as_long_as_the_calendar_says(year: int, month: int, days: int) -> None:
    instant = datetime(year, month, 15, 12, tzinfo=UTC)

    assert month_seconds(month_end(instant)) == days * 86_400
