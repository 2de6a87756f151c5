"""Lines of replies: how something stands, in words."""

from datetime import datetime, timedelta

from bots.replies import Bold, Code, Line
from pingpilot.accounts.categories import CategoryReport
from pingpilot.accounts.quota import Quota

BAR_LENGTH = 10


def category_line(report: CategoryReport, now: datetime) -> Line:
    """Return a category with its month so far and its last event."""
    emoji = f"{report.emoji} " if report.emoji else ""
    last = f", last {ago(now - report.last_event_at)}" if report.last_event_at else ""
    return (emoji, Bold(report.name), f" – {report.events_this_month:,} this month{last}")


def quota_lines(quota: Quota) -> list[Line]:
    """Return what is used of a month's quota, with a bar where there is a limit."""
    day = f"{quota.resets_at.day} {quota.resets_at:%B %Y}"
    if quota.limit is None:
        return [(f"{quota.used:,} events this month, no limit ({quota.plan} plan)",)]
    share = min(1.0, quota.used / quota.limit) if quota.limit else 1.0
    filled = round(share * BAR_LENGTH)
    return [
        (Code("▰" * filled + "▱" * (BAR_LENGTH - filled)), f" {share:.0%}"),
        (f"{quota.used:,} of {quota.limit:,} events used ({quota.plan} plan), {quota.remaining:,} left",),
        (f"Resets on {day} (UTC)",),
    ]


def ago(time: timedelta) -> str:
    """Return how long ago something was, in its largest unit."""
    seconds = max(0, int(time.total_seconds()))
    for unit, length in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if seconds >= length:
            count = seconds // length
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "just now"
