"""Slash commands and buttons: Discord's side of `bots.commands`.

Buttons are known by their ids alone, so that those of a daemon that has ended still work; discord.py's own
views would have to be kept in memory.
"""

from collections.abc import Awaitable, Callable
from typing import Any, cast

import aiohttp
import discord
import structlog
from discord import app_commands

from bots.commands import CRASHED, DESCRIPTIONS, Commands, answered
from bots.discord.markup import view_of, written
from bots.replies import Code, Reply
from pingpilot.accounts.linking import ChatUser
from pingpilot.channels import DISCORD

LONGEST_CODE = 64
OUTDATED = Reply.of(
    "Discord showed you an old list of my commands: this one has changed or is gone.",
    ("Restart Discord to get the new list. ", Code("/help"), " shows what there is."),
)
Tree = app_commands.CommandTree[discord.Client]

log = structlog.get_logger(__name__)


def add_commands(tree: Tree, commands: Commands) -> None:
    """Register every command, with typed options in and an ephemeral message out, and the error handler."""

    @tree.command(description=DESCRIPTIONS["link"])
    @app_commands.describe(code="The one-time code, or an API key of the account")
    async def link(interaction: discord.Interaction, code: str) -> None:
        async def linked() -> Reply:
            conversation = await interaction.user.create_dm()
            user = chat_user(interaction)
            return await commands.link(user, code[:LONGEST_CODE], address=str(conversation.id))

        await _reply(interaction, linked)

    @tree.command(description=DESCRIPTIONS["unlink"])
    @app_commands.describe(email="Which account, if this chat is linked to several")
    async def unlink(interaction: discord.Interaction, email: str | None = None) -> None:
        await _reply(interaction, lambda: commands.unlink(chat_user(interaction), email or ""))

    @tree.command(description=DESCRIPTIONS["mute"])
    @app_commands.describe(time="For how long, such as 30m, 2h or 1d")
    async def mute(interaction: discord.Interaction, time: str) -> None:
        await _reply(interaction, lambda: commands.mute(chat_user(interaction), time))

    _add_plain(tree, "categories", commands.categories)
    _add_plain(tree, "quota", commands.quota)
    _add_plain(tree, "failed", commands.failed)
    _add_plain(tree, "unmute", commands.unmute)
    _add_plain(tree, "help", commands.help)
    tree.error(report_failure)


def _add_plain(tree: Tree, name: str, command: Callable[[ChatUser], Awaitable[Reply]]) -> None:
    """Register a command without options."""

    @tree.command(name=name, description=DESCRIPTIONS[name])
    async def plain(interaction: discord.Interaction) -> None:
        await _reply(interaction, lambda: command(chat_user(interaction)))


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
    except (discord.HTTPException, aiohttp.ClientError, OSError) as exc:
        await report_failure(interaction, exc)


def chat_user(interaction: discord.Interaction) -> ChatUser:
    """Return who used a command or button, as Discord vouches for it."""
    return ChatUser(DISCORD.name, str(interaction.user.id), interaction.user.name)


async def report_failure(interaction: discord.Interaction, error: Exception) -> None:
    """Say that it failed in place of the answer, lest the user see "thinking…" for a quarter of an hour."""
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
