"""Rooms: places with more people than an account's owner, linked by one who may say what goes there.

That they may, the platform's bot has checked: a group's administrator, who can manage a server's channel.
"""

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from models import Account, Delivery, Destination, DestinationKind
from models.database import connection, transaction, unit_of_work
from models.sql import is_postgres, marks, query
from pingpilot.accounts.destinations import ALL, NONE, check_new, delete_destination
from pingpilot.accounts.keys import KEY_PREFIX
from pingpilot.accounts.linking import (
    SUSPENDED,
    ChatUser,
    count_guess,
    redeem,
    taken_back_unless_wrong,
    without_brackets,
)
from pingpilot.accounts.quiet_hours import reconsider
from pingpilot.channels import CHANNELS
from pingpilot.errors import AlreadyExists, InvalidInput, LinkRefused, TooMany

LONGEST_TITLE = 256
"""Characters of a room's title that are kept."""
NO_KEYS = "An API key is not for a room, where others read it: revoke this one, and use a link code."
"""For whoever sends one there, or a part of one."""
_KINDS = (DestinationKind.ROOM.value, DestinationKind.TOPIC.value)
_LONGEST_STEM = 28  # characters of a name that is made of a title, before a number
_MOST_TRIED = 100


@dataclass(frozen=True, slots=True)
class Room:
    """A group, a server's channel, or a topic of one; `title` is what people see of it."""

    channel: str
    address: str
    title: str
    topic: str | None = None


@dataclass(frozen=True, slots=True)
class LinkedRoom:
    """The account a room was linked to, and the destination's name; `again` where it was linked before."""

    account: Account
    destination: str
    again: bool = False


@unit_of_work
async def link_room(user: ChatUser, room: Room, code: str, *, now: datetime, lane: int = 0) -> LinkedRoom:
    """Link the room to the account that the code belongs to, by the bot of this lane.

    It is called as the code says, or after its title. One that is linked to that account and was suspended or
    switched off is used again. Raises `LinkRefused` with a sentence for everybody in the room; each wrong
    code counts as a guess.
    """
    if begins_a_key(code):
        raise LinkRefused(NO_KEYS)
    guess = await count_guess(user, now)
    async with taken_back_unless_wrong(guess), transaction():
        await guess.delete()  # unless the code is refused, which rolls this back; a write, to come first
        await _lock_room(room)
        account, name_given = await redeem(without_brackets(code), now)
        if account.suspended_at is not None:
            raise LinkRefused(SUSPENDED)
        await Account.lock(account.id)
        known = await destinations_in(room)
        if any(each.account_id != account.id for each in known):
            raise LinkRefused("This room is linked to another account: send /unlink here first.")
        if known and all(each.enabled and each.suspended_reason is None for each in known):
            raise LinkRefused(f"This room is linked already, as '{known[0].name}'.")
        if known:
            for each in known:
                await Destination.switch(account.id, each.name, on=True)
                await reconsider(account, each.name, now)
                await Delivery.move_waiting(account.id, room.channel, each.name, lane=each.lane, to=lane)
            linked_by: dict[str, Any] = {"user_id": user.user_id, "username": user.username}
            linked_by |= {"linked_at": now, "lane": lane}
            own = Destination.filter(id__in=[each.id for each in known])
            await own.update(title=room.title[:LONGEST_TITLE], **linked_by)
            return LinkedRoom(account, known[0].name, again=True)
        name = await _free_name(account, name_given, room)
        await Destination.create(
            account_id=account.id,
            channel=room.channel,
            kind=DestinationKind.ROOM if room.topic is None else DestinationKind.TOPIC,
            name=name,
            title=room.title[:LONGEST_TITLE],
            enabled=True,
            address=room.address,
            topic=room.topic,
            user_id=user.user_id,
            username=user.username,
            linked_at=now,
            lane=lane,
        )
    return LinkedRoom(account, name)


async def linked_rooms(channel: str) -> set[str]:
    """Return the addresses of all rooms of a channel that destinations lead to, whosever they are."""
    rooms = Destination.filter(channel=channel, kind__in=_KINDS, suspended_reason__isnull=True)
    return {str(address) for address in await rooms.values_list("address", flat=True)}


async def destinations_in(room: Room) -> list[Destination]:
    """Return what leads to a room, whichever account it belongs to.

    That is one destination, unless a topic that is gone, or a group that moved, came to lead to a room that
    was linked already.
    """
    own = Destination.filter(channel=room.channel, address=room.address, topic=room.topic, kind__in=_KINDS)
    return await own.order_by("id")


@unit_of_work
async def unlink_room(room: Room, now: datetime) -> list[tuple[Destination, list[str]]]:
    """Remove all that leads to a room; return each with the names of the categories that name it still."""
    async with transaction():
        await _lock_room(room)
        for account_id in sorted({each.account_id for each in await destinations_in(room)}):
            await Account.lock(account_id)
        return [(each, await delete_destination(each, now)) for each in await destinations_in(room)]


def begins_a_key(words: str) -> bool:
    """Whether what was sent with `/link` is an API key, or was meant to be one."""
    return without_brackets(words).startswith(KEY_PREFIX)


@unit_of_work
async def suspend_rooms(channel: str, address: str, reason: str, *, lane: int = 0) -> list[Destination]:
    """Suspend all destinations that lead to a room or its topics by one bot, which can't send there any more.

    Returns those that were not suspended before, whose owners are to be told.
    """
    async with transaction():
        changed = await query(
            connection(),
            "UPDATE destinations SET suspended_reason = ? WHERE channel = ? AND address = ? AND lane = ? "  # noqa: S608
            f"AND suspended_reason IS NULL AND kind IN ({marks(_KINDS)}) RETURNING id",
            [reason, channel, address, lane, *_KINDS],
        )
        return await Destination.filter(id__in=[row["id"] for row in changed]).order_by("id")


async def _lock_room(room: Room) -> None:
    """Keep others who link or unlink the room waiting until the transaction ends, as SQLite does anyway."""
    if is_postgres(connection()):
        name = f"link room {room.channel} {room.address}"
        await query(connection(), "SELECT pg_advisory_xact_lock(hashtextextended(?, 0))", [name])


async def _free_name(account: Account, given: str | None, room: Room) -> str:
    """Return the name that a code gave, or one made of the room's title. Raises `LinkRefused`."""
    names = [given] if given is not None else _names_of(room.title)
    for name in names:
        try:
            await check_new(account, name, channel=room.channel)
        except TooMany as exc:
            raise LinkRefused(str(exc)) from exc
        except (AlreadyExists, InvalidInput) as exc:
            if given is not None:
                raise LinkRefused(f"{exc} Then get a new code.") from exc
        else:
            return name
    raise LinkRefused("There are too many rooms of this name: get a code with a name of its own (--room).")


def _names_of(title: str) -> list[str]:
    """Return names for a room of this title: the title's letters and digits, and the same with numbers."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    stem = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:_LONGEST_STEM].strip("-") or "room"
    if stem in (ALL, NONE, *CHANNELS):
        stem += "-room"
    return [stem, *(f"{stem}-{number}" for number in range(2, _MOST_TRIED))]
