"""A stand-in for the Telegram Bot API, with long polling, on a loopback socket."""

from pingpilot.sandbox.telegram.model import CallbackAnswer, TelegramMessage, TelegramUser
from pingpilot.sandbox.telegram.rooms import TelegramRoom
from pingpilot.sandbox.telegram.standin import TelegramStandIn

__all__ = ["CallbackAnswer", "TelegramMessage", "TelegramRoom", "TelegramStandIn", "TelegramUser"]
