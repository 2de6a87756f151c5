"""Bots whose token this server no longer has: what was linked with them says so, and what waits is kept."""

from datetime import datetime

from models import Bot, Destination, DestinationKind
from models.database import connection, transaction, unit_of_work
from models.delivery import with_statuses
from models.sql import marks, query
from pingpilot.channels import CHANNELS
from pingpilot.events.notices import post_notice

LINKED_WITH_ANOTHER = "It was linked with a bot that this server no longer has: link it again."
"""The reason of a suspension that ends by itself once the bot's token is back."""
_MOST_AT_ONCE = 500
# What nobody can send is settled by any bot, such as what waits for a destination that was removed. The rest
# waits for its own, or until it is linked with another one
_HAND_OVER = with_statuses(f"""
UPDATE deliveries SET lane = ? WHERE id IN (
    SELECT d.id FROM deliveries d
    LEFT JOIN destinations dest ON dest.account_id = d.account_id AND dest.name = d.destination
        AND dest.channel = d.channel
    WHERE d.channel = ? AND d.lane = ? AND d.status = :pending
        AND (dest.lane IS NULL OR dest.lane <> d.lane OR NOT dest.enabled OR dest.address IS NULL
            OR dest.suspended_reason <> ?)
    LIMIT {_MOST_AT_ONCE}
) AND status = :pending RETURNING id
""")  # noqa: S608


@unit_of_work
async def welcome_back(channel: str) -> None:
    """Go on with what was suspended for want of its bot, where that is in use again."""
    lanes = await Bot.lanes(channel, in_use=True)
    await query(
        connection(),
        "UPDATE destinations SET suspended_reason = NULL "  # noqa: S608
        f"WHERE channel = ? AND lane IN ({marks(lanes)}) AND suspended_reason = ? RETURNING id",
        [channel, *lanes, LINKED_WITH_ANOTHER],
    )


async def look_after_former_bots(channel: str, now: datetime) -> set[str]:
    """Suspend what was linked with bots of the channel that are no longer in use, and tell the owners.

    Returns the channels that have something to do.
    """
    woken = set[str]()
    in_use, former = await Bot.lanes(channel, in_use=True), await Bot.lanes(channel, in_use=False)
    for lane in former if in_use else ():
        found = Destination.filter(channel=channel, lane=lane, suspended_reason__isnull=True)
        for each in await found.filter(address__isnull=False, enabled=True).limit(_MOST_AT_ONCE):
            woken |= await _suspend(each, now)
        if await query(connection(), _HAND_OVER, [in_use[0], channel, lane, LINKED_WITH_ANOTHER]):
            woken.add(channel)
    return woken


@unit_of_work
async def _suspend(destination: Destination, now: datetime) -> set[str]:
    async with transaction():
        if not await Destination.suspend(
            destination.account_id,
            destination.name,
            address=destination.address or "",
            reason=LINKED_WITH_ANOTHER,
        ):
            return set()  # another daemon was first
        label = CHANNELS[destination.channel].label
        what = f"{label} is suspended for your account"
        if destination.kind != DestinationKind.DIRECT:
            what = f"The destination '{destination.name}' ({label}) is suspended"
        return await post_notice(destination.account_id, f"{what}: {LINKED_WITH_ANOTHER}", now=now)
