"""Replies in Telegram's HTML."""

from html import escape

from bots.replies import Bold, Code, Reply, Span
from pingpilot.delivery.text import utf16_length

MAX_TEXT = 4096  # https://core.telegram.org/bots/api#sendmessage


def written(reply: Reply) -> str:
    """Return the reply for `parse_mode=HTML`; its length is taken with the tags, so it is never too long."""
    return reply.written(_span, utf16_length, MAX_TEXT)


def _span(span: Span) -> str:
    if isinstance(span, Bold):
        return f"<b>{escape(span.text)}</b>"
    if isinstance(span, Code):
        return f"<code>{escape(span.text)}</code>"
    return escape(span)
