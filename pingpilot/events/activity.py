"""How much came day by day, as its owner sees it: counted as it comes, never by reading events."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from models import Account
from models.activity import slot_of
from models.database import reader
from models.sql import query

_PER_DAY = """
WITH days (day, first, after) AS (VALUES {days})
SELECT days.day, a.category, SUM(a.events) AS events FROM days
JOIN category_activity a ON a.account_id = ? AND a.slot >= days.first AND a.slot < days.after
GROUP BY days.day, a.category
"""


_OF_A_CATEGORY = """
WITH days (day, first, after) AS (VALUES {days})
SELECT days.day, SUM(a.events) AS events FROM days
JOIN category_activity a
    ON a.account_id = ? AND a.category = ? AND a.slot >= days.first AND a.slot < days.after
GROUP BY days.day
"""


@dataclass(frozen=True, slots=True)
class Day:
    """One day of an account, in its own time zone: accepted events by category, those with none left out."""

    date: date
    events: Mapping[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return sum(self.events.values())


async def days_of(account: Account, now: datetime, days: int) -> list[Day]:
    """Return the account's last days, the present one last; up to `KEPT_FOR` back."""
    dates, values = last_days(account, now, days)
    counts: defaultdict[int, dict[str, int]] = defaultdict(dict)
    for row in await query(reader(), _PER_DAY.format(days=values), [account.id]):
        counts[row["day"]][row["category"]] = int(row["events"])
    return [Day(each, counts[day]) for day, each in enumerate(dates)]


async def counts_of(account: Account, category: str, now: datetime, days: int) -> dict[date, int]:
    """Return how many events of one category each of the account's last days had, the present one last."""
    dates, values = last_days(account, now, days)
    counts = dict.fromkeys(dates, 0)
    for row in await query(reader(), _OF_A_CATEGORY.format(days=values), [account.id, category]):
        counts[dates[row["day"]]] = int(row["events"])
    return counts


def last_days(account: Account, now: datetime, days: int) -> tuple[list[date], str]:
    """Return an account's last days, and SQL's `VALUES` of them: place, first slot, slot after the last."""
    zone = ZoneInfo(account.time_zone)
    today = now.astimezone(zone).date()
    dates = [today - timedelta(days=back) for back in reversed(range(days))]
    bounds = [midnight(each, zone) for each in (*dates, today + timedelta(days=1))]
    ranges = zip(map(slot_of, bounds), map(slot_of, bounds[1:]), strict=False)
    # Numbers of our own: PostgreSQL would take the marks of a VALUES list for text
    return dates, ", ".join(f"({day}, {first}, {after})" for day, (first, after) in enumerate(ranges))


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """Return the instant at which a day begins in a time zone, in UTC."""
    return datetime.combine(day, time(), zone).astimezone(UTC)
