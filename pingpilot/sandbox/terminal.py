"""What arrives, drawn in a terminal as a person would see it on each platform."""

import json
import textwrap
from collections.abc import Callable, Iterable
from html import unescape

from pingpilot.sandbox.discord import DiscordMessage, InteractionReply
from pingpilot.sandbox.discord.model import Json, components_in
from pingpilot.sandbox.smtp import Mail
from pingpilot.sandbox.telegram.model import TelegramMessage
from pingpilot.sandbox.webhook import WebhookMessage

_WIDTH = 76
_RESET = "\x1b[0m"


class Terminal:
    """Draws messages. `write` takes whole lines; without `colors` they hold no escape sequences."""

    def __init__(self, write: Callable[[str], None], *, colors: bool) -> None:
        self._write = write
        self._colors = colors

    def note(self, text: str) -> None:
        """Write a sentence of the sandbox's own."""
        self._write(_printable(text))

    def said(self, text: str, place: str | None = None) -> None:
        """Draw nothing: whoever said it has typed it here."""

    def discord(self, message: DiscordMessage, place: str | None = None) -> None:
        """Draw a message: its text, its embeds behind a bar in their colour; `place` is the channel."""
        self._head("Discord", f"message in {place}" if place else "direct message")
        self._lines(message.content)
        for embed in message.embeds:
            self._embed(embed)
        self._write("")

    def discord_reply(self, reply: InteractionReply, place: str | None = None) -> None:
        """Draw the answer to a slash command or a pressed button."""
        kind = "only you can see this" if reply.ephemeral else "reply"
        kind += f", in {place}" if place else ""
        self._head("Discord", f"{kind}, changed" if reply.updated else kind)
        self._lines(_without_marks(reply.content))
        self._buttons([*discord_buttons(reply), *_discord_links(reply)])
        self._write("")

    def telegram(self, message: TelegramMessage, place: str | None = None) -> None:
        """Draw a message of the bot; `place` is the room it is in."""
        kind = f"message in {place}" if place else "message"
        self._head("Telegram", f"{kind}, changed" if message.edited else kind)
        self._lines(message.text)
        for entity in message.entities:
            if entity["type"] == "text_link":
                self._write(f"  {_arrow(entity['url'])}")
        self._buttons([*telegram_buttons(message), *_telegram_links(message)])
        self._write("")

    def mail(self, mail: Mail) -> None:
        """Draw a mail by its head and its text part."""
        self._head("E-mail", f"to {', '.join(mail.recipients)}")
        self._lines(f"Subject: {mail.message['Subject']}")
        body = mail.message.get_body(("plain",))
        self._lines(body.get_content().strip() if body else "")
        self._write("")

    def webhook(self, message: WebhookMessage) -> None:
        """Draw a message to a webhook by its type and its data."""
        self._head("Webhook", f"POST {message.path}, signed")
        self._lines(f"{message.payload['type']}")
        for name, value in message.payload["data"].items():
            self._lines(f"{name}: {json.dumps(value, ensure_ascii=False)}")
        self._write("")

    def _head(self, platform: str, kind: str) -> None:
        self._write(f"{self._bold(f'── {platform}')} · {kind} ".ljust(_WIDTH, "─"))

    def _embed(self, embed: Json) -> None:
        bar, color = "┃", embed.get("color") or 0
        if self._colors:
            bar = f"\x1b[38;2;{color >> 16};{color >> 8 & 0xFF};{color & 0xFF}m{bar}{_RESET}"
        lines = [self._bold(_printable(embed.get("title", "")))]
        lines += [_arrow(embed["url"])] if embed.get("url") else []
        lines += _wrapped(_without_marks(embed.get("description", "")))
        for field in embed.get("fields", []):
            lines += _wrapped(f"{_without_marks(field['name'])}: {_without_marks(field['value'])}")
        lines.append(embed.get("footer", {}).get("text", ""))
        for line in lines:
            self._write(f"  {bar} {line}")

    def _buttons(self, labels: Iterable[str]) -> None:
        self._lines(" ".join(f"[{label}]" for label in labels))

    def _lines(self, text: str) -> None:
        for line in _wrapped(text):
            self._write(f"  {line}")

    def _bold(self, text: str) -> str:
        return f"\x1b[1m{text}{_RESET}" if self._colors and text else text


def discord_buttons(reply: InteractionReply) -> dict[str, str]:
    """Return the buttons of an answer: what they read, and their custom ids."""
    parts = components_in(reply.components)
    return {part["label"]: part["custom_id"] for part in parts if {"label", "custom_id"} <= part.keys()}


def telegram_buttons(message: TelegramMessage) -> dict[str, str]:
    """Return the buttons of a message: what they read, and their callback data."""
    rows = (message.reply_markup or {}).get("inline_keyboard", [])
    return {
        button["text"]: button["callback_data"] for row in rows for button in row if "callback_data" in button
    }


def _discord_links(reply: InteractionReply) -> list[str]:
    """Return the buttons of an answer that open an address, each with it."""
    parts = components_in(reply.components)
    return [f"{part['label']} {_arrow(part['url'])}" for part in parts if {"label", "url"} <= part.keys()]


def _telegram_links(message: TelegramMessage) -> list[str]:
    """Return the buttons of a message that open an address, each with it."""
    rows = (message.reply_markup or {}).get("inline_keyboard", [])
    return [f"{button['text']} {_arrow(button['url'])}" for row in rows for button in row if "url" in button]


def _arrow(url: str) -> str:
    """Return where a link leads; on the platform a click shows it."""
    return f"→ {_printable(url)}"


def _wrapped(text: str) -> list[str]:
    lines: list[str] = []
    for line in _printable(text).split("\n"):
        lines += textwrap.wrap(line, _WIDTH) or [""] if line else []
    return lines


def _printable(text: str) -> str:
    """Take out control characters, with which a text could rewrite the terminal."""
    return "".join(char for char in text if char == "\n" or char.isprintable())


def _without_marks(text: str) -> str:
    """Return Discord's Markdown as it reads: without escapes and marks of bold or code."""
    shown, escaped = [], False
    for char in unescape(text).replace("**", ""):
        if char == "\\" and not escaped:
            escaped = True
            continue
        if char != "`" or escaped:
            shown.append(char)
        escaped = False
    return "".join(shown)
