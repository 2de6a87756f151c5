"""Rooms: places with more people than an account's owner, linked by one who may say what goes there.

That they may, the platform's bot has checked: a group's administrator, who can manage a server's channel.
"""

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime

from models import Account, Destination, DestinationKind
from models.database import transaction, unit_of_work
from models.sql import is_postgres, marks, query
from pingpilot.accounts.destinations import check_new, delete_destination
from pingpilot.accounts.keys import looks_like_key
from pingpilot.accounts.linking import ChatUser, count_guess, redeem, without_brackets
from pingpilot.accounts.quiet_hours import reconsider
from pingpilot.channels import CHANNELS
from pingpilot.errors import AlreadyExists, InvalidInput, LinkRefused, TooMany

LONGEST_TITLE = 256
"""Characters of a room's title that are kept."""
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
async def link_room(user: ChatUser, room: Room, code: str, *, now: datetime) -> LinkedRoom:
    """Link the room to the account that the code belongs to.

    It is called as the code says, or after its title. One that is linked to that account and was suspended or
    switched off is used again. Raises `LinkRefused` with a sentence for everybody in the room; each refusal
    counts as a guess.
    """
    if looks_like_key(without_brackets(code)):
        raise LinkRefused(
            "An API key is not for a room, where others read it: revoke this one, and use a link code."
        )
    guess = await count_guess(user, now)
    async with transaction() as connection:
        await guess.delete()  # unless the code is refused, which rolls this back; a write, to come first
        if is_postgres(connection):  # two who link one room at the same time: one after the other
            name = f"link room {room.channel} {room.address}"
            await query(connection, "SELECT pg_advisory_xact_lock(hashtextextended(?, 0))", [name])
        account, name_given = await redeem(without_brackets(code), now)
        await Account.lock(account.id)
        if known := await room_destination(room):
            if known.account_id != account.id:
                raise LinkRefused("This room is linked to another account: send /unlink here first.")
            if known.enabled and known.suspended_reason is None:
                raise LinkRefused(f"This room is linked already, as '{known.name}'.")
            await Destination.switch(account.id, known.name, on=True)
            await reconsider(account, known.name, now)
            return LinkedRoom(account, known.name, again=True)
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
        )
    return LinkedRoom(account, name)


async def linked_rooms(channel: str) -> set[str]:
    """Return the addresses of all rooms of a channel that destinations lead to, whosever they are."""
    rooms = Destination.filter(channel=channel, kind__in=_KINDS, suspended_reason__isnull=True)
    return {str(address) for address in await rooms.values_list("address", flat=True)}


async def room_destination(room: Room) -> Destination | None:
    """Return the destination that leads to a room, whichever account it belongs to."""
    return await Destination.filter(
        channel=room.channel, address=room.address, topic=room.topic, kind__in=_KINDS
    ).first()


@unit_of_work
async def unlink_room(room: Room, now: datetime) -> tuple[Destination, list[str]] | None:
    """Remove the destination that leads to a room; None where there is none.

    Returns it with the names of the categories that name it still.
    """
    async with transaction():
        known = await room_destination(room)
        if known is None:
            return None
        await Account.lock(known.account_id)
        return known, await delete_destination(known, now)


@unit_of_work
async def suspend_rooms(channel: str, address: str, reason: str) -> list[Destination]:
    """Suspend all destinations that lead to a room or its topics, since the bot can't send there any more.

    Returns those that were not suspended before, whose owners are to be told.
    """
    async with transaction() as connection:
        changed = await query(
            connection,
            "UPDATE destinations SET suspended_reason = ? WHERE channel = ? AND address = ? "  # noqa: S608
            f"AND suspended_reason IS NULL AND kind IN ({marks(_KINDS)}) RETURNING id",
            [reason, channel, address, *_KINDS],
        )
        return await Destination.filter(id__in=[row["id"] for row in changed]).order_by("id")


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
    if stem in CHANNELS:
        stem += "-room"
    return [stem, *(f"{stem}-{number}" for number in range(2, _MOST_TRIED))]
