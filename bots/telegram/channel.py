"""Sending: Telegram messages through the bot people talk to."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

from pydantic import SecretStr
from telegram import Bot
from telegram.constants import ParseMode
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Forbidden,
    InvalidToken,
    RetryAfter,
    TelegramError,
)

from bots.telegram.message import NO_PREVIEW, render_html
from bots.telegram.requests import LeadsNoLonger, new_request
from pingpilot.channels import TELEGRAM
from pingpilot.delivery.channel import Notification, Recipient
from pingpilot.errors import (
    ChannelUnavailable,
    DeliveryFailure,
    NotLeading,
    PermanentFailure,
    RateLimited,
    RecipientMoved,
    TemporaryFailure,
)

TIMEOUT = timedelta(seconds=20)
DEFAULT_PAUSE = timedelta(seconds=5)
"""For flood control that names no time."""
_TOO_MANY_REQUESTS = "Too Many Requests"  # without a time, the library knows it from its text alone
_CONNECTIONS = 16
# As https://github.com/tdlib/telegram-bot-api (Client.cpp, `check_chat_access`) and
# https://core.telegram.org/method/messages.sendMessage have them
_NO_TOPIC = {
    "message thread not found": "The topic is gone from its Telegram group.",
    "topic_deleted": "The topic is gone from its Telegram group.",
    "topic_closed": "The topic is closed in its Telegram group.",
}
_GENERAL_CLOSED = "Telegram: the General topic is closed. Open it again, or let the bot manage topics."
_GONE = (
    "chat not found",
    "group chat was deactivated",
    "not enough rights to send text messages",
    "have no rights to send a message",
    "need administrator rights in the channel chat",
    "chat_write_forbidden",
    "chat_restricted",
)


class TelegramChannel:
    """Sends notifications as HTML messages. Telegram has no idempotency key: a send whose answer never
    came may arrive twice. It asks for nothing unless it `may_act`.
    """

    name = TELEGRAM.name

    def __init__(
        self,
        *,
        token: SecretStr,
        api_url: str,
        timeout: timedelta = TIMEOUT,
        may_act: Callable[[], bool] = lambda: True,
    ) -> None:
        self._token = token
        self._may_act = may_act
        self._api_url = api_url
        self._timeout = timeout
        self._bot: Bot | None = None
        self._opening = asyncio.Lock()

    async def send(self, recipient: Recipient, notification: Notification) -> None:
        """Send one message. Raises the failures of `Channel.send`."""
        bot = await self._opened()
        try:
            await bot.send_message(
                chat_id=int(recipient.address),
                message_thread_id=int(recipient.topic) if recipient.topic else None,
                text=render_html(notification, in_room=recipient.is_room),
                parse_mode=ParseMode.HTML,
                link_preview_options=NO_PREVIEW,
                disable_notification=notification.silent,
            )
        except TelegramError as exc:
            raise _failure(exc, recipient) from exc

    async def reach(self) -> None:
        """Return once Telegram has answered anything at all. Raises `TelegramError` where it does not.

        Over a connection of its own: those of the messages may all be waiting.
        """
        seconds = self._timeout.total_seconds()
        request = await asyncio.to_thread(new_request, connections=1, timeout=seconds, may_act=self._may_act)
        try:
            await request.do_request(f"{self._api_url}/bot{self._token.get_secret_value()}/getMe", "GET")
        finally:
            await request.shutdown()

    async def close(self) -> None:
        """Close the connections; a later send opens new ones."""
        bot, self._bot = self._bot, None
        if bot:
            await bot.request.shutdown()

    async def _opened(self) -> Bot:
        def new_bot() -> Bot:
            seconds = self._timeout.total_seconds()
            request = new_request(connections=_CONNECTIONS, timeout=seconds, may_act=self._may_act)
            return Bot(
                self._token.get_secret_value(),
                base_url=f"{self._api_url}/bot",
                request=request,
                get_updates_request=request,
            )

        async with self._opening:
            if self._bot is None:  # in a thread: making its TLS context would block the loop for 35 ms
                self._bot = await asyncio.to_thread(new_bot)
        return self._bot


def _failure(exc: TelegramError, recipient: Recipient) -> DeliveryFailure:
    """Sort Telegram's answer. `BadRequest` comes before `NetworkError`, its base class."""
    reason = f"Telegram: {exc.message}"
    if isinstance(exc, LeadsNoLonger):
        return NotLeading()
    if isinstance(exc, RetryAfter) or exc.message.startswith(_TOO_MANY_REQUESTS):
        wait = pause_named_by(exc) if isinstance(exc, RetryAfter) else DEFAULT_PAUSE
        return RateLimited(reason, retry_after=wait, whole_channel=False)
    if isinstance(exc.__cause__, TelegramError):  # no JSON: a page of something on the way to Telegram
        return TemporaryFailure(reason)
    if isinstance(exc, InvalidToken):
        return ChannelUnavailable("Telegram refuses the bot's token: set a valid one.")
    if isinstance(exc, ChatMigrated | Forbidden | BadRequest):
        return _refusal(exc, recipient, reason)
    return TemporaryFailure(reason)


def _refusal(exc: TelegramError, recipient: Recipient, reason: str) -> DeliveryFailure:
    """Return what Telegram's no means for the recipient."""
    if isinstance(exc, ChatMigrated) and recipient.is_room:
        return RecipientMoved(reason, address=str(exc.new_chat_id), topic=recipient.topic)
    words = exc.message.lower()
    lost_topic = next((sentence for said, sentence in _NO_TOPIC.items() if said in words), None)
    if lost_topic and recipient.topic:
        return RecipientMoved(lost_topic, address=recipient.address, topic=None)
    if lost_topic and recipient.is_room:
        return PermanentFailure(_GENERAL_CLOSED, recipient_gone=True)
    is_gone = isinstance(exc, ChatMigrated | Forbidden)  # private chats never move
    return PermanentFailure(reason, recipient_gone=is_gone or any(said in words for said in _GONE))


def pause_named_by(exc: RetryAfter) -> timedelta:
    """Return the pause Telegram asks for, whichever way the library's version gives it."""
    wait = exc.retry_after
    return wait if isinstance(wait, timedelta) else timedelta(seconds=wait)
