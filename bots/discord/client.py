"""The Discord bot's life: logs in, keeps the gateway connection, answers commands and buttons."""

from collections.abc import Callable
from datetime import timedelta

import aiohttp
import discord
from discord import app_commands
from discord.gateway import DiscordWebSocket
from discord.http import Route
from pydantic import SecretStr
from yarl import URL

from bots.commands import Commands
from bots.discord.bounds import bound_answers, guard_requests
from bots.discord.commands import add_commands, press
from bots.discord.gateway import GatewayHttp
from bots.discord.rooms import lose
from bots.discord.sessions import SessionStarts
from models import Fact
from pingpilot.accounts.linking import DISCORD_INSTALL, fact_of_bot
from pingpilot.channels import DISCORD
from pingpilot.delivery.parts import Place, anywhere
from pingpilot.errors import Misconfigured
from pingpilot.telemetry.health import Health, State

# Asks whether to one's own apps or to a server
_INSTALL = "https://discord.com/oauth2/authorize?client_id="
# https://discord.com/developers/docs/topics/opcodes-and-status-codes#gateway-gateway-close-event-codes
AUTHENTICATION_FAILED = 4004
_NEED_A_PERSON = {AUTHENTICATION_FAILED, 4010, 4011, 4012, 4013, 4014}


def use_api(url: str) -> None:
    """Point discord.py at another API than Discord's own; it keeps the address on a class, so this holds
    for the process and for every client.
    """
    Route.BASE = url


class DiscordBot:
    """Talks with people through slash commands. discord.py's client can't be used twice, so each run
    makes a new one.
    """

    name = DISCORD.name

    def __init__(
        self,
        *,
        token: SecretStr,
        commands: Commands,
        health: Health,
        starts: SessionStarts,
        may_act: Callable[[], bool] = lambda: True,
        lane: int = 0,
        gives_up_after: timedelta | None = None,
        place: Place = anywhere,
    ) -> None:
        self._lane = lane
        self._place = place
        self._token = token
        self._may_act = may_act
        self._gives_up_after = gives_up_after
        self._commands = commands
        self._health = health
        self._starts = starts

    async def run(self) -> None:
        """Serve until the connection ends for good. Raises `Misconfigured` for a refused token."""
        client = _Client(
            self._commands,
            self._health,
            self._starts,
            may_act=self._may_act,
            gives_up_after=self._gives_up_after,
            place=self._place,
        )
        try:
            await client.login(self._token.get_secret_value())
            await Fact.keep(fact_of_bot(DISCORD_INSTALL, self._lane), f"{_INSTALL}{client.application_id}")
            gateway = await self._starts.wait_for_room(client.http)
            DiscordWebSocket.DEFAULT_GATEWAY = URL(gateway)  # kept on a class, too
            await client.connect()
        except discord.LoginFailure as exc:
            raise Misconfigured("Discord refuses the bot's token: set a valid one.") from exc
        except discord.PrivilegedIntentsRequired as exc:
            raise Misconfigured(str(exc)) from exc
        except discord.ConnectionClosed as exc:
            if exc.code in _NEED_A_PERSON:
                raise Misconfigured(f"Discord closed the connection with {exc.code}: {exc.reason}") from exc
            raise
        finally:  # cancelling connect() alone would leave its socket and thread alive
            try:
                if client.ws is not None:  # its thread outlives a socket that was closed already
                    await client.ws.close()
            finally:  # also where the end of a term has no time for the gateway's goodbye
                await client.close()


class _Client(discord.Client):
    """One connection: nobody ever pinged, nothing kept but the servers with their channels.

    Those come with the intent GUILDS, which no bot has to ask for: it tells which servers the bot is in, what
    they are called, and when it loses one. A hundred servers take about 4 MB.
    """

    def __init__(
        self,
        commands: Commands,
        health: Health,
        starts: SessionStarts,
        *,
        may_act: Callable[[], bool],
        gives_up_after: timedelta | None,
        place: Place,
    ) -> None:
        super().__init__(
            intents=discord.Intents(guilds=True),
            max_messages=None,
            chunk_guilds_at_startup=False,
            guild_ready_timeout=0,
            member_cache_flags=discord.MemberCacheFlags.none(),
            allowed_mentions=discord.AllowedMentions.none(),
        )
        # Before the tree takes it over
        self.http = self._connection.http = GatewayHttp(
            self.loop,
            http_trace=guard_requests(bound_answers(aiohttp.TraceConfig()), may_act),
            may_act=may_act,
            gives_up_after=gives_up_after,
            place=place,
        )
        self._health = health
        self._starts = starts
        self.tree = app_commands.CommandTree(
            self,
            allowed_installs=app_commands.AppInstallationType(guild=True, user=True),
            allowed_contexts=app_commands.AppCommandContext(
                guild=True, dm_channel=True, private_channel=True
            ),
        )
        add_commands(self.tree, commands)
        self._commands = commands

    async def setup_hook(self) -> None:
        await self.tree.sync()

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """Wait before a session begins: 5 s where one was lost, as Discord asks, and for the limits' sake."""
        await super().before_identify_hook(shard_id, initial=initial)
        await self._starts.begin(self.http, self.application_id or 0, initial=initial)

    async def on_interaction(self, interaction: discord.Interaction) -> None:
        if interaction.type is discord.InteractionType.component:
            await press(interaction, self._commands)

    async def on_guild_remove(self, guild: discord.Guild) -> None:
        """The bot was thrown out, or the server deleted; one in an outage is not removed."""
        gone = [each.id for each in (*guild.channels, *guild.threads)]
        await lose(self._commands.rooms, gone, "The bot was removed from the server.")

    async def on_guild_channel_delete(self, channel: discord.abc.GuildChannel) -> None:
        await lose(self._commands.rooms, [channel.id], "The channel was deleted.")

    async def on_raw_thread_delete(self, thread: discord.RawThreadDeleteEvent) -> None:
        await lose(self._commands.rooms, [thread.thread_id], "The thread was deleted, or its channel.")

    async def on_ready(self) -> None:
        self._health.report(DISCORD.name, State.UP)

    async def on_resumed(self) -> None:
        self._health.report(DISCORD.name, State.UP)

    async def on_disconnect(self) -> None:
        if not self.is_closed():
            self._health.report(DISCORD.name, State.RETRYING, "The connection to Discord was lost.")
