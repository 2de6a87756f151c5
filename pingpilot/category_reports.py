"""What is told of an account's categories: their settings, this month's count, the last event."""

from dataclasses import dataclass
from datetime import datetime

from models import Account, CategoryUsage
from models.database import connection
from models.names import split
from models.sql import Row, as_datetime, query
from pingpilot.categories import unknown_category
from pingpilot.errors import NotFound
from pingpilot.quota import month_of

_REPORT = """
SELECT c.name, c.emoji, c.color, c.urgent, c.channels, c.fallback, u.events, (
    SELECT l.last_event_at FROM category_usage l WHERE l.account_id = c.account_id AND l.category = c.name
    ORDER BY l.month DESC LIMIT 1
) AS last_event_at
FROM categories c
LEFT JOIN category_usage u ON u.account_id = c.account_id AND u.category = c.name AND u.month = ?
WHERE c.account_id = ?
"""


@dataclass(frozen=True, slots=True)
class CategoryReport:
    """One category as shown to its owner, with this month's count. `channels` None: all that are on."""

    name: str
    emoji: str | None
    color: str
    urgent: bool
    channels: tuple[str, ...] | None
    fallback: str | None
    events_this_month: int
    last_event_at: datetime | None


async def report_categories(account: Account, now: datetime) -> list[CategoryReport]:
    """Return the account's categories by name, each with its month so far and its last event."""
    rows = await query(connection(), f"{_REPORT} ORDER BY c.name", [month_of(now), account.id])
    return [_report(row) for row in rows]


async def report_category(account: Account, name: str, now: datetime) -> CategoryReport:
    """Return one of the account's categories. Raises `NotFound`."""
    rows = await query(connection(), f"{_REPORT} AND c.name = ?", [month_of(now), account.id, name])
    if not rows:
        raise NotFound(await unknown_category(account.id, name))
    return _report(rows[0])


async def count_events(account: Account, category: str) -> int:
    """Return how many events were ever accepted under a category's name."""
    months = await CategoryUsage.filter(account_id=account.id, category=category)
    return sum(month.events for month in months)


def _report(row: Row) -> CategoryReport:
    return CategoryReport(
        name=row["name"],
        emoji=row["emoji"],
        color=row["color"],
        urgent=bool(row["urgent"]),
        channels=split(row["channels"]),
        fallback=row["fallback"],
        events_this_month=row["events"] or 0,
        last_event_at=as_datetime(row["last_event_at"]) if row["last_event_at"] else None,
    )
