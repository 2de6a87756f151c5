"""What the Telegram stand-in knows: people, chats, messages, and how they look in JSON."""

import re
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from pingpilot.sandbox.server import utf16_length

Json = dict[str, Any]

ChatType = Literal["private", "group", "supergroup"]

_COMMAND = re.compile(r"(?<![\w/])/[A-Za-z0-9_]{1,64}(?:@\w{3,32})?(?!\w)")


@dataclass(frozen=True, slots=True)
class TelegramUser:
    """A person on Telegram."""

    id: int
    username: str | None
    first_name: str

    def as_json(self) -> Json:
        return {"id": self.id, "is_bot": False, **self._names(), "language_code": "en"}

    def private_chat(self) -> Json:
        """Return the chat object of this person's chat with the bot."""
        return {"id": self.id, "type": "private", **self._names()}

    def _names(self) -> Json:
        named = {"first_name": self.first_name}
        return named if self.username is None else named | {"username": self.username}


@dataclass(frozen=True, slots=True)
class TelegramMessage:
    """A message that the bot has sent: as it reads (`text`, `entities`) and as it was sent (`html`).

    `via` is the host and port that its request named.
    """

    message_id: int
    chat_id: int
    text: str
    html: str
    entities: list[Json]
    silent: bool
    reply_markup: Json | None
    previews_disabled: bool
    topic: int | None = None
    edited: bool = False
    via: str = ""
    received_at: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass(frozen=True, slots=True)
class CallbackAnswer:
    """What the bot has answered to a press of an inline button; the text is shown for a moment."""

    callback_query_id: str
    text: str | None
    show_alert: bool


def chat_of(user: TelegramUser, chat_type: ChatType) -> Json:
    """Return the chat in which a person writes: their own with the bot, or a group that is theirs."""
    if chat_type == "private":
        return user.private_chat()
    chat_id = -user.id if chat_type == "group" else int(f"-100{user.id}")
    return {"id": chat_id, "type": chat_type, "title": f"{user.first_name}'s group"}


def message_json(message_id: int, chat: Json, sender: Json, text: str, entities: list[Json]) -> Json:
    """Return a message object."""
    message = {
        "message_id": message_id,
        "from": sender,
        "chat": chat,
        "date": int(time.time()),
        "text": text,
    }
    return message | {"entities": entities} if entities else message


def command_entities(text: str) -> list[Json]:
    """Return the bot_command entities that Telegram marks in what a person has typed."""
    return [
        {
            "type": "bot_command",
            "offset": utf16_length(text[: found.start()]),
            "length": utf16_length(found[0]),
        }
        for found in _COMMAND.finditer(text)
    ]
