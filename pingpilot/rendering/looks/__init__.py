"""How a message looks on its platform, drawn as HTML: on an event's page, and in the sandbox's window.

A look is made of what is sent, or was received: Discord's JSON, Telegram's HTML, a mail, a request. Nothing
in it asks another host, and its links lead only where a person clicks.
"""

from pingpilot.rendering.looks.drawing import STYLESHEET, draw
from pingpilot.rendering.looks.embeds import DiscordLook, discord_look
from pingpilot.rendering.looks.mails import FRAMED, MailLook, framed, mail_look
from pingpilot.rendering.looks.telegram_markup import TelegramLook, telegram_look
from pingpilot.rendering.looks.webhooks import WebhookLook, webhook_look

Look = DiscordLook | TelegramLook | MailLook | WebhookLook

__all__ = [
    "FRAMED",
    "STYLESHEET",
    "DiscordLook",
    "Look",
    "MailLook",
    "TelegramLook",
    "WebhookLook",
    "discord_look",
    "draw",
    "framed",
    "mail_look",
    "telegram_look",
    "webhook_look",
]
