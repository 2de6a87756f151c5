"""Slash commands: Discord's side of `bots.commands`."""

from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import discord
import structlog
from discord import app_commands

from bots.commands import CRASHED, DESCRIPTIONS, Commands, answered
from bots.discord.markup import view_of, written
from bots.replies import Reply
from pingpilot.accounts.linking import ChatUser
from pingpilot.channels import DISCORD

LONGEST_CODE = 64

log = structlog.get_logger(__name__)


class SlashCommands:
    """Adapts the commands to Discord: typed options in, an ephemeral message out."""

    def __init__(self, commands: Commands) -> None:
        self._commands = commands

    def add_to(self, tree: app_commands.CommandTree[discord.Client]) -> None:
        """Register every command and the error handler."""
        for name, callback in (
            ("link", self._link),
            ("unlink", self._unlink),
            ("categories", self._categories),
            ("quota", self._quota),
            ("failed", self._failed),
            ("mute", self._mute),
            ("unmute", self._unmute),
            ("help", self._help),
        ):
            command: app_commands.Command[Any, ..., None] = app_commands.Command(
                name=name, description=DESCRIPTIONS[name], callback=callback
            )
            tree.add_command(command)
        tree.error(own_up)

    @app_commands.describe(code="The one-time code, or an API key of the account")
    async def _link(self, interaction: discord.Interaction, code: str) -> None:
        await _reply(interaction, lambda: self._linked(interaction, code))

    async def _linked(self, interaction: discord.Interaction, code: str) -> Reply:
        conversation = await interaction.user.create_dm()
        user = chat_user(interaction)
        return await self._commands.link(user, code[:LONGEST_CODE], address=str(conversation.id))

    @app_commands.describe(email="Which account, if this chat is linked to several")
    async def _unlink(self, interaction: discord.Interaction, email: str | None = None) -> None:
        await _reply(interaction, lambda: self._commands.unlink(chat_user(interaction), email or ""))

    async def _categories(self, interaction: discord.Interaction) -> None:
        await _reply(interaction, lambda: self._commands.categories(chat_user(interaction)))

    async def _quota(self, interaction: discord.Interaction) -> None:
        await _reply(interaction, lambda: self._commands.quota(chat_user(interaction)))

    async def _failed(self, interaction: discord.Interaction) -> None:
        await _reply(interaction, lambda: self._commands.failed(chat_user(interaction)))

    @app_commands.describe(time="For how long, such as 30m, 2h or 1d")
    async def _mute(self, interaction: discord.Interaction, time: str) -> None:
        await _reply(interaction, lambda: self._commands.mute(chat_user(interaction), time))

    async def _unmute(self, interaction: discord.Interaction) -> None:
        await _reply(interaction, lambda: self._commands.unmute(chat_user(interaction)))

    async def _help(self, interaction: discord.Interaction) -> None:
        await _reply(interaction, lambda: self._commands.help(chat_user(interaction)))


def chat_user(interaction: discord.Interaction) -> ChatUser:
    """Return who used a command or button, as Discord vouches for it."""
    return ChatUser(DISCORD.name, str(interaction.user.id), interaction.user.name)


async def own_up(interaction: discord.Interaction, error: Exception) -> None:
    """Say that it failed in place of the answer, lest the user see "thinking…" for a quarter of an hour."""
    log.error("A reply on Discord failed", exc_info=error)
    try:
        if interaction.response.is_done():
            await interaction.edit_original_response(content=written(CRASHED))
        else:
            await interaction.response.send_message(written(CRASHED), ephemeral=True)
    except (discord.HTTPException, aiohttp.ClientError, OSError):
        log.warning("The user could not be told", exc_info=True)


async def _reply(interaction: discord.Interaction, command: Callable[[], Awaitable[Reply]]) -> None:
    """Answer so that only the asker sees it; deferred first, since Discord waits 3 s at most."""
    await interaction.response.defer(ephemeral=True, thinking=True)
    reply = await answered(command())
    await interaction.edit_original_response(content=written(reply), view=view_of(reply))
