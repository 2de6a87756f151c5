"""The Telegram stand-in: what the bot has done, and what people do."""

import itertools
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property

from pingpilot.sandbox.telegram.limits import Limit
from pingpilot.sandbox.telegram.model import (
    CallbackAnswer,
    ChatType,
    Json,
    TelegramMessage,
    TelegramUser,
    chat_of,
    command_entities,
    message_json,
)
from pingpilot.sandbox.telegram.people import PeopleInRooms
from pingpilot.sandbox.telegram.rooms import TelegramRoom, Topic
from pingpilot.sandbox.telegram.server import TelegramServer

LATE_EDIT_SECONDS = 1.0  # a busy machine takes a while between the two
"""How long a press that was answered, with a text or a message, waits for the edit that may follow."""


class TelegramStandIn(TelegramServer):
    """The Telegram Bot API on a loopback socket, with the people who talk to the bot.

    `token` may be changed while it runs, as when somebody revokes it: calls then answer 401. A fault's
    `route` is a part of a method's name, and `calls` counts by method.
    """

    _query_ids = itertools.count(1)

    @cached_property
    def rooms(self) -> PeopleInRooms:
        """Groups, forums and channels, and what people do there."""
        return PeopleInRooms(
            bot=self._bot,
            chats=self._chats,
            api=self._api,
            updates=self._updates,
            changes=self._changes,
        )

    # What the bot has done

    @property
    def messages(self) -> list[TelegramMessage]:
        """All messages of the bot, oldest first; an edited one stays in its place."""
        return self._api.inbox.items

    @property
    def on_message(self) -> list[Callable[[TelegramMessage], None]]:
        """Called with each message of the bot."""
        return self._api.inbox.callbacks

    @property
    def on_edit(self) -> list[Callable[[TelegramMessage], None]]:
        """Called with each message that the bot has changed."""
        return self._api.edits.callbacks

    async def wait_for_messages(self, count: int, timeout: float = 10) -> list[TelegramMessage]:
        """Return all messages once there are `count`; raises `TimeoutError`."""
        return await self._api.inbox.wait_for(count, timeout)

    @property
    def deleted(self) -> list[tuple[int, int]]:
        """Messages the bot has deleted, as (chat id, message id)."""
        return self._api.deleted

    @property
    def answers(self) -> list[CallbackAnswer]:
        """The bot's answers to presses of inline buttons."""
        return self._api.answers.items

    @property
    def commands(self) -> list[Json]:
        """The commands as the bot has last set them, for chats of no other menu."""
        return self._api.menus.get("default", [])

    @property
    def menus(self) -> dict[str, list[Json]]:
        """The commands by the kind of chats that they are offered in, such as `all_group_chats`."""
        return self._api.menus

    async def wait_polling(self, timeout: float = 10) -> None:
        """Return once somebody is long polling; raises `TimeoutError`."""
        await self._changes.until(lambda: self._updates.is_polled, timeout=timeout, what="a long poll")

    async def wait_listening(self, timeout: float = 10) -> None:
        """Return once somebody is long polling or has set a webhook; raises `TimeoutError`."""
        await self._changes.until(lambda: self._updates.has_listener, timeout=timeout, what="a bot")

    # How it behaves

    @property
    def chat_limit(self) -> Limit | None:
        """(messages per second, burst) in each chat; `None` for no limit."""
        return self._limits.per_chat

    @chat_limit.setter
    def chat_limit(self, limit: Limit | None) -> None:
        self._limits.per_chat = limit

    @property
    def room_limit(self) -> tuple[int, float] | None:
        """Messages in each room within any so many seconds, besides; `None` for no limit."""
        return self._limits.per_room

    @room_limit.setter
    def room_limit(self, limit: tuple[int, float] | None) -> None:
        self._limits.per_room = limit

    @property
    def global_limit(self) -> Limit | None:
        """(messages per second, burst) over all chats; `None` for no limit."""
        return self._limits.overall

    @global_limit.setter
    def global_limit(self, limit: Limit | None) -> None:
        self._limits.overall = limit

    def block(self, user_id: int) -> None:
        """Let a person block the bot, which is told so."""
        self._chats.block(user_id)
        self._tell_membership(user_id, "member", "kicked")

    def unblock(self, user_id: int) -> None:
        """Undo `block`."""
        self._chats.unblock(user_id)
        self._tell_membership(user_id, "kicked", "member")

    def deactivate(self, user_id: int) -> None:
        """Let a person's account be deleted."""
        self._chats.deactivate(user_id)

    def migrate(self, chat_id: int, new_id: int) -> None:
        """Turn a group into a supergroup with a new id."""
        self._chats.migrate(chat_id, new_id)

    # What people do

    def start_chat(self, user: TelegramUser) -> None:
        """Let a person have talked to the bot before."""
        self._chats.meet(user.private_chat())

    async def say(
        self,
        user: TelegramUser,
        text: str,
        *,
        chat_type: ChatType = "private",
        topic: int | None = None,
        timeout: float = 5.0,
    ) -> list[TelegramMessage]:
        """Let a person write to the bot; return what the bot sends into that chat, at least one message.

        Another `chat_type` is a group of their own; see `rooms` for others. With a `topic`, they write into
        that. Raises `TimeoutError` if it sends nothing.
        """
        if chat_type != "private":
            chat = chat_of(user, chat_type)
            room = self._chats.rooms.get(chat["id"]) or self.rooms.keep(
                TelegramRoom(chat["id"], chat_type, chat["title"]), by=user
            )
            if topic is not None:
                room.is_forum = True
                room.topics.setdefault(topic, Topic())
            return await self.rooms.write(room, text, by=user, topic=topic, timeout=timeout)
        chat = user.private_chat()
        self._chats.meet(chat)
        before = len(self.messages)
        message_id = self._api.next_message_id(chat["id"])
        message = message_json(message_id, chat, user.as_json(), text, command_entities(text))
        if topic is not None:
            self._chats.open_topic(chat["id"], topic)
            message |= {"message_thread_id": topic, "is_topic_message": True}
        self._updates.add("message", message)

        def replies() -> list[TelegramMessage]:
            return [each for each in self.messages[before:] if each.chat_id == chat["id"]]

        await self._changes.until(lambda: bool(replies()), timeout=timeout, what="the bot's reply")
        return replies()

    def send_update(self, kind: str, content: object) -> None:
        """Send the bot an update of any content, such as one of a Bot API to come."""
        self._updates.add(kind, content)

    async def press(
        self,
        user: TelegramUser,
        callback_data: str,
        message: TelegramMessage,
        *,
        deleted: bool = False,
        timeout: float = 5.0,
    ) -> list[TelegramMessage]:
        """Let a person press an inline button; return the messages the bot then sends or edits in that chat.

        The message need not have such a button: a client of one's own may send any data. It may be
        `deleted` right after, before the bot knows. The list is empty if the bot only answers with a
        text; see `answers`. Raises `TimeoutError`.
        """
        sent, edited, answered = len(self.messages), len(self._api.edits.items), len(self.answers)
        query_id = f"{next(self._query_ids)}"
        self._api.pressed.add(query_id)
        query = {
            "id": query_id,
            "from": user.as_json(),
            "message": self._api.take_away(message) if deleted else self._api.as_json(message),
            "chat_instance": str(message.chat_id),
            "data": callback_data,
        }
        self._updates.add("callback_query", query)

        def edits() -> list[TelegramMessage]:
            return [each for each in self._api.edits.items[edited:] if each.chat_id == message.chat_id]

        def reactions() -> list[TelegramMessage]:
            return [*edits(), *(each for each in self.messages[sent:] if each.chat_id == message.chat_id)]

        def has_reacted() -> bool:
            return bool(reactions()) or any(answer.text for answer in self.answers[answered:])

        await self._changes.until(has_reacted, timeout=timeout, what="the bot's reaction")
        with suppress(TimeoutError):  # many bots answer first and edit afterwards
            await self._changes.until(lambda: bool(edits()), timeout=LATE_EDIT_SECONDS, what="an edit")
        return reactions()

    def _tell_membership(self, user_id: int, old: str, new: str) -> None:
        """Queue the my_chat_member update that a bot gets when it is blocked or started again."""
        try:
            chat = self._chats.get(user_id)
        except KeyError:
            return  # they never talked to the bot
        person = {key: chat[key] for key in ("id", "first_name", "username") if key in chat}
        change = {
            "chat": chat,
            "from": person | {"is_bot": False},
            "date": int(time.time()),
            "old_chat_member": self._membership(old),
            "new_chat_member": self._membership(new),
        }
        self._updates.add("my_chat_member", change)

    def _membership(self, status: str) -> Json:
        until = {"until_date": 0} if status == "kicked" else {}
        return {"user": self._bot(), "status": status} | until
