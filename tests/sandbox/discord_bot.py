"""A small bot on discord.py, as the tests of the Discord stand-in drive it."""

import asyncio
from typing import Any

import discord
from discord import app_commands


class SmallBot(discord.Client):
    """Answers /link at once, /report after a pause for thought, and a button by changing its message."""

    def __init__(self, intents: discord.Intents | None = None) -> None:
        super().__init__(
            intents=intents or discord.Intents.none(),
            max_messages=None,
            chunk_guilds_at_startup=False,
            guild_ready_timeout=0,
            member_cache_flags=discord.MemberCacheFlags.none(),
            allowed_mentions=discord.AllowedMentions.none(),
            heartbeat_timeout=20,
        )
        self.resumed = asyncio.Event()
        self.tree = app_commands.CommandTree(
            self,
            allowed_installs=app_commands.AppInstallationType(guild=True, user=True),
            allowed_contexts=app_commands.AppCommandContext(
                guild=True, dm_channel=True, private_channel=True
            ),
        )
        self.tree.command(name="link", description="Link your account")(_link)
        self.tree.command(name="report", description="Show a report")(_report)
        self.tree.command(name="menu", description="Show a menu")(_menu)

    async def setup_hook(self) -> None:
        await self.tree.sync()

    async def on_resumed(self) -> None:
        self.resumed.set()

    async def on_interaction(self, interaction: discord.Interaction[Any]) -> None:
        if interaction.type is discord.InteractionType.component:
            await interaction.response.edit_message(content="Muted", view=None)

    async def dm(self, user_id: str, content: str | None = None, **options: Any) -> discord.Message:
        channel = await self.create_dm(discord.Object(int(user_id)))
        return await channel.send(content, **options)


async def _link(interaction: discord.Interaction[SmallBot], code: str, note: str = "") -> None:
    where = interaction.context.to_array()
    text = f"{interaction.user.name} links {code} {note} in {where}"
    await interaction.response.send_message(text, ephemeral=True)


async def _report(interaction: discord.Interaction[SmallBot], days: int) -> None:
    await interaction.response.defer(ephemeral=True, thinking=True)
    await interaction.edit_original_response(embed=discord.Embed(title=f"The last {days} days"))
    await interaction.followup.send("That is all.", ephemeral=True)


async def _menu(interaction: discord.Interaction[SmallBot]) -> None:
    view = discord.ui.View(timeout=None)
    view.add_item(discord.ui.Button(label="Mute", custom_id="mute:sales"))
    await interaction.response.send_message("What now?", view=view)
    view.stop()  # the press is for on_interaction
