"""Replies in Telegram's HTML, with their buttons."""

from html import escape

from telegram import Chat, InlineKeyboardButton, InlineKeyboardMarkup
from telegram.constants import ParseMode

from bots.replies import Bold, Code, Reply, Span
from bots.telegram.message import NO_PREVIEW
from pingpilot.rendering.text import utf16_length

MAX_TEXT = 4096  # https://core.telegram.org/bots/api#sendmessage
_BUTTONS_A_ROW = 4  # "Retry 1" has room for its text then, on any phone


def written(reply: Reply) -> str:
    """Return the reply for `parse_mode=HTML`; its length is taken with the tags, so it is never too long."""

    def write(span: Span) -> str:
        if isinstance(span, Bold):
            return f"<b>{escape(span.text)}</b>"
        if isinstance(span, Code):
            return f"<code>{escape(span.text)}</code>"
        return escape(span)

    return reply.written(write, utf16_length, MAX_TEXT)


def keyboard(reply: Reply) -> InlineKeyboardMarkup | None:
    """Return the reply's buttons, None where it has none."""
    if not reply.actions and not reply.links:
        return None
    buttons = [InlineKeyboardButton(each.label, callback_data=each.id) for each in reply.actions]
    buttons += [InlineKeyboardButton(each.label, url=each.url) for each in reply.links]
    rows = [buttons[start : start + _BUTTONS_A_ROW] for start in range(0, len(buttons), _BUTTONS_A_ROW)]
    return InlineKeyboardMarkup(rows)


async def send(chat: Chat, reply: Reply, *, topic: int | None) -> None:
    """Send the reply to a chat, into this topic where it has any. Raises `TelegramError`."""
    await chat.send_message(
        written(reply),
        parse_mode=ParseMode.HTML,
        reply_markup=keyboard(reply),
        link_preview_options=NO_PREVIEW,
        message_thread_id=topic,
    )
