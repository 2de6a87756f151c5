"""Rooms that a person makes at the sandbox's prompt: groups, topics and channels, with the bot in them.

`#ops` is how they are named there; each platform's class has them by that name.
"""

import re
from collections.abc import Iterable
from typing import Final

from pingpilot.sandbox.discord import DiscordStandIn, DiscordUser, GuildChannel, Permission
from pingpilot.sandbox.telegram import TelegramMessage, TelegramRoom, TelegramStandIn, TelegramUser
from pingpilot.sandbox.telegram.rooms import RoomType

_NAME = re.compile(r"[\w-]{1,32}")
_FORUM: Final = "Team"
_SECONDS_TO_ANSWER = 3.0
_TELEGRAM_KINDS: dict[str, RoomType] = {"group": "supergroup", "topic": "supergroup", "channel": "channel"}
_DISCORD_KINDS = ("channel", "thread")


class TelegramRooms:
    """A person's groups, channels, and topics of one forum."""

    def __init__(self, stand_in: TelegramStandIn, person: TelegramUser) -> None:
        self._stand_in = stand_in
        self._person = person
        self._forum: TelegramRoom | None = None
        self._rooms: dict[str, tuple[TelegramRoom, int | None]] = {}

    def add(self, words: str) -> str:
        """Make a room with the bot in it ("group ops"), or let it into one again; return what was done.

        Raises `ValueError` with a sentence.
        """
        kind, name = _kind_and_name(words, tuple(_TELEGRAM_KINDS))
        if name in self._rooms:
            room, topic = self._rooms[name]
            if topic is not None or room.bot.is_in_room:
                raise ValueError(f"There is #{name} already: write there, as in `telegram #{name} /help`.")
            self._let_bot_in(room)
            return f"The bot is in #{name} again."
        if kind == "topic":
            if self._forum is None:
                self._forum = self._stand_in.rooms.open(_FORUM, by=self._person, forum=True)
            self._rooms[name] = self._forum, self._stand_in.rooms.open_topic(self._forum, name)
        else:
            room = self._stand_in.rooms.open(name, by=self._person, kind=_TELEGRAM_KINDS[kind])
            self._rooms[name] = room, None
        return f"There is a {kind} #{name} with the bot. `telegram #{name} /link CODE` links it."

    def remove(self, name: str) -> str:
        """Throw the bot out of a room, or delete a topic; return what was done. Raises `ValueError`."""
        room, topic = self._found(name)
        if topic is not None:
            self._stand_in.rooms.delete_topic(room, topic)
            del self._rooms[name]
            return f"The topic #{name} is deleted."
        self._stand_in.rooms.set_bot(room, "kicked", by=self._person)
        kind = "channel" if room.type == "channel" else "group"
        return f"The bot was removed from #{name}. `telegram add {kind} {name}` lets it in again."

    async def write(self, name: str, text: str) -> None:
        """Let the person write in a room, as its owner. Raises `ValueError` where the bot says nothing."""
        room, topic = self._found(name)
        if not room.bot.is_in_room:
            raise ValueError(f"The bot is not in #{name}.")
        by = None if room.type == "channel" else self._person
        try:
            await self._stand_in.rooms.write(room, text, by=by, topic=topic, timeout=_SECONDS_TO_ANSWER)
        except TimeoutError:
            raise ValueError("The bot says nothing: in a room it answers its commands alone.") from None

    @property
    def names(self) -> list[str]:
        """What they are called."""
        return [*self._rooms]

    def place_of(self, message: TelegramMessage) -> str | None:
        """Return what the room is called that a message came to, None for the private chat."""
        place = message.chat_id, message.topic
        if self._forum and place == (self._forum.id, None):
            return f"{_FORUM}, General"
        names = {(room.id, topic): name for name, (room, topic) in self._rooms.items()}
        return f"#{names[place]}" if place in names else None

    def _found(self, name: str) -> tuple[TelegramRoom, int | None]:
        if name not in self._rooms:
            raise ValueError(_no_room(name, self._rooms, "telegram add group"))
        return self._rooms[name]

    def _let_bot_in(self, room: TelegramRoom) -> None:
        if room.type == "channel":  # where bots are nothing else
            self._stand_in.rooms.set_bot(room, "administrator", "can_post_messages", by=self._person)
        else:
            self._stand_in.rooms.set_bot(room, "member", by=self._person)


class DiscordChannels:
    """The channels and threads of a person's server, which the bot is in."""

    def __init__(self, stand_in: DiscordStandIn, person: DiscordUser) -> None:
        self._stand_in = stand_in
        self._guild = stand_in.add_guild("Sandbox", owner=person)
        self._ops = self._guild.add_channel("ops")
        self._channels = {"ops": self._ops}

    async def add(self, words: str) -> str:
        """Make a channel ("channel deploys") or a thread in #ops, or let the bot see one again; return what
        was done. Raises `ValueError` with a sentence.
        """
        kind, name = _kind_and_name(words, _DISCORD_KINDS)
        bot = self._stand_in.user_id
        if name in self._channels:
            known = self._channels[name]
            if self._guild.sees(bot, known):
                raise ValueError(f"There is #{name} already: write there, as in `discord #{name} /help`.")
            known.allow(bot, Permission.VIEW_CHANNEL)
            await self._stand_in.update_channel(known)
            return f"The bot sees #{name} again."
        if kind == "thread":
            self._channels[name] = self._ops.add_thread(name)
            await self._stand_in.hear_of_thread(self._channels[name])
        else:
            self._channels[name] = self._guild.add_channel(name)
        link = f"`discord #{name} /link code:CODE where:This channel`"
        return f"There is a {kind} #{name}, which the bot sees. {link} links it."

    async def remove(self, name: str) -> str:
        """Hide a channel from the bot, or delete a thread; return what was done. Raises `ValueError`."""
        channel = self.found(name)
        if channel.is_thread:
            await self._stand_in.delete_channel(channel)
            del self._channels[name]
            return f"The thread #{name} is deleted."
        channel.deny(self._stand_in.user_id, Permission.VIEW_CHANNEL)
        await self._stand_in.update_channel(channel)
        return f"The bot can't see #{name} any more. `discord add channel {name}` lets it in again."

    def found(self, name: str) -> GuildChannel:
        """Return a channel or thread. Raises `ValueError` saying which there are."""
        if name not in self._channels:
            raise ValueError(_no_room(name, self._channels, "discord add channel"))
        return self._channels[name]

    @property
    def names(self) -> list[str]:
        """What they are called."""
        return [*self._channels]

    def place_of(self, channel_id: str) -> str | None:
        """Return what the channel of this id is called, None for a direct conversation."""
        channel = self.with_id(channel_id)
        return f"#{channel.name}" if channel else None

    def with_id(self, channel_id: str) -> GuildChannel | None:
        """Return the channel or thread of this id, None for a direct conversation."""
        return self._guild.channels.get(channel_id)


def _kind_and_name(words: str, kinds: tuple[str, ...]) -> tuple[str, str]:
    kind, _, name = words.partition(" ")
    name = name.strip().removeprefix("#")
    if kind not in kinds or not _NAME.fullmatch(name):
        choices = ", ".join(f"`add {each} NAME`" for each in kinds)
        raise ValueError(f"A room is added with one of {choices}, where NAME is one word, such as 'ops'.")
    return kind, name


def _no_room(name: str, there_are: Iterable[str], add: str) -> str:
    known = ", ".join(f"#{each}" for each in there_are) or "none"
    return f"There is no room #{name}; there are: {known}. `{add} {name}` makes one."
