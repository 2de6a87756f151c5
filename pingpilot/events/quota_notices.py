"""Telling an account that its month's quota is nearly, or wholly, used up."""

from collections.abc import Sequence
from datetime import datetime

from models.database import connection
from models.sql import query
from pingpilot.accounts.quota import ALL, Reached, month_end, month_of
from pingpilot.events.notices import post_notice


async def tell_of_quota(reached: Sequence[Reached], contact: str, now: datetime) -> set[str]:
    """Queue a notice on all channels of each account, within the transaction that charged it.

    What was told is kept beside the counter, whose lock the transaction holds: once each a month, on however
    many daemons, and anew where the limit has changed. Returns the channels that have something to do.
    """
    channels = set[str]()
    for each in reached:
        await query(
            connection(),
            "UPDATE monthly_usage SET told_percent = ?, told_limit = ? WHERE account_id = ? AND month = ?",
            [each.percent, each.limit, each.account_id, month_of(now)],
        )
        channels |= await post_notice(each.account_id, _text(each, contact, now), now=now)
    return channels


def _text(reached: Reached, contact: str, now: datetime) -> str:
    resets = month_end(now)
    until = f"{resets.day} {resets:%B} (UTC)"
    if reached.percent == ALL:
        return (
            f"This month's {reached.limit:,} events are used up: further ones are refused until {until}. "
            f"Ask {contact} for more."
        )
    return (
        f"{reached.used:,} of this month's {reached.limit:,} events are used. Beyond the limit, events are "
        f"refused until {until}. Ask {contact} for more."
    )
