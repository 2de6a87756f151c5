"""What an account's owner chooses: time zone, combining, channels, quiet hours; changed as a whole."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from models import Account, AccountChannel
from models.database import transaction, unit_of_work
from pingpilot.accounts.accounts import set_combine
from pingpilot.accounts.quiet_hours import reconsider, set_quiet_hours, set_time_zone
from pingpilot.channels import CHANNELS, check_channels


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
    check_channels(change.channels)
    async with transaction():
        if change.combine is not None:
            await set_combine(account, change.combine)
        if change.time_zone is not None:
            await set_time_zone(account, change.time_zone, now=now)
        for name in CHANNELS:  # in one order, lest two changes wait for each other
            if name in change.channels:
                await _change_channel(account, name, change.channels[name], now)


async def _change_channel(account: Account, name: str, change: ChannelChange, now: datetime) -> None:
    if change.enabled is not None:
        await AccountChannel.switch(account.id, name, on=change.enabled)
        await reconsider(account, name, now)
    if change.quiet_hours is not None:
        await set_quiet_hours(account, name, change.quiet_hours, silently=change.silently, now=now)
