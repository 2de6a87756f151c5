"""Replies in Discord's Markdown."""

import discord

from bots.replies import Bold, Code, Reply, Span
from pingpilot.delivery.text import utf16_length

MAX_CONTENT = 2000  # https://discord.com/developers/docs/resources/message#create-message


def written(reply: Reply) -> str:
    """Return the reply as message content, escaped and within Discord's length."""
    return reply.written(_span, utf16_length, MAX_CONTENT)


def _span(span: Span) -> str:
    if isinstance(span, Bold):
        return f"**{discord.utils.escape_markdown(span.text)}**"
    if isinstance(span, Code):
        return f"`{span.text.replace('`', 'ˋ')}`"
    return discord.utils.escape_markdown(span)
