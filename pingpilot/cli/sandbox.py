"""`pingpilot sandbox`: the real daemon against local stand-ins, to try everything without any token.

At its prompt, what a person types becomes what they do on the platforms.
"""

import asyncio
import secrets
import signal
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
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
from pingpilot.config import Settings, load_settings
from pingpilot.daemon.daemon import Daemon
from pingpilot.sandbox.discord import DiscordStandIn, DiscordUser
from pingpilot.sandbox.faults import Fault
from pingpilot.sandbox.smtp import MailStandIn
from pingpilot.sandbox.telegram import TelegramStandIn, TelegramUser
from pingpilot.sandbox.terminal import Terminal, discord_buttons, telegram_buttons
from pingpilot.storage.migrating import prepare_database

EMAIL = "you@example.com"
GRACE = timedelta(seconds=1)
ON_DISCORD = DiscordUser(id="80351110224678912", name="you")
ON_TELEGRAM = TelegramUser(id=5_550_001_111, username="you", first_name="You")
HELP = """Type a command to a bot: `discord /quota`, `telegram /categories`, `telegram /help`.
`refuse telegram` makes Telegram refuse the next message; `discord /failed` then lists it, and
`discord press Retry 1` presses a button of that reply.
`code` makes a new link code, for `discord /link CODE`. `quit` or Ctrl-C ends the sandbox."""

WELCOME = """
PingPilot is up at {base_url}, with stand-ins for Discord, Telegram and a mail server.
The account {email} is linked to both bots. Its API key:

  {api_key}

Send an event from another terminal, and watch it arrive below:

  curl {base_url}/api/v1/event \\
    -H 'Authorization: Bearer {api_key}' \\
    -d '{{"category": "sale", "description": "Somebody bought a lamp", "fields": {{"amount": 99.99}}}}'

{help}
"""

_PRESS = "press "
_REFUSALS = {
    "discord": (Fault.error(400, "Invalid Form Body", code=50035), "POST channels/"),
    "telegram": (Fault.error(400, "Bad Request: refused by the sandbox"), "sendMessage"),
}
"""How each platform refuses a message for good, and which requests that strikes."""


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
        telegram_token = f"{secrets.randbelow(10**10):010}:{secrets.token_urlsafe(26)}"
        standins = StandIns(
            await stack.enter_async_context(DiscordStandIn(token=secrets.token_urlsafe(40))),
            await stack.enter_async_context(TelegramStandIn(token=telegram_token)),
            await stack.enter_async_context(MailStandIn()),
        )
        settings = standins.settings(base, f"sqlite://{Path(folder) / 'sandbox.sqlite3'}")
        await prepare_database(settings)
        await stack.enter_async_context(open_database(settings.database))
        up: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        async with asyncio.TaskGroup() as tasks:
            guide = tasks.create_task(_guide(standins, up, stop))
            await Daemon(settings, grace=GRACE).serve(stop, on_up=up.set_result)
            guide.cancel()


async def _guide(standins: StandIns, up: asyncio.Future[str], stop: asyncio.Event) -> None:
    """Make an account, link it on both bots as a person would, show what to do, then read the prompt."""
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
    typer.echo(WELCOME.format(base_url=base_url, api_key=new.api_key, email=EMAIL, help=HELP))
    if sys.stdin.isatty():
        prompt = Prompt(standins=standins, terminal=terminal, new_code=lambda: _code(new.account), stop=stop)
        await prompt.run()


async def _code(account: Account) -> str:
    return (await create_link_code(account, datetime.now(UTC))).code


class Prompt:
    """Reads lines from the terminal without holding up the loop. `new_code` makes a link code."""

    def __init__(
        self,
        *,
        standins: StandIns,
        terminal: Terminal,
        new_code: Callable[[], Awaitable[str]],
        stop: asyncio.Event,
    ) -> None:
        self._discord = standins.discord
        self._telegram = standins.telegram
        self._terminal = terminal
        self._new_code = new_code
        self._stop = stop

    async def run(self) -> None:
        """Carry out lines until the input ends."""
        loop, lines = asyncio.get_running_loop(), asyncio.Queue[str]()
        loop.add_reader(sys.stdin.fileno(), lambda: lines.put_nowait(sys.stdin.readline()))
        try:
            while line := await lines.get():
                await self._carry_out(line.strip())
        finally:
            loop.remove_reader(sys.stdin.fileno())
        self._stop.set()

    async def _carry_out(self, line: str) -> None:
        platform, _, words = line.partition(" ")
        actions: dict[str, Callable[[str], Awaitable[None]]] = {
            "discord": self._on_discord,
            "telegram": self._on_telegram,
            "refuse": self._refuse,
        }
        try:
            if platform in actions and words.strip():
                await actions[platform](words.strip())
            elif line == "code":
                typer.echo(f"Code: {await self._new_code()}")
            elif line in ("quit", "exit"):
                self._stop.set()
            elif line:
                typer.echo(HELP)
        except (ValueError, TimeoutError) as exc:
            typer.echo(str(exc))

    async def _on_discord(self, words: str) -> None:
        if words.startswith(_PRESS):
            button = _button(discord_buttons(self._discord.replies[-1]), words)
            reply = await self._discord.press(ON_DISCORD, button)
        else:
            reply = await self._discord.command(ON_DISCORD, words)
        self._terminal.discord_reply(reply)

    async def _on_telegram(self, words: str) -> None:
        if not words.startswith(_PRESS):
            await self._telegram.say(ON_TELEGRAM, words)
            return
        messages = self._telegram.messages
        message = next((each for each in reversed(messages) if telegram_buttons(each)), messages[-1])
        await self._telegram.press(ON_TELEGRAM, _button(telegram_buttons(message), words), message)

    async def _refuse(self, platform: str) -> None:
        if platform not in _REFUSALS:
            raise ValueError(f"'{platform}' is not a platform: try {' or '.join(_REFUSALS)}.")
        fault, route = _REFUSALS[platform]
        (self._discord if platform == "discord" else self._telegram).faults.add(fault, route=route)
        typer.echo(f"The next message to {platform} will be refused.")


def _button(offered: Mapping[str, str], words: str) -> str:
    """Return what pressing the named button sends. Raises `ValueError` saying which there are."""
    wanted = words.removeprefix(_PRESS).strip()
    for label, action in offered.items():
        if label.lower() == wanted.lower():
            return action
    raise ValueError(f"There is no button '{wanted}'; the latest message has: {', '.join(offered) or 'none'}")
