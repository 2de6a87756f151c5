"""`pingpilot sandbox`: the real daemon against local stand-ins, to try everything without any token."""

import asyncio
import secrets
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import typer

from models import Account, Plan
from models.database import open_database
from pingpilot.accounts import create_account
from pingpilot.channels import CHANNELS
from pingpilot.config import Settings, load_settings
from pingpilot.daemon import Daemon
from pingpilot.linking import create_link_code
from pingpilot.sandbox.discord import DiscordStandIn, DiscordUser
from pingpilot.sandbox.smtp import MailStandIn
from pingpilot.sandbox.telegram import TelegramStandIn, TelegramUser
from pingpilot.sandbox.terminal import Terminal
from pingpilot.storage import prepare_database

EMAIL = "you@example.com"
ON_DISCORD = DiscordUser(id="80351110224678912", name="you")
ON_TELEGRAM = TelegramUser(id=5_550_001_111, username="you", first_name="You")
GRACE = timedelta(seconds=1)
_HELP = """Type a command to a bot: `discord /quota`, `telegram /categories`, `telegram /help`.
`code` makes a new link code, for `discord /link CODE`. `quit` or Ctrl-C ends the sandbox."""


@dataclass(frozen=True, slots=True)
class StandIns:
    """The three platforms of a sandbox."""

    discord: DiscordStandIn
    telegram: TelegramStandIn
    mail: MailStandIn

    def settings(self, base: Settings, database_url: str) -> Settings:
        """Return the base settings, pointed at the stand-ins and a database of the sandbox's own."""
        own: dict[str, Any] = {
            "database_url": database_url,
            "discord_token": self.discord.token,
            "discord_api_url": self.discord.url,
            "telegram_token": self.telegram.token,
            "telegram_api_url": self.telegram.url,
            "smtp_host": self.mail.host,
            "smtp_port": self.mail.port,
            "smtp_security": "none",
            "smtp_username": None,
            "smtp_password": None,
            "smtp_from": "PingPilot <pingpilot@example.com>",
        }
        kept = {name: getattr(base, name) for name in base.model_fields_set if name not in own}
        return load_settings(**kept, **own)


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
    standins.mail.on_message.append(terminal.mail)
    typer.echo(_welcome(base_url, new.api_key))
    if sys.stdin.isatty():
        await _Prompt(standins, terminal, new.account, stop).run()


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

{_HELP}
"""


class _Prompt:
    """Reads lines from the terminal without holding up the loop."""

    def __init__(self, standins: StandIns, terminal: Terminal, account: Account, stop: asyncio.Event) -> None:
        self._standins = standins
        self._terminal = terminal
        self._account = account
        self._stop = stop

    async def run(self) -> None:
        """Carry out lines until the input ends."""
        loop, lines = asyncio.get_running_loop(), asyncio.Queue[str]()
        loop.add_reader(sys.stdin.fileno(), lambda: lines.put_nowait(sys.stdin.readline()))
        try:
            while line := await lines.get():
                await self._heed(line.strip())
        finally:
            loop.remove_reader(sys.stdin.fileno())
        self._stop.set()

    async def _heed(self, line: str) -> None:
        platform, _, words = line.partition(" ")
        actions: dict[str, Callable[[str], Any]] = {"discord": self._discord, "telegram": self._telegram}
        try:
            if platform in actions and words.strip():
                await actions[platform](words.strip())
            elif line == "code":
                typer.echo(f"Code: {await _code(self._account)}")
            elif line in ("quit", "exit"):
                self._stop.set()
            elif line:
                typer.echo(_HELP)
        except (ValueError, TimeoutError) as exc:
            typer.echo(str(exc))

    async def _discord(self, words: str) -> None:
        self._terminal.discord_reply(await self._standins.discord.command(ON_DISCORD, words))

    async def _telegram(self, words: str) -> None:
        await self._standins.telegram.say(ON_TELEGRAM, words)
