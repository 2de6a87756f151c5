"""Replies in Discord's Markdown, and their buttons."""

import discord

from bots.discord.message import escape_name
from bots.replies import Bold, Code, Reply, Span
from pingpilot.rendering.text import utf16_length

MAX_CONTENT = 2000  # https://discord.com/developers/docs/resources/message#create-message


def written(reply: Reply) -> str:
    """Return the reply as message content, escaped and within Discord's length."""

    def write(span: Span) -> str:
        if isinstance(span, Bold):
            return f"**{_escaped(span.text)}**"
        if isinstance(span, Code):
            return f"`{span.text.replace('`', 'ˋ')}`"
        return _escaped(span)

    return reply.written(write, utf16_length, MAX_CONTENT)


def view_of(reply: Reply) -> discord.ui.View | None:
    """Return the reply's buttons, None where it has none; 25 find room in the five rows of a message."""
    if not reply.actions and not reply.links:
        return None
    view = discord.ui.View(timeout=None)
    for action in reply.actions:
        view.add_item(discord.ui.Button(label=action.label, custom_id=action.id))
    for link in reply.links:
        view.add_item(discord.ui.Button(label=link.label, url=link.url))
    view.stop()  # discord.py keeps it in memory else; presses are told apart by their ids
    return view


def _escaped(text: str) -> str:
    """Return `text` so that it reads as it is; a link stays text, since Discord would show its page below."""
    return escape_name(text).replace("://", "\\://")
