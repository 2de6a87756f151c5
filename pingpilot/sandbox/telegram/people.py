"""What people do in groups, forums and channels, and the updates that the bot gets of it."""

import time
from collections.abc import Callable
from dataclasses import replace

from pingpilot.sandbox.inbox import Changes
from pingpilot.sandbox.telegram.chats import Chats
from pingpilot.sandbox.telegram.methods import BotApi
from pingpilot.sandbox.telegram.model import (
    Json,
    TelegramMessage,
    TelegramUser,
    command_entities,
    message_json,
)
from pingpilot.sandbox.telegram.rooms import (
    ANONYMOUS,
    GENERAL,
    Membership,
    RoomIds,
    RoomType,
    Status,
    TelegramRoom,
    Topic,
)
from pingpilot.sandbox.telegram.updates import UpdateQueue

CHANNEL_BOT = {"id": 136817688, "is_bot": True, "first_name": "Channel", "username": "Channel_Bot"}
"""Who messages that people write in a group in a channel's name are from; `sender_chat` is the channel."""


class PeopleInRooms:
    """Makes rooms, and does in them what people do."""

    def __init__(
        self,
        *,
        bot: Callable[[], Json],
        chats: Chats,
        api: BotApi,
        updates: UpdateQueue,
        changes: Changes,
    ) -> None:
        self._bot = bot
        self._chats = chats
        self._api = api
        self._updates = updates
        self._changes = changes
        self._ids = RoomIds()

    def open(
        self, title: str, *, by: TelegramUser, kind: RoomType = "supergroup", forum: bool = False
    ) -> TelegramRoom:
        """Let somebody make a room and add the bot, as a member; to a channel as an administrator who may
        post, since bots are nothing else there.
        """
        return self.keep(TelegramRoom(self._ids.next(kind), kind, title, is_forum=forum), by=by)

    def keep(self, room: TelegramRoom, *, by: TelegramUser) -> TelegramRoom:
        """Let the bot be added to a room that was made elsewhere."""
        self._chats.rooms[room.id] = room
        room.admit(by, "creator")
        room.bot = Membership("left")
        if room.type == "channel":
            self.set_bot(room, "administrator", "can_post_messages", by=by)
        else:
            self.set_bot(room, "member", by=by)
        return room

    def set_bot(
        self,
        room: TelegramRoom,
        status: Status,
        *rights: str,
        by: TelegramUser,
        has_left: bool = False,
    ) -> None:
        """Let somebody promote, restrict, remove or add the bot, which is told so."""
        before, room.bot = room.bot, Membership(status, frozenset(rights), has_left)
        change = {
            "chat": room.as_json(),
            "from": by.as_json(),
            "date": int(time.time()),
            "old_chat_member": before.as_json(self._bot(), room.type),
            "new_chat_member": room.bot.as_json(self._bot(), room.type),
        }
        self._updates.add("my_chat_member", change)

    def open_topic(self, room: TelegramRoom, name: str) -> int:
        """Let a forum have another topic; return its id."""
        while (topic := self._api.next_message_id(room.id)) == GENERAL:
            pass
        room.topics[topic] = Topic(name)
        return topic

    def close_topic(self, room: TelegramRoom, topic: int) -> None:
        """Let a topic be closed: only administrators who manage topics write there."""
        room.topics[topic] = replace(room.topics[topic], is_closed=True)

    def reopen_topic(self, room: TelegramRoom, topic: int) -> None:
        """Undo `close_topic`."""
        room.topics[topic] = replace(room.topics[topic], is_closed=False)

    def delete_topic(self, room: TelegramRoom, topic: int) -> None:
        """Let a topic be gone, with all that was written there."""
        del room.topics[topic]

    def upgrade(self, room: TelegramRoom, *, by: TelegramUser) -> int:
        """Let a group become a supergroup, of which both chats tell; return the id that it had.

        The bot joins the supergroup, and is not told that it left the group (tdlib/telegram-bot-api#266).
        """
        old = room.as_json()
        self._chats.migrate(room.id, self._ids.next("supergroup"))
        new, member = room.as_json(), room.bot
        room.bot = Membership("left")
        self.set_bot(room, member.status, *member.rights, by=by)
        self._tell_message(old, by.as_json(), {"migrate_to_chat_id": room.id})
        self._tell_message(new, ANONYMOUS, {"migrate_from_chat_id": old["id"], "sender_chat": new})
        return int(old["id"])

    async def write(
        self,
        room: TelegramRoom,
        text: str,
        *,
        by: TelegramUser | None = None,
        topic: int | None = None,
        in_the_name_of: Json | None = None,
        timeout: float = 5.0,
    ) -> list[TelegramMessage]:
        """Let somebody write in a room; return what the bot sends there, at least one message.

        Nobody (`by`) is an administrator who writes in the room's own name, which is how channels are
        written to; `in_the_name_of` another chat is possible in groups. Raises `TimeoutError` if the bot
        sends nothing, maybe since Telegram does not show it what is written.
        """
        before, sender_chat = len(self._api.inbox.items), in_the_name_of
        if by is None and sender_chat is None:
            sender_chat = room.as_json()
        sender = by.as_json() if by else (CHANNEL_BOT if in_the_name_of else ANONYMOUS)
        message = message_json(
            self._api.next_message_id(room.id), room.as_json(), sender, text, command_entities(text)
        )
        message |= room.in_topic(topic) | ({"sender_chat": sender_chat} if sender_chat else {})
        if room.type == "channel":
            del message["from"]
        if room.hears(text, self._bot()["username"]):
            self._updates.add("channel_post" if room.type == "channel" else "message", message)

        def replies() -> list[TelegramMessage]:
            return [each for each in self._api.inbox.items[before:] if each.chat_id == room.id]

        await self._changes.until(lambda: bool(replies()), timeout=timeout, what="the bot's reply")
        return replies()

    def _tell_message(self, chat: Json, sender: Json, content: Json) -> None:
        message_id = self._api.next_message_id(chat["id"])
        about = {"message_id": message_id, "from": sender, "chat": chat, "date": int(time.time())}
        self._updates.add("message", about | content)
