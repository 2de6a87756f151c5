"""The Discord stand-in: what the bot has done, and what people do."""

import asyncio
from collections.abc import Callable

from pingpilot.sandbox.discord.commands import fill_options, find_command
from pingpilot.sandbox.discord.guilds import Guild, GuildChannel
from pingpilot.sandbox.discord.interactions import Interaction
from pingpilot.sandbox.discord.model import DiscordMessage, DiscordUser, InteractionReply, Json, components_in
from pingpilot.sandbox.discord.payloads import Where, channel_id_of, context_of, interaction_event
from pingpilot.sandbox.discord.permissions import NOTHING, Permission
from pingpilot.sandbox.discord.server import DiscordServer
from pingpilot.sandbox.discord.validation import BUTTON

APPLICATION_COMMAND, MESSAGE_COMPONENT = 2, 3
"""Kinds of interaction."""


class DiscordStandIn(DiscordServer):
    """Discord on a loopback socket, as a bot sees it that sends messages, to people and in servers.

    `token` may be changed while it runs, as when somebody resets it: REST then answers 401. A fault's
    `route` is a part of "POST channels/123/messages"; `calls` counts "POST channels/{channel}/messages".
    """

    @property
    def messages(self) -> list[DiscordMessage]:
        """All messages, oldest first."""
        return self._inbox.items

    @property
    def on_message(self) -> list[Callable[[DiscordMessage], None]]:
        """Called with each message."""
        return self._inbox.callbacks

    async def wait_for_messages(self, count: int, timeout: float = 10) -> list[DiscordMessage]:
        """Return all messages once there are `count`; raises `TimeoutError`."""
        return await self._inbox.wait_for(count, timeout)

    @property
    def replies(self) -> list[InteractionReply]:
        """All answers to commands and buttons, edits and follow-ups included."""
        return self._interactions.inbox.items

    @property
    def on_reply(self) -> list[Callable[[InteractionReply], None]]:
        """Called with each of them."""
        return self._interactions.inbox.callbacks

    @property
    def commands(self) -> list[Json]:
        """The commands as the bot has last registered them."""
        return self._rest.commands

    def start_chat(self, user: DiscordUser) -> str:
        """Let a person have direct messages with the bot; return their channel's id."""
        return self._rest.meet(user)

    def add_guild(self, name: str, *, owner: DiscordUser | None = None, joined: bool = True) -> Guild:
        """Add a server; the bot is in it, unless it has not `joined`. Clients hear of it as they identify."""
        guild = Guild(name, owner=owner)
        self._rest.guilds[guild.id] = guild
        if joined:
            guild.add_member(self.user_id)
        return guild

    async def invite_bot(self, guild: Guild, permissions: Permission = NOTHING) -> None:
        """Let the bot into a server, with a role of its own that has these permissions."""
        guild.add_member(self.user_id, guild.add_role("PingPilot", permissions))
        event = guild.create_event(self._bot())
        del event["unavailable"]  # which tells a new server from one that was away
        await self._gateway.dispatch("GUILD_CREATE", event)

    async def kick_bot(self, guild: Guild) -> None:
        """Throw the bot out of a server."""
        guild.remove_member(self.user_id)
        await self._gateway.dispatch("GUILD_DELETE", {"id": guild.id})

    async def lose_guild(self, guild: Guild) -> None:
        """Let a server be unavailable, as in an outage."""
        guild.available = False
        await self._gateway.dispatch("GUILD_DELETE", {"id": guild.id, "unavailable": True})

    async def hear_of_thread(self, thread: GuildChannel) -> None:
        """Tell the bot of a thread that it sees, as Discord does when one begins."""
        await self._gateway.dispatch("THREAD_CREATE", thread.as_json() | {"newly_created": True})

    async def update_channel(self, channel: GuildChannel) -> None:
        """Tell the bot that a channel has changed, such as what it may do there."""
        await self._gateway.dispatch("CHANNEL_UPDATE", channel.guild.told_of(self.user_id, channel))

    async def delete_channel(self, channel: GuildChannel) -> None:
        """Delete a channel with its threads, or a thread."""
        guild, seen = channel.guild, channel.guild.sees(self.user_id, channel)
        told = guild.told_of(self.user_id, channel)
        del guild.channels[channel.id]
        for thread in [each for each in guild.channels.values() if each.parent is channel and each.is_thread]:
            del guild.channels[thread.id]  # without an event of their own
        if not channel.is_thread:
            await self._gateway.dispatch("CHANNEL_DELETE", told)
        elif seen:
            kept = ("id", "guild_id", "parent_id", "type")
            await self._gateway.dispatch("THREAD_DELETE", {name: told[name] for name in kept})

    def delete_message(self, message_id: str) -> None:
        """Delete a message, as a moderator may."""
        self._posted.remove(next(each for each in self._posted if each["id"] == message_id))

    async def command(
        self,
        user: DiscordUser,
        text: str,
        *,
        where: Where | GuildChannel = "dm",
        offered: bool = True,
        timeout: float = 5.0,
    ) -> InteractionReply:
        """Let a person use a slash command ("/link CODE") and return what the bot replies.

        One that is not `offered` comes from a channel where Discord's own client has no commands. Raises
        `ValueError` if Discord's client would not send it, `TimeoutError` if no reply comes.
        """
        if offered and isinstance(where, GuildChannel):
            where.check_commands_of(user.id)
        name, *words = text.removeprefix("/").split()
        command = find_command(self.commands, name, context=context_of(where))
        options = fill_options(command.get("options") or [], words, usage=f"/{name}")
        data = {"id": self._rest.command_id(name), "name": name, "type": 1, "options": options}
        channel_id = channel_id_of(where, self._rest.meet(user))
        interaction = self._interactions.begin(APPLICATION_COMMAND, channel_id)
        return await self._have_answered(interaction, user, where, data, timeout=timeout)

    async def press(
        self,
        user: DiscordUser,
        custom_id: str,
        *,
        values: list[str] | None = None,
        on: str | None = None,
        where: Where | GuildChannel = "dm",
        timeout: float = 5.0,
    ) -> InteractionReply:
        """Let a person press the button (or choose `values` in the menu) on the newest message that has it.

        With `on`, the id of a message, it need not have such a button any more, or ever: an old click
        comes late, a client of one's own sends any id. Raises `ValueError` if there is no such message,
        `TimeoutError` if no reply comes.
        """
        if on is None:
            message, kind = self._find_component(custom_id)
        elif (found := next((each for each in self._posted if each["id"] == on), None)) is not None:
            message, kind = found, BUTTON
        else:
            raise ValueError(f"There is no message {on}")
        data = {"custom_id": custom_id, "component_type": kind, "values": values or []}
        interaction = self._interactions.begin(MESSAGE_COMPONENT, message["channel_id"], message=message)
        return await self._have_answered(interaction, user, where, data, message=message, timeout=timeout)

    async def _have_answered(
        self,
        interaction: Interaction,
        user: DiscordUser,
        where: Where | GuildChannel,
        data: Json,
        *,
        message: Json | None = None,
        timeout: float,
    ) -> InteractionReply:
        event = interaction_event(interaction, user, where, application_id=self.application_id, data=data)
        if message is not None:
            event["message"] = message
        try:
            async with asyncio.timeout(timeout):
                await self._gateway.dispatch("INTERACTION_CREATE", event)
                return await interaction.reply
        except TimeoutError:
            raise TimeoutError(f"the bot did not reply within {timeout} s") from None

    def _find_component(self, custom_id: str) -> tuple[Json, int]:
        for message in reversed(self._posted):
            for component in components_in(message["components"]):
                if component.get("custom_id") == custom_id:
                    return message, component["type"]
        raise ValueError(f"No message has a component {custom_id}")
