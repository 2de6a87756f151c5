"""`pingpilot sandbox`: the real daemon against local stand-ins, to try everything without any token."""

import asyncio
import secrets
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import typer

from models import Account, Plan
from models.database import open_database
from pingpilot.accounts.accounts import create_account
from pingpilot.accounts.linking import create_link_code
from pingpilot.channels import CHANNELS
from pingpilot.cli.prompt import HELP, ON_DISCORD, ON_TELEGRAM, Prompt
from pingpilot.config import Settings, load_settings
from pingpilot.daemon.daemon import Daemon
from pingpilot.sandbox.discord import DiscordStandIn
from pingpilot.sandbox.smtp import MailStandIn
from pingpilot.sandbox.telegram import TelegramStandIn
from pingpilot.sandbox.terminal import Terminal
from pingpilot.storage.migrating import prepare_database

EMAIL = "you@example.com"
GRACE = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class StandIns:
    """The three platforms of a sandbox."""

    discord: DiscordStandIn
    telegram: TelegramStandIn
    mail: MailStandIn

    def settings(self, base: Settings, database_url: str) -> Settings:
        """Return the base settings, pointed at the stand-ins and a database of the sandbox's own."""
        channels: dict[str, dict[str, Any]] = {
            "discord": {"token": self.discord.token, "api_url": self.discord.url},
            "telegram": {"token": self.telegram.token, "api_url": self.telegram.url},
            "email": {
                "host": self.mail.host,
                "port": self.mail.port,
                "security": "none",
                "username": None,
                "password": None,
                "sender": "PingPilot <pingpilot@example.com>",
            },
        }
        kept = {name: getattr(base, name) for name in base.model_fields_set if name != "database_url"}
        return load_settings(channels=channels, database_url=database_url, **kept)


async def run_sandbox(base: Settings) -> None:
    """Run stand-ins and a daemon of the base settings until a signal or `quit`."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="pingpilot-sandbox-"))
        standins = await stack.enter_async_context(_standins())
        settings = standins.settings(base, f"sqlite://{Path(folder) / 'sandbox.sqlite3'}")
        await prepare_database(settings)
        await stack.enter_async_context(open_database(settings.database))
        up: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        async with asyncio.TaskGroup() as tasks:
            guide = tasks.create_task(_guide(standins, up, stop))
            await Daemon(settings, grace=GRACE).serve(stop, on_up=up.set_result)
            guide.cancel()


@asynccontextmanager
async def _standins() -> AsyncIterator[StandIns]:
    token = f"{secrets.randbelow(10**10):010}:{secrets.token_urlsafe(26)}"
    async with (
        DiscordStandIn(token=secrets.token_urlsafe(40)) as discord,
        TelegramStandIn(token=token) as telegram,
        MailStandIn() as mail,
    ):
        yield StandIns(discord, telegram, mail)


async def _guide(standins: StandIns, up: asyncio.Future[str], stop: asyncio.Event) -> None:
    """Make an account, link it on both bots as a person would, show what to do, then heed the prompt."""
    base_url = await up
    new = await create_account(
        EMAIL, plan=Plan.FREE, monthly_events=None, channels=list(CHANNELS), now=datetime.now(UTC)
    )
    await standins.discord.wait_connected()
    await standins.telegram.wait_polling()
    await standins.discord.command(ON_DISCORD, f"/link {await _code(new.account)}")
    await standins.telegram.say(ON_TELEGRAM, f"/link {await _code(new.account)}")
    terminal = Terminal(typer.echo, colors=sys.stdout.isatty())
    standins.discord.on_message.append(terminal.discord)
    standins.telegram.on_message.append(terminal.telegram)
    standins.telegram.on_edit.append(terminal.telegram)
    standins.mail.on_message.append(terminal.mail)
    typer.echo(_welcome(base_url, new.api_key))
    if sys.stdin.isatty():
        prompt = Prompt(
            discord=standins.discord,
            telegram=standins.telegram,
            terminal=terminal,
            new_code=lambda: _code(new.account),
            stop=stop,
        )
        await prompt.run()


async def _code(account: Account) -> str:
    return (await create_link_code(account, datetime.now(UTC))).code


def _welcome(base_url: str, api_key: str) -> str:
    return f"""
PingPilot is up at {base_url}, with stand-ins for Discord, Telegram and a mail server.
The account {EMAIL} is linked on both bots. Its API key:

  {api_key}

Send an event from another terminal, and see below what arrives:

  curl {base_url}/api/v1/event \\
    -H 'Authorization: Bearer {api_key}' \\
    -d '{{"category": "sale", "description": "Somebody bought a lamp", "fields": {{"amount": 99.99}}}}'

{HELP}
"""
