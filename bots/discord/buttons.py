"""Buttons below replies: Discord's side of what `bots.commands` makes of them.

They are known by their ids alone, so that those of a daemon that has ended still work; discord.py's own
views would have to be kept in memory.
"""

from typing import Any, cast

import aiohttp
import discord

from bots.commands import CRASHED, Commands, answered
from bots.discord.commands import chat_user, own_up
from bots.discord.markup import view_of, written


async def press(interaction: discord.Interaction, commands: Commands) -> None:
    """Carry out a pressed button and show the reply in place of the message it is on.

    Replies with buttons are ephemeral: nobody but the asker sees or presses them. What the button says is
    not vouched for: a client of one's own may send any id.
    """
    try:
        await _carry_out(interaction, commands)
    except (discord.HTTPException, aiohttp.ClientError, OSError) as exc:
        await own_up(interaction, exc)


async def _carry_out(interaction: discord.Interaction, commands: Commands) -> None:
    await interaction.response.defer()
    pressed = cast("dict[str, Any]", interaction.data or {}).get("custom_id", "")
    reply = await answered(commands.retry(chat_user(interaction), pressed))
    if reply is CRASHED:  # the buttons stay for another try
        await interaction.followup.send(written(reply), ephemeral=True)
    else:
        await interaction.edit_original_response(content=written(reply), view=view_of(reply))
