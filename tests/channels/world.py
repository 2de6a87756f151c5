"""All three platforms, an account that is linked to each, and the dispatchers between them."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pydantic import SecretStr

from bots.discord.channel import DiscordChannel
from bots.telegram.channel import TelegramChannel
from models import Account, Destination, DestinationKind, Plan
from models.ids import event_id_text
from pingpilot.accounts.webhooks import new_webhook_secret
from pingpilot.channels import DISCORD, EMAIL, TELEGRAM, WEBHOOK
from pingpilot.clock import Clock
from pingpilot.email.channel import EmailChannel
from pingpilot.email.sender import mailbox
from pingpilot.email.server import MailServer
from pingpilot.email.smtp import SmtpPool
from pingpilot.events.submission import Submission
from pingpilot.networks import networks_of
from pingpilot.sandbox.discord import DiscordStandIn, DiscordUser
from pingpilot.sandbox.smtp import MailStandIn
from pingpilot.sandbox.telegram import TelegramStandIn, TelegramUser
from pingpilot.sandbox.webhook import WebhookStandIn
from pingpilot.telemetry.health import Health
from pingpilot.telemetry.metrics import Metrics
from pingpilot.webhook.channel import WebhookChannel
from tests.support.accounts import link_chat, new_account
from tests.support.composition import Composition, running
from tests.support.events import caller_for

from .standins import TOKEN, open_conversation


@dataclass(frozen=True, slots=True)
class World:
    """The platforms, and alice, whose account is linked to all of them. A webhook is there where a test has
    one.
    """

    discord: DiscordStandIn
    telegram: TelegramStandIn
    mail: MailStandIn
    composition: Composition
    alice: Account
    webhook: WebhookStandIn | None = None

    @property
    def clock(self) -> Clock:
        return self.composition.clock

    @property
    def health(self) -> Health:
        return self.composition.health

    @property
    def metrics(self) -> Metrics:
        return self.composition.metrics

    @asynccontextmanager
    async def dispatching(
        self, *names: str, patience: timedelta = timedelta(seconds=20)
    ) -> AsyncIterator[None]:
        """Deliver through the channels named, by default through all.

        An answer that takes longer than `patience` counts as lost.
        """
        async with AsyncExitStack() as stack:
            for channel in (
                self._to_discord(),
                self._to_telegram(patience),
                self._to_mail(patience),
                self._to_webhook(patience),
            ):
                stack.push_async_callback(channel.close)
                if not names or channel.name in names:
                    dispatcher = self.composition.dispatcher(
                        channel, send_timeout=patience * 1.25, poll=timedelta(milliseconds=10)
                    )
                    await stack.enter_async_context(running(dispatcher))
            yield

    def _to_discord(self) -> DiscordChannel:
        return DiscordChannel(token=SecretStr(TOKEN))

    def _to_telegram(self, patience: timedelta) -> TelegramChannel:
        token = SecretStr(TOKEN)
        return TelegramChannel(token=token, api_url=self.telegram.url, timeout=patience)

    def _to_mail(self, patience: timedelta) -> EmailChannel:
        server = MailServer(
            host=self.mail.host,
            port=self.mail.port,
            security="none",
            username="ping",
            password=SecretStr("secret"),
        )
        return EmailChannel(
            SmtpPool(server, timeout=patience, monotonic=self.clock.monotonic),
            sender=mailbox("ping@example.com"),
            unsubscribe_url=lambda account_id, *_: f"https://example.com/unsubscribe/{account_id}",
            health=self.health,
        )

    def _to_webhook(self, patience: timedelta) -> WebhookChannel:
        return WebhookChannel(
            health=self.health, clock=self.clock, allowed=networks_of(["127.0.0.1"]), timeout=patience
        )

    def stand_in(self, name: str) -> DiscordStandIn | TelegramStandIn | MailStandIn | WebhookStandIn:
        """Return the platform of this name."""
        if name == WEBHOOK.name:
            assert self.webhook
            return self.webhook
        if name == DISCORD.name:
            return self.discord
        return self.telegram if name == TELEGRAM.name else self.mail

    def received(self, name: str) -> int:
        """Return how many messages this platform has taken."""
        platform = self.stand_in(name)
        return len(platform.mails if isinstance(platform, MailStandIn) else platform.messages)

    async def another_account(self, person: "Person") -> Account:
        """Return a new account that is linked to a person's chats."""
        account = await _new_account(person.on_discord.name, self.clock)
        await self.link(account, person)
        return account

    async def link(self, account: Account, person: "Person") -> None:
        """Link a person's chats to an account."""
        conversation = await open_conversation(self.discord, person.on_discord)
        await link_chat(account, DISCORD.name, self.clock, conversation)
        self.telegram.start_chat(person.on_telegram)
        await link_chat(account, TELEGRAM.name, self.clock, str(person.on_telegram.id))
        if self.webhook:
            await self.add_webhook(account, self.webhook)

    async def add_webhook(self, account: Account, webhook: WebhookStandIn) -> None:
        """Give an account a destination at the receiver, with a secret of its own."""
        webhook.secrets.append(new_webhook_secret())
        await Destination.create(
            account_id=account.id,
            channel=WEBHOOK.name,
            kind=DestinationKind.WEBHOOK,
            name="program",
            enabled=True,
            address=f"{webhook.url}/{account.id}",
            secret=webhook.secrets[-1],
        )

    async def post(
        self,
        description: str,
        *,
        title: str | None = None,
        url: str | None = None,
        fields: Mapping[str, Any] | None = None,
        account: Account | None = None,
    ) -> str:
        """Accept an event, alice's by default; return its id as people see it."""
        caller = await caller_for(account or self.alice, self.clock)
        submission = Submission(caller, "sale", description, json.dumps(fields or {}), title=title, url=url)
        return event_id_text((await self.composition.intake.submit(submission)).event_id)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody on both chat platforms."""

    on_discord: DiscordUser
    on_telegram: TelegramUser


ALICE = Person(DiscordUser("81384788765712384", "alice"), TelegramUser(7_123_456_789, "alice", "Alice"))
BOB = Person(DiscordUser("81384788765712385", "bob"), TelegramUser(7_123_456_790, "bob", "Bob"))


async def new_world(
    discord: DiscordStandIn,
    telegram: TelegramStandIn,
    mail: MailStandIn,
    clock: Clock,
    *,
    webhook: WebhookStandIn | None = None,
) -> World:
    """Return a world over the open database."""
    mail.username, mail.password = "ping", "secret"
    alice = await _new_account("alice", clock)
    world = World(discord, telegram, mail, Composition(clock=clock), alice, webhook)
    await world.link(world.alice, ALICE)
    return world


async def _new_account(name: str, clock: Clock) -> Account:
    names = (DISCORD.name, TELEGRAM.name, EMAIL.name)
    return await new_account(clock, f"{name}@example.com", plan=Plan.ENTERPRISE, channels=names)
