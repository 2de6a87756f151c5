"""How a notification looks on Telegram."""

from bots.telegram.message import render_html
from bots.telegram.settings import TelegramSettings
from pingpilot.delivery.channel import Notification, Recipient
from pingpilot.rendering.looks import TelegramLook, telegram_look


def look(notification: Notification, recipient: Recipient, _settings: TelegramSettings) -> TelegramLook:
    """Return the message as it is sent there, drawn."""
    return telegram_look(render_html(notification, in_room=recipient.is_room))
