"""Bots under supervision, and people who talk to them."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Protocol, Self

import pytest
from pydantic import SecretStr

from bots.commands import Commands
from bots.discord.client import DiscordBot
from bots.discord.sessions import WINDOW, SessionStarts
from bots.telegram.application import TelegramBot
from bots.telegram.webhook import Webhook
from pingpilot.accounts.quota import PlanLimits
from pingpilot.channels import DISCORD, TELEGRAM
from pingpilot.clock import SystemClock
from pingpilot.daemon.supervision import supervise
from pingpilot.delivery.channel import Notification, Recipient
from pingpilot.delivery.parts import Component, Place, anywhere
from pingpilot.sandbox.discord import DiscordStandIn, DiscordUser
from pingpilot.sandbox.telegram import TelegramMessage, TelegramStandIn, TelegramUser
from pingpilot.sandbox.terminal import discord_buttons, telegram_buttons
from pingpilot.telemetry.health import Health, State
from tests.channels.standins import TOKEN
from tests.support.clock import ManualClock
from tests.support.waiting import until

ON_BOTH_DATABASES = pytest.mark.parametrize("storage", ["sqlite", "postgres"], indirect=True)


@dataclass(frozen=True, slots=True)
class Bots:
    """What every bot is made with.

    `woken` names the channels that the bots have given something to do, `told` the chats that were sent a
    notice though no account leads there any more, and the notice.
    """

    clock: ManualClock = field(default_factory=ManualClock)
    health: Health = field(default_factory=Health)
    woken: list[str] = field(default_factory=list)
    base_url: str = "http://localhost:8080"
    told: list[tuple[str, str]] = field(default_factory=list)
    lane: int = 0
    session_window: timedelta = WINDOW

    def discord(
        self, stand_in: DiscordStandIn, token: str = TOKEN, *, may_act: Callable[[], bool] = lambda: True
    ) -> DiscordBot:
        starts = SessionStarts(health=self.health, clock=SystemClock(), window=self.session_window)
        return DiscordBot(
            token=SecretStr(token),
            commands=self.commands,
            health=self.health,
            starts=starts,
            may_act=may_act,
            lane=self.lane,
        )

    def telegram(
        self,
        stand_in: TelegramStandIn,
        token: str = TOKEN,
        *,
        webhook: Webhook | None = None,
        may_act: Callable[[], bool] = lambda: True,
        place: Place = anywhere,
    ) -> TelegramBot:
        return TelegramBot(
            token=SecretStr(token),
            api_url=stand_in.url,
            commands=self.commands,
            health=self.health,
            webhook=webhook or self.webhook(),
            polls=webhook is None,
            may_act=may_act,
            lane=self.lane,
            place=place,
        )

    def webhook(
        self,
        url: str = "http://localhost",
        *,
        needs_https: bool = False,
        may_act: Callable[[], bool] = lambda: True,
    ) -> Webhook:
        """Return one daemon's end of the webhook, which is posted to at this address."""
        return Webhook(
            token=SecretStr(TOKEN),
            bot="telegram:7000000042",
            base_url=url,
            needs_https=needs_https,
            clock=SystemClock(),
            health=self.health,
            may_act=may_act,
            look_every=timedelta(seconds=0.05),
            ask_every=timedelta(seconds=0.1),
        )

    @property
    def commands(self) -> Commands:
        return Commands(
            limits=PlanLimits(),
            clock=self.clock,
            on_deliveries=self.woken.extend,
            send=self._send,
            base_url=self.base_url,
            lane=self.lane,
        )

    async def _send(self, recipient: Recipient, notification: Notification) -> None:
        self.told.append((recipient.address, notification.description))

    @asynccontextmanager
    async def supervised(
        self, component: Component, *, state: State | None = State.UP
    ) -> AsyncIterator[None]:
        """Keep the component running; by default, begin once it is up."""
        task = asyncio.create_task(supervise(component, self.health, clock=SystemClock()))
        try:
            if state:
                await self.wait_until(component.name, state)
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def wait_until(self, part: str, state: State, *, timeout: float = 15) -> None:
        """Return once the part stands so."""
        await until(
            lambda: part in self.health.parts and self.health.parts[part].state is state, timeout=timeout
        )


ADA_ON_DISCORD = DiscordUser("81384788765712384", "ada")
ADA_ON_TELEGRAM = TelegramUser(7_123_456_789, "ada", "Ada")


class Person(Protocol):
    """Somebody in a private chat with the bot."""

    @property
    def channel(self) -> str: ...

    @property
    def user_id(self) -> str: ...

    async def ask(self, text: str) -> str:
        """Send a command; return the answer as it reads."""

    @property
    def buttons(self) -> dict[str, str]:
        """The buttons of the latest answer: what they say, and what pressing them sends."""

    async def press(self, label: str) -> str:
        """Press a button of the latest answer; return the answer as it reads then."""

    async def forge(self, action: str) -> str:
        """Press what need not be a button of the latest answer; return the answer as it reads then."""

    def friend(self) -> Self:
        """Return somebody else on the same platform."""


@dataclass(frozen=True)
class OnDiscord:
    """Somebody on Discord."""

    stand_in: DiscordStandIn
    user: DiscordUser = ADA_ON_DISCORD
    channel: str = DISCORD.name

    @property
    def user_id(self) -> str:
        return self.user.id

    async def ask(self, text: str) -> str:
        reply = await self.stand_in.command(self.user, text)
        return as_read(reply.content)

    @property
    def buttons(self) -> dict[str, str]:
        return discord_buttons(self.stand_in.replies[-1])

    async def press(self, label: str) -> str:
        return await self.forge(self.buttons[label])

    async def forge(self, action: str) -> str:
        latest = self.stand_in.replies[-1].message_id
        reply = await self.stand_in.press(self.user, action, on=latest)
        assert (reply.updated, reply.message_id) == (True, latest)
        return as_read(reply.content)

    def friend(self) -> Self:
        return replace(self, user=DiscordUser("81384788765712385", "bea"))


@dataclass(frozen=True)
class OnTelegram:
    """Somebody on Telegram."""

    stand_in: TelegramStandIn
    user: TelegramUser = ADA_ON_TELEGRAM
    channel: str = TELEGRAM.name

    @property
    def user_id(self) -> str:
        return str(self.user.id)

    async def ask(self, text: str) -> str:
        [reply] = await self.stand_in.say(self.user, text)
        return reply.text

    @property
    def latest(self) -> TelegramMessage:
        """The bot's latest message to this person."""
        return [each for each in self.stand_in.messages if each.chat_id == self.user.id][-1]

    @property
    def buttons(self) -> dict[str, str]:
        return telegram_buttons(self.latest)

    async def press(self, label: str) -> str:
        return await self.forge(self.buttons[label])

    async def forge(self, action: str) -> str:
        latest = self.latest
        [shown] = await self.stand_in.press(self.user, action, latest)
        assert (shown.edited, shown.message_id) == (True, latest.message_id)
        return shown.text

    def friend(self) -> Self:
        return replace(self, user=TelegramUser(7_123_456_790, None, "Bea"))


def as_read(markdown: str) -> str:
    """Return Discord's Markdown as it reads: without marks and escapes."""
    without_marks = re.sub(r"(?<!\\)(\*\*|`)", "", markdown)
    return re.sub(r"\\(.)", r"\1", without_marks)
