"""The Discord stand-in: what the bot has done, and what people do."""

import asyncio
from collections.abc import Callable

from pingpilot.sandbox.discord.commands import fill_options, find_command
from pingpilot.sandbox.discord.interactions import Interaction
from pingpilot.sandbox.discord.model import DiscordMessage, DiscordUser, InteractionReply, Json, components_in
from pingpilot.sandbox.discord.payloads import Where, channel_id_of, interaction_event
from pingpilot.sandbox.discord.server import DiscordServer
from pingpilot.sandbox.discord.validation import BUTTON

APPLICATION_COMMAND, MESSAGE_COMPONENT = 2, 3
"""Kinds of interaction."""


class DiscordStandIn(DiscordServer):
    """Discord on a loopback socket, as a bot sees it that sends direct messages.

    `token` may be changed while it runs, as when somebody resets it: REST then answers 401. A fault's
    `route` is a part of "POST channels/123/messages"; `calls` counts "POST channels/{channel}/messages".
    """

    @property
    def messages(self) -> list[DiscordMessage]:
        """All direct messages, oldest first."""
        return self._inbox.items

    @property
    def on_message(self) -> list[Callable[[DiscordMessage], None]]:
        """Called with each direct message."""
        return self._inbox.callbacks

    async def wait_for_messages(self, count: int, timeout: float = 10) -> list[DiscordMessage]:
        """Return all messages once there are `count`; raises `TimeoutError`."""
        return await self._inbox.wait_for(count, timeout)

    @property
    def replies(self) -> list[InteractionReply]:
        """All answers to commands and buttons, edits and follow-ups included."""
        return self._interactions.replies

    @property
    def commands(self) -> list[Json]:
        """The commands as the bot has last registered them."""
        return self._rest.commands

    async def command(
        self, user: DiscordUser, text: str, *, where: Where = "dm", timeout: float = 5.0
    ) -> InteractionReply:
        """Let a person use a slash command ("/link CODE") and return what the bot replies.

        Raises `ValueError` if Discord's client would not send it, `TimeoutError` if no reply comes.
        """
        name, *words = text.removeprefix("/").split()
        command = find_command(self.commands, name, where=where)
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
        where: Where = "dm",
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
        where: Where,
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
