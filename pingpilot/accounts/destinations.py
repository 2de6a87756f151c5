"""Destinations: the places an account's notifications go to, by the names its owner gives them."""

import difflib
import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from models import OPEN_STATUSES, Account, Bot, Category, Destination, DestinationKind
from models.database import connection, transaction, unit_of_work
from models.delivery import OF_DESTINATION, WAITING_STATUSES, select_with_statuses, with_statuses
from models.names import split
from models.sql import marks, query
from pingpilot.accounts.accounts import direct_destinations
from pingpilot.accounts.quiet_hours import reconsider, set_quiet_hours
from pingpilot.accounts.webhooks import new_webhook_secret
from pingpilot.channels import CHANNELS, AddressSource, ChannelKind, direct_channels
from pingpilot.errors import AlreadyExists, InvalidInput, NotFound, TooMany

NAME_PATTERN = r"[a-z0-9-]{1,32}"
MENTION_PATTERN = r"here|[0-9]{15,20}"
"""Whom messages to a Discord room call: everybody who is online, or a role by its id."""
MOST_DESTINATIONS = 20
"""Destinations of one account, its direct ones included."""
SECRET_OVERLAP = timedelta(days=1)
"""How long the former secret of a webhook signs beside the new one."""
ALL, NONE = "all", "none"
"""What people write instead of a name, where a category's channels, its fallback or a mention is set."""
_OF_NAME = "channel = ? AND lane IN ({lanes}) AND account_id = ? AND destination = ?"
_MAKE_DUE = with_statuses(f"""
UPDATE deliveries SET status = :pending, next_attempt_at = ?
WHERE id IN ({select_with_statuses("id", WAITING_STATUSES, OF_DESTINATION)}) RETURNING id
""")  # noqa: S608


@dataclass(frozen=True, slots=True)
class NewDestination:
    """A fresh destination; a webhook's `secret` is shown this once."""

    destination: Destination
    secret: str | None


@dataclass(frozen=True, slots=True)
class DestinationChange:
    """What changes for a destination; None means nothing.

    `quiet_hours` are written as `22:00-07:00`, or `off`; `silently` belongs to them. `mention` is `none`,
    `here` or a role's id.
    """

    enabled: bool | None = None
    quiet_hours: str | None = None
    silently: bool = False
    mention: str | None = None


@dataclass(frozen=True, slots=True)
class RotatedSecret:
    """A webhook's new secret, shown this once; the `former` one signs as well until then."""

    secret: str
    former_until: datetime


async def destinations_of(account: Account) -> list[Destination]:
    """Return the account's destinations: the direct ones in the channels' order, then the others by name."""
    others = Destination.filter(account_id=account.id).exclude(kind=DestinationKind.DIRECT)
    return [*await direct_destinations(account), *await others.order_by("name")]


async def find_destination(account: Account, name: str) -> Destination:
    """Return the account's destination of this name. Raises `NotFound`, with the nearest names."""
    own = await destinations_of(account)
    for each in own:
        if each.name == name:
            return each
    near = difflib.get_close_matches(name[:100], [each.name for each in own], n=3, cutoff=0.5)
    hint = ", ".join(f"'{each}'" for each in near or [each.name for each in own])
    said = f"did you mean {hint}?" if near else f"the account has {hint}."
    raise NotFound(f"There is no destination '{name}': {said}")


@unit_of_work
async def add_destination(
    account: Account, name: str, kind: ChannelKind, address: str, now: datetime
) -> NewDestination:
    """Return a new destination that its owner gives the address of: a mailbox, or a webhook.

    The channel's settings have checked the address. A mailbox has it as its title until it is confirmed
    (`pingpilot.accounts.mailboxes`), and nothing is sent there before. Raises `InvalidInput`,
    `AlreadyExists` for a name in use, or `TooMany`.
    """
    is_mailbox = kind.address is AddressSource.ACCOUNT_EMAIL
    async with transaction():
        await Account.lock(account.id)
        await check_new(account, name, channel=kind.name)
        secret = None if is_mailbox else new_webhook_secret()
        destination = await Destination.create(
            account_id=account.id,
            channel=kind.name,
            kind=DestinationKind.MAILBOX if is_mailbox else DestinationKind.WEBHOOK,
            name=name,
            title=address if is_mailbox else None,
            enabled=True,
            address=None if is_mailbox else address,
            secret=secret,
            linked_at=None if is_mailbox else now,
        )
    return NewDestination(destination, secret)


@unit_of_work
async def change_destination(
    account: Account, name: str, change: DestinationChange, now: datetime
) -> Destination:
    """Change all that is named or, where something is wrong, nothing; return the destination.

    One that is switched on or off loses its suspension. Raises `InvalidInput` or `NotFound`.
    """
    async with transaction():
        await Account.lock(account.id)
        destination = await find_destination(account, name)
        if not destination.id:  # a direct one that the account never had
            await destination.save()
        if change.mention is not None:
            await _set_mention(destination, change.mention)
        if change.enabled is not None:
            await Destination.switch(account.id, name, on=change.enabled)
            await reconsider(account, name, now)
        if change.quiet_hours is not None:
            await set_quiet_hours(account, name, change.quiet_hours, silently=change.silently, now=now)
        return await Destination.get(account_id=account.id, name=name)


async def _set_mention(destination: Destination, mention: str) -> None:
    is_room = destination.kind in (DestinationKind.ROOM, DestinationKind.TOPIC)
    if mention == NONE:
        await Destination.filter(id=destination.id).update(mention=None)
        return
    if not is_room or not CHANNELS[destination.channel].mentions:
        labels = " or ".join(kind.label for kind in CHANNELS.values() if kind.mentions)
        raise InvalidInput(f"Only messages to a room in {labels} can mention somebody.")
    if not re.fullmatch(MENTION_PATTERN, mention):
        raise InvalidInput(f"'{mention}' is not a mention: write none, here, or the id of a role.")
    await Destination.filter(id=destination.id).update(mention=mention)


@unit_of_work
async def remove_destination(account: Account, name: str, now: datetime) -> list[str]:
    """Remove a destination that is not direct; return the categories that name it still.

    Raises `InvalidInput` or `NotFound`.
    """
    async with transaction():
        await Account.lock(account.id)
        destination = await find_destination(account, name)
        if destination.kind == DestinationKind.DIRECT:
            unlinking = ", or unlink its chat with /unlink" if CHANNELS[name].needs_link else ""
            raise InvalidInput(f"{label_of(name)} itself can't be removed: switch it off{unlinking}.")
        return await delete_destination(destination, now)


@unit_of_work
async def rotate_secret(account: Account, name: str, now: datetime) -> RotatedSecret:
    """Give a webhook a new secret; the former one signs beside it for a day.

    Raises `InvalidInput` or `NotFound`.
    """
    async with transaction():
        await Account.lock(account.id)
        destination = await find_destination(account, name)
        if destination.kind != DestinationKind.WEBHOOK:
            raise InvalidInput(f"{label_of(name)} is not a webhook, and has no secret.")
        secret, until = new_webhook_secret(), now + SECRET_OVERLAP
        await Destination.filter(id=destination.id).update(
            secret=secret, former_secret=destination.secret, former_secret_until=until
        )
    return RotatedSecret(secret, until)


def label_of(destination: str) -> str:
    """Return what people call a destination: the channel's label for a direct one, else its quoted name."""
    return CHANNELS[destination].label if destination in direct_channels() else f"'{destination}'"


async def check_new(account: Account, name: str, *, channel: str | None = None) -> None:
    """Raise unless the account can have another destination, of this name.

    Raises `InvalidInput` for what is not a name, `AlreadyExists` for one that is in use or means something
    else, or `TooMany` beyond `MOST_DESTINATIONS`. The caller holds the account's lock. Where the `channel` is
    known, nothing may wait there for a removed one of the name: it would go to the new one.
    """
    if not re.fullmatch(NAME_PATTERN, name):
        raise InvalidInput("A destination's name is 1 to 32 of a-z, 0-9 and '-', such as 'ops-room'.")
    if name in (ALL, NONE):
        raise AlreadyExists(
            f"'{name}' means something else where categories name destinations: choose another."
        )
    if name in CHANNELS:
        raise AlreadyExists(f"'{name}' is a channel's name: choose another one, such as '{name}-ops'.")
    if await Destination.exists(account_id=account.id, name=name):
        raise AlreadyExists(
            f"There is a destination '{name}' already: choose another name, or remove that one first."
        )
    if channel:
        lanes = await Bot.lanes(channel)
        waiting = select_with_statuses("id", OPEN_STATUSES, _OF_NAME.format(lanes=marks(lanes)))
        own = [channel, *lanes, account.id, name] * len(OPEN_STATUSES)
        if await query(connection(), f"{waiting} LIMIT 1", own):
            raise AlreadyExists(
                f"Messages wait still for the '{name}' that was removed, and fail once the daemon sees them: "
                "try again in a moment, or choose another name."
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
    own = [destination.channel, destination.lane, destination.account_id, destination.name]
    await query(connection(), _MAKE_DUE, [now, *own * len(WAITING_STATUSES)])
    await destination.delete()
    named = await Category.filter(account_id=destination.account_id).order_by("name")
    return [
        each.name
        for each in named
        if destination.name in (split(each.channels) or ()) or each.fallback == destination.name
    ]
