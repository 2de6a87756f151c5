"""Slash commands and buttons: Discord's side of `bots.commands`.

Buttons are known by their ids alone, so that those of a daemon that has ended still work; discord.py's own
views would have to be kept in memory.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, cast

import aiohttp
import discord
import structlog
from discord import app_commands

from bots.commands import CRASHED, DESCRIPTIONS, Commands, answered
from bots.discord.markup import view_of, written
from bots.discord.rooms import (
    MY_MESSAGES,
    THIS_CHANNEL,
    Where,
    objection_to_asker,
    objection_to_channel,
    room_of,
)
from bots.replies import Code, Line, Reply
from pingpilot.accounts.linking import ChatUser
from pingpilot.channels import DISCORD
from pingpilot.errors import NotLeading

LONGEST_CODE = 64
OUTDATED = Reply.of(
    "Discord showed you an old list of my commands: this one has changed or is gone.",
    ("Restart Discord to get the new list. ", Code("/help"), " shows what there is."),
)
EMAIL_OF_A_ROOM = Reply.of(
    f"'email' goes with your direct messages: leave it out, or choose no '{THIS_CHANNEL}'."
)
IN_SERVERS: Line = (
    "In a server, ",
    Code(f"where: {THIS_CHANNEL}"),
    " links or unlinks that channel instead, for those who manage it.",
)
Tree = app_commands.CommandTree[discord.Client]

log = structlog.get_logger(__name__)


def add_commands(tree: Tree, commands: Commands) -> None:
    """Register every command, with typed options in and an ephemeral message out, and the error handler."""

    @tree.command(description=DESCRIPTIONS["link"])
    @app_commands.describe(
        code="The one-time code, or an API key of the account",
        where="Where the notifications go; a server's channel is for those who manage it",
    )
    async def link(interaction: discord.Interaction, code: str, where: Where = MY_MESSAGES) -> None:
        async def linked() -> Reply:
            if where == THIS_CHANNEL:
                return await _link_room(interaction, code, commands)
            conversation = await interaction.user.create_dm()
            user = chat_user(interaction)
            return await commands.link(user, code[:LONGEST_CODE], address=str(conversation.id))

        await _reply(interaction, linked)

    @tree.command(description=DESCRIPTIONS["unlink"])
    @app_commands.describe(
        email="Which account, if you are linked to several",
        where="Where notifications end; a server's channel is for those who manage it",
    )
    async def unlink(
        interaction: discord.Interaction, email: str | None = None, where: Where = MY_MESSAGES
    ) -> None:
        async def unlinked() -> Reply:
            if where == THIS_CHANNEL:
                return await _unlink_room(interaction, email, commands)
            return await commands.unlink(chat_user(interaction), email or "")

        await _reply(interaction, unlinked)

    @tree.command(description=DESCRIPTIONS["mute"])
    @app_commands.describe(time="For how long, such as 30m, 2h or 1d")
    async def mute(interaction: discord.Interaction, time: str) -> None:
        await _reply(interaction, lambda: commands.mute(chat_user(interaction), time))

    _add_plain(tree, "categories", commands.categories)
    _add_plain(tree, "quota", commands.quota)
    _add_plain(tree, "failed", commands.failed)
    _add_plain(tree, "dashboard", commands.dashboard)
    _add_plain(tree, "unmute", commands.unmute)
    _add_plain(tree, "help", _help_of(commands))
    tree.error(report_failure)


def _add_plain(tree: Tree, name: str, command: Callable[[ChatUser], Awaitable[Reply]]) -> None:
    """Register a command without options."""

    @tree.command(name=name, description=DESCRIPTIONS[name])
    async def plain(interaction: discord.Interaction) -> None:
        await _reply(interaction, lambda: command(chat_user(interaction)))


async def _link_room(interaction: discord.Interaction, code: str, commands: Commands) -> Reply:
    """Link the server's channel that the command was used in, if person and bot may do what that takes."""
    objection = objection_to_asker(interaction) or await objection_to_channel(interaction)
    if objection:
        return objection
    room = await room_of(interaction)
    return await commands.rooms.link(chat_user(interaction), room, code[:LONGEST_CODE])


async def _unlink_room(interaction: discord.Interaction, email: str | None, commands: Commands) -> Reply:
    """Unlink the server's channel that the command was used in; the bot need not be there any more."""
    if email:
        return EMAIL_OF_A_ROOM
    objection = objection_to_asker(interaction)
    return objection or await commands.rooms.unlink(chat_user(interaction), await room_of(interaction))


def _help_of(commands: Commands) -> Callable[[ChatUser], Awaitable[Reply]]:
    async def help_(user: ChatUser) -> Reply:
        reply = await commands.help(user)
        return replace(reply, lines=(*reply.lines, IN_SERVERS))

    return help_


async def press(interaction: discord.Interaction, commands: Commands) -> None:
    """Carry out a pressed button and show the reply in place of the message it is on.

    Replies with buttons are ephemeral: nobody but the asker sees or presses them. What the button says is
    not vouched for: a client of one's own may send any id.
    """
    try:
        await interaction.response.defer()
        pressed = cast("dict[str, Any]", interaction.data or {}).get("custom_id", "")
        reply = await answered(commands.retry(chat_user(interaction), pressed))
        if reply is CRASHED:  # the buttons stay for another try
            await interaction.followup.send(written(reply), ephemeral=True)
        else:
            await interaction.edit_original_response(content=written(reply), view=view_of(reply))
    except (discord.HTTPException, aiohttp.ClientError, OSError, NotLeading) as exc:
        await report_failure(interaction, exc)


def chat_user(interaction: discord.Interaction) -> ChatUser:
    """Return who used a command or button, as Discord vouches for it."""
    return ChatUser(DISCORD.name, str(interaction.user.id), interaction.user.name)


async def report_failure(interaction: discord.Interaction, error: Exception) -> None:
    """Say that it failed in place of the answer, lest the user see "thinking…" for a quarter of an hour."""
    cause = error.original if isinstance(error, app_commands.CommandInvokeError) else error
    if isinstance(cause, NotLeading) or isinstance(cause.__cause__, NotLeading):
        log.info("A reply on Discord was not sent", reason="This daemon does not lead the bot any longer.")
        return
    reply = CRASHED
    if isinstance(error, app_commands.CommandNotFound | app_commands.CommandSignatureMismatch):
        log.info("Somebody used a slash command of an earlier version", reason=str(error))
        reply = OUTDATED  # Discord's programs keep the list for hours
    else:
        log.error("A reply on Discord failed", exc_info=error)
    try:
        if interaction.response.is_done():
            await interaction.edit_original_response(content=written(reply))
        else:
            await interaction.response.send_message(written(reply), ephemeral=True)
    except (discord.HTTPException, aiohttp.ClientError, OSError):
        log.warning("The user could not be told", exc_info=True)


async def _reply(interaction: discord.Interaction, command: Callable[[], Awaitable[Reply]]) -> None:
    """Answer so that only the asker sees it; deferred first, since Discord waits 3 s at most."""
    await interaction.response.defer(ephemeral=True, thinking=True)
    reply = await answered(command())
    await interaction.edit_original_response(content=written(reply), view=view_of(reply))
