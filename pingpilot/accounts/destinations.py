"""Destinations: the places an account's notifications go to, by the names its owner gives them."""

from models import Account, Destination, DestinationKind
from pingpilot.accounts.accounts import direct_destinations
from pingpilot.channels import CHANNELS, direct_channels

NAME_PATTERN = r"[a-z0-9-]{1,32}"
MOST_DESTINATIONS = 20
"""Destinations of one account, its direct ones included."""


async def destinations_of(account: Account) -> list[Destination]:
    """Return the account's destinations: the direct ones in the channels' order, then the others by name."""
    others = Destination.filter(account_id=account.id).exclude(kind=DestinationKind.DIRECT)
    return [*await direct_destinations(account), *await others.order_by("name")]


def label_of(destination: str) -> str:
    """Return what people call a destination: the channel's label for a direct one, else its quoted name."""
    return CHANNELS[destination].label if destination in direct_channels() else f"'{destination}'"
