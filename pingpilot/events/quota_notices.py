"""Telling an account that its month's quota is nearly, or wholly, used up."""

from collections.abc import Sequence
from datetime import datetime

from models.database import transaction, unit_of_work
from models.sql import query
from pingpilot.accounts.quota import ALL, Reached, month_end, month_of
from pingpilot.events.notices import post_notice

# Once each a month, on however many daemons, and anew where the limit has changed
_CLAIM_THE_TELLING = """
UPDATE monthly_usage SET told_percent = ?, told_limit = ?
WHERE account_id = ? AND month = ? AND (told_limit IS NULL OR told_limit <> ? OR told_percent < ?)
RETURNING id
"""


@unit_of_work
async def tell_of_quota(reached: Sequence[Reached], contact: str, now: datetime) -> set[str]:
    """Queue a notice on all channels of each account that was not told so much yet.

    Returns the channels that have something to do. Who is not told since this failed is told with the next
    event.
    """
    channels = set[str]()
    async with transaction() as connection:
        for each in sorted(reached, key=lambda one: one.account_id):
            told = [each.percent, each.limit]
            whose = [each.account_id, month_of(now), each.limit, each.percent]
            if await query(connection, _CLAIM_THE_TELLING, [*told, *whose]):
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
