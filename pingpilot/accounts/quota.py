"""The quota: events a calendar month, in UTC, charged by intake and shown everywhere."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

from models import Account, MonthlyUsage, Plan
from pingpilot.config import Settings

TOLD_AT = (80, 100)
"""Percent of the limit at which an account is told, once each a month."""
ALL = TOLD_AT[-1]


@dataclass(frozen=True, slots=True)
class PlanLimits:
    """Events a month of the plans that have a limit of their own; Enterprise has none.

    `contact` is whom to ask for more, as it stands in sentences.
    """

    free: int = 100
    pro: int = 1000
    contact: str = "whoever runs this server"

    @classmethod
    def of(cls, settings: Settings) -> "PlanLimits":
        """Return the limits that the settings name."""
        given = {"contact": settings.contact} if settings.contact else {}
        return cls(free=settings.plan_free_events, pro=settings.plan_pro_events, **given)

    def limit_of(self, plan: str, monthly_events: int | None) -> int | None:
        """Return an account's limit: its own where set, else its plan's; None means no limit."""
        if monthly_events is not None:
            return monthly_events
        return {Plan.FREE: self.free, Plan.PRO: self.pro, Plan.ENTERPRISE: None}[Plan(plan)]


@dataclass(frozen=True, slots=True)
class Quota:
    """An account's month so far. `limit` None: no limit."""

    plan: str
    used: int
    limit: int | None
    resets_at: datetime

    @property
    def remaining(self) -> int | None:
        return None if self.limit is None else max(0, self.limit - self.used)


@dataclass(frozen=True, slots=True)
class Reached:
    """An account has used so many percent of its limit, one of `TOLD_AT`."""

    account_id: int
    percent: int
    used: int
    limit: int


def percent_reached(used: int, limit: int | None) -> int:
    """Return the highest of `TOLD_AT` that is reached, 0 for none; a limit of 0 is no use of any."""
    return max((each for each in TOLD_AT if limit and used * 100 >= limit * each), default=0)


async def quota_of(account: Account, limits: PlanLimits, now: datetime) -> Quota:
    """Return the account's quota in the month of `now`."""
    usage = await MonthlyUsage.get_or_none(account_id=account.id, month=month_of(now))
    limit = limits.limit_of(account.plan, account.monthly_events)
    return Quota(account.plan, usage.events if usage else 0, limit, month_end(now))


def month_of(now: datetime) -> str:
    """Return the calendar month of an instant in UTC as `YYYY-MM`."""
    return now.astimezone(UTC).strftime("%Y-%m")


def month_end(now: datetime) -> datetime:
    """Return the first instant of the next month, when the count starts anew."""
    utc = now.astimezone(UTC)
    return month_start(utc.year, utc.month + 1)


@cache  # asked for with every event of an account that has a limit
def month_seconds(end: datetime) -> int:
    """Return how many seconds the month has that ends then, as `month_end` tells."""
    last_day = end - timedelta(days=1)
    return int((end - month_start(last_day.year, last_day.month)).total_seconds())


@cache  # asked for with every request
def month_start(year: int, month: int) -> datetime:
    """Return a month's first instant in UTC; month 13 is the next year's first."""
    return datetime(year + (month - 1) // 12, (month - 1) % 12 + 1, 1, tzinfo=UTC)
