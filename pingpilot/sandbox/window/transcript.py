"""What was said on one platform, for the window: in order, and with what can be pressed."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import Literal

from pingpilot.rendering.looks import Look, discord_look, mail_look, telegram_look, webhook_look
from pingpilot.sandbox.discord import DiscordMessage, InteractionReply
from pingpilot.sandbox.discord.model import Json, components_in
from pingpilot.sandbox.smtp import Mail
from pingpilot.sandbox.telegram import TelegramMessage
from pingpilot.sandbox.webhook import WebhookMessage

MOST = 100
"""Entries that are kept: a load test must not fill the page."""
_SIGNED = ("content-type", "user-agent", "webhook-id", "webhook-timestamp", "webhook-signature")


@dataclass(frozen=True, slots=True)
class Button:
    """What a message has below it: one that does something, or one that opens an address."""

    label: str
    action: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One message of the bot, of the person (`you`), or of the sandbox itself (`note`).

    `key` tells it from the others, `place` is the room it is in, `remark` what the platform says about it.
    """

    key: str
    by: Literal["bot", "you", "note"]
    at: datetime
    text: str = ""
    look: Look | None = None
    place: str | None = None
    buttons: tuple[Button, ...] = ()
    remark: str = ""


class Transcript:
    """A screen that remembers; a message that is changed stays in its place. `on_change` is told of each."""

    def __init__(self, on_change: Callable[[], None]) -> None:
        self._entries: dict[str, Entry] = {}
        self._on_change = on_change
        self._own_keys = count(1)

    @property
    def entries(self) -> list[Entry]:
        """What is there, oldest first."""
        return [*self._entries.values()]

    def entry(self, key: str) -> Entry | None:
        """Return one of them."""
        return self._entries.get(key)

    def note(self, text: str) -> None:
        """Tell something of the sandbox's own."""
        self._add(Entry(self._new_key(), "note", datetime.now(UTC), text))

    def said(self, text: str, place: str | None = None) -> None:
        self._add(Entry(self._new_key(), "you", datetime.now(UTC), text, place=place))

    def discord(self, message: DiscordMessage, place: str | None = None) -> None:
        look = discord_look(message.content, message.embeds)
        buttons = _discord_buttons(message.components)
        self._add(Entry(message.id, "bot", message.received_at, look=look, place=place, buttons=buttons))

    def discord_reply(self, reply: InteractionReply, place: str | None = None) -> None:
        look, buttons = discord_look(reply.content, reply.embeds), _discord_buttons(reply.components)
        remark = "Only you can see this" if reply.ephemeral else ""
        at = datetime.now(UTC)
        self._add(Entry(reply.message_id, "bot", at, "", look, place, buttons, remark))

    def telegram(self, message: TelegramMessage, place: str | None = None) -> None:
        key, rows = f"{message.chat_id}.{message.message_id}", message.reply_markup or {}
        buttons = tuple(
            Button(each["text"], each.get("callback_data", ""), each.get("url", ""))
            for row in rows.get("inline_keyboard", [])
            for each in row
        )
        look, remark = telegram_look(message.html), "edited" if message.edited else ""
        self._add(Entry(key, "bot", message.received_at, "", look, place, buttons, remark))

    def mail(self, mail: Mail) -> None:
        self._add(Entry(self._new_key(), "bot", mail.received_at, look=mail_look(mail.message)))

    def webhook(self, message: WebhookMessage) -> None:
        headers = {name: message.headers[name] for name in _SIGNED if name in message.headers}
        look = webhook_look(headers, message.body)
        self._add(Entry(self._new_key(), "bot", datetime.now(UTC), f"POST {message.path}", look))

    def _add(self, entry: Entry) -> None:
        self._entries[entry.key] = entry  # a changed one stays in its place
        if len(self._entries) > MOST:
            del self._entries[next(iter(self._entries))]
        self._on_change()

    def _new_key(self) -> str:
        return f"own-{next(self._own_keys)}"


def _discord_buttons(components: list[Json]) -> tuple[Button, ...]:
    return tuple(
        Button(each["label"], each.get("custom_id", ""), each.get("url", ""))
        for each in components_in(components)
        if "label" in each
    )
