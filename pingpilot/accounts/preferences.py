"""What an account's owner chooses: time zone, combining, channels, quiet hours; changed as a whole."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from models import Account, Destination
from models.database import transaction, unit_of_work
from pingpilot.accounts.accounts import new_direct, set_combine
from pingpilot.accounts.quiet_hours import reconsider, set_quiet_hours, set_time_zone
from pingpilot.channels import CHANNELS, check_direct


@dataclass(frozen=True, slots=True)
class ChannelChange:
    """What changes for one channel; None means nothing.

    `quiet_hours` are written as `22:00-07:00`, or `off`; `silently` belongs to them.
    """

    enabled: bool | None = None
    quiet_hours: str | None = None
    silently: bool = False


@dataclass(frozen=True, slots=True)
class AccountChange:
    """What changes for an account; None means nothing."""

    time_zone: str | None = None
    combine: bool | None = None
    channels: Mapping[str, ChannelChange] = field(default_factory=dict)


@unit_of_work
async def change_account(account: Account, change: AccountChange, now: datetime) -> None:
    """Change all that is named or, where something is wrong, nothing. Raises `InvalidInput`.

    A channel that is switched on or off loses its suspension; what waits for quiet hours to end is looked
    at anew where they or their channel change.
    """
    check_direct(change.channels)
    async with transaction():
        if change.combine is not None:
            await set_combine(account, change.combine)
        if change.time_zone is not None:
            await set_time_zone(account, change.time_zone, now=now)
        for name in CHANNELS:  # in one order, lest two changes wait for each other
            if name not in change.channels:
                continue
            wanted = change.channels[name]
            await _make_sure_of(account, name)
            if wanted.enabled is not None:
                await switch_channel(account, name, on=wanted.enabled, now=now)
            if wanted.quiet_hours is not None:
                hours, silently = wanted.quiet_hours, wanted.silently
                await set_quiet_hours(account, name, hours, silently=silently, now=now)


async def switch_channel(account: Account, channel: str, *, on: bool, now: datetime) -> None:
    """Switch the account's channel on or off, within the caller's transaction.

    Its suspension ends, and what it holds is looked at anew.
    """
    await _make_sure_of(account, channel)
    await Destination.switch(account.id, channel, on=on)
    await reconsider(account, channel, now)


async def _make_sure_of(account: Account, channel: str) -> None:
    """Store a channel's direct destination, as one that is off, for an account older than the channel."""
    await Destination.bulk_create([new_direct(account, CHANNELS[channel])], ignore_conflicts=True)
