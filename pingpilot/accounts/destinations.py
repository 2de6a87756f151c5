"""Destinations: the places an account's notifications go to, by the names its owner gives them."""

import re
from datetime import datetime

from models import Account, Category, Delivery, DeliveryStatus, Destination, DestinationKind
from models.names import split
from pingpilot.accounts.accounts import direct_destinations
from pingpilot.channels import CHANNELS
from pingpilot.errors import AlreadyExists, InvalidInput, TooMany

NAME_PATTERN = r"[a-z0-9-]{1,32}"
MOST_DESTINATIONS = 20
"""Destinations of one account, its direct ones included."""


async def destinations_of(account: Account) -> list[Destination]:
    """Return the account's destinations: the direct ones in the channels' order, then the others by name."""
    others = Destination.filter(account_id=account.id).exclude(kind=DestinationKind.DIRECT)
    return [*await direct_destinations(account), *await others.order_by("name")]


def label_of(destination: str) -> str:
    """Return what people call a destination: the channel's label for a direct one, else its quoted name."""
    return CHANNELS[destination].label if destination in CHANNELS else f"'{destination}'"


async def check_new(account: Account, name: str) -> None:
    """Raise unless the account can have another destination, of this name.

    Raises `InvalidInput` for what is not a name, `AlreadyExists` for one in use, or `TooMany` beyond
    `MOST_DESTINATIONS`. The caller holds the account's lock.
    """
    if not re.fullmatch(NAME_PATTERN, name):
        raise InvalidInput("A destination's name is 1 to 32 of a-z, 0-9 and '-', such as 'ops-room'.")
    if name in CHANNELS:
        raise InvalidInput(f"'{name}' is a channel's name: choose another one, such as '{name}-ops'.")
    if await Destination.exists(account_id=account.id, name=name):
        raise AlreadyExists(
            f"There is a destination '{name}' already: choose another name, or remove that one first."
        )
    # Direct ones count whether they are there or not: each account may have them
    direct = sum(kind.has_direct for kind in CHANNELS.values())
    others = Destination.filter(account_id=account.id).exclude(kind=DestinationKind.DIRECT)
    if direct + await others.count() >= MOST_DESTINATIONS:
        raise TooMany(f"An account has up to {MOST_DESTINATIONS} destinations: remove one first.")


async def delete_destination(destination: Destination, now: datetime) -> list[str]:
    """Delete a destination that is not direct, within the caller's transaction.

    What waits for it fails at once, and goes to its category's fallback. Returns the categories that name
    it still: they keep the name, so that events find their way again once there is one of that name.
    """
    waiting = Delivery.filter(
        channel=destination.channel,
        status__in=(DeliveryStatus.PENDING, DeliveryStatus.HELD),
        account_id=destination.account_id,
        destination=destination.name,
    )
    await waiting.update(status=DeliveryStatus.PENDING, next_attempt_at=now)
    await destination.delete()
    named = await Category.filter(account_id=destination.account_id).order_by("name")
    return [
        each.name
        for each in named
        if destination.name in (split(each.channels) or ()) or each.fallback == destination.name
    ]
