"""Buttons below replies: Telegram's side of what `bots.commands` makes of them."""

from typing import Any

import structlog
from telegram import CallbackQuery, Update
from telegram.constants import ParseMode
from telegram.error import BadRequest, TelegramError
from telegram.ext import Application, CallbackContext, CallbackQueryHandler

from bots.commands import CRASHED, Commands, answered
from bots.replies import Reply
from bots.telegram.commands import NO_PREVIEW, ONLY_PRIVATE, chat_user, patiently, send
from bots.telegram.markup import keyboard, written
from pingpilot.rendering.text import cut_end

LONGEST_TOAST = 200  # https://core.telegram.org/bots/api#answercallbackquery
_UNCHANGED = "message is not modified"

log = structlog.get_logger(__name__)


class Buttons:
    """Adapts pressed buttons to the commands. Telegram vouches for who presses, and for nothing else: a
    client of one's own may send any data.
    """

    def __init__(self, commands: Commands) -> None:
        self._commands = commands

    def add_to(self, application: Application[Any, Any, Any, Any, Any, Any]) -> None:
        """Register for every pressed button."""
        application.add_handler(CallbackQueryHandler(self._press))

    async def _press(self, update: Update, _context: CallbackContext[Any, Any, Any, Any]) -> None:
        query = update.callback_query
        if query is None:
            return
        if not _is_in_own_chat(query):
            await _toast(query, ONLY_PRIVATE, alert=True)
            return
        reply = await answered(self._commands.retry(chat_user(query.from_user), query.data or ""))
        await _toast(query, reply, alert=reply is CRASHED)
        if reply is not CRASHED:  # the buttons stay for another try
            await _show(query, reply)


def _is_in_own_chat(query: CallbackQuery) -> bool:
    """Whether the button is in the presser's private chat, whose id is theirs; others would read along."""
    return query.message is not None and query.message.chat.id == query.from_user.id


async def _toast(query: CallbackQuery, reply: Reply, *, alert: bool) -> None:
    """Answer the press, which ends its progress bar; what is too late for that is shown all the same."""
    try:
        await query.answer(cut_end(reply.headline, LONGEST_TOAST), show_alert=alert)
    except TelegramError:
        log.warning("A pressed button could not be answered", exc_info=True)


async def _show(query: CallbackQuery, reply: Reply) -> None:
    """Put the reply in place of the message with the button, or below it where that is not there any more."""
    message = query.message
    if message is None:
        return
    try:
        await patiently(
            lambda: query.get_bot().edit_message_text(  # the message's own method refuses old ones unasked
                written(reply),
                chat_id=message.chat.id,
                message_id=message.message_id,
                parse_mode=ParseMode.HTML,
                reply_markup=keyboard(reply),
                link_preview_options=NO_PREVIEW,
            )
        )
    except BadRequest as exc:
        if _UNCHANGED not in exc.message.lower():
            await send(message.chat, reply)
