"""`pingpilot sandbox`: the real daemon against local stand-ins, to try everything without any token.

At its prompt, what a person types becomes what they do on the platforms.
"""

import asyncio
import signal
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import typer

from models import Account, Plan
from models.database import open_database
from pingpilot.accounts.accounts import create_account
from pingpilot.accounts.linking import create_link_code
from pingpilot.channels import CHANNELS, load
from pingpilot.config import Settings, load_settings
from pingpilot.daemon.daemon import Daemon
from pingpilot.sandbox.platforms import Platform
from pingpilot.sandbox.terminal import Terminal
from pingpilot.storage.migrating import prepare_database

EMAIL = "you@example.com"
GRACE = timedelta(seconds=1)
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


async def run_sandbox(base: Settings) -> None:
    """Run stand-ins and a daemon of the base settings until a signal or `quit`."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="pingpilot-sandbox-"))
        platforms: dict[str, Platform] = {
            name: await stack.enter_async_context(load(kind.stand_in)())
            for name, kind in CHANNELS.items()
            if kind.stand_in
        }
        kept = {name: getattr(base, name) for name in base.model_fields_set if name != "database_url"}
        settings = load_settings(
            channels={name: platform.settings for name, platform in platforms.items()},
            database_url=f"sqlite://{Path(folder) / 'sandbox.sqlite3'}",
            **kept,
        )
        await prepare_database(settings)
        await stack.enter_async_context(open_database(settings.database))
        up: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        async with asyncio.TaskGroup() as tasks:
            guide = tasks.create_task(_guide(platforms, up, stop))
            await Daemon(settings, grace=GRACE).serve(stop, on_up=up.set_result)
            guide.cancel()


async def _guide(platforms: Mapping[str, Platform], up: asyncio.Future[str], stop: asyncio.Event) -> None:
    """Make an account, link it on both bots as a person would, show what to do, then read the prompt."""
    base_url = await up
    new = await create_account(
        EMAIL, plan=Plan.FREE, monthly_events=None, channels=list(platforms), now=datetime.now(UTC)
    )
    terminal = Terminal(typer.echo, colors=sys.stdout.isatty())
    for name, platform in platforms.items():
        if CHANNELS[name].needs_link:
            await platform.link(await _code(new.account))
    for platform in platforms.values():
        platform.draw_on(terminal)
    typer.echo(WELCOME.format(base_url=base_url, api_key=new.api_key, email=EMAIL, help=HELP))
    if sys.stdin.isatty():
        prompt = Prompt(platforms, terminal=terminal, new_code=lambda: _code(new.account), stop=stop)
        await prompt.run()


async def _code(account: Account) -> str:
    return (await create_link_code(account, datetime.now(UTC))).code


class Prompt:
    """Reads lines from the terminal without holding up the loop. `new_code` makes a link code."""

    def __init__(
        self,
        platforms: Mapping[str, Platform],
        *,
        terminal: Terminal,
        new_code: Callable[[], Awaitable[str]],
        stop: asyncio.Event,
    ) -> None:
        self._platforms = platforms
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
        first, _, rest = line.partition(" ")
        words = rest.strip()
        try:
            if first in self._platforms and words:
                await self._platforms[first].act(words, self._terminal)
            elif first == "refuse" and words in self._platforms:
                self._platforms[words].refuse_next()
                typer.echo(f"The next message to {words} will be refused.")
            elif first == "refuse" and words:
                bots = [name for name in self._platforms if CHANNELS[name].needs_link]
                typer.echo(f"'{words}' is not a platform: try {' or '.join(bots)}.")
            elif line == "code":
                typer.echo(f"Code: {await self._new_code()}")
            elif line in ("quit", "exit"):
                self._stop.set()
            elif line:
                typer.echo(HELP)
        except (ValueError, TimeoutError) as exc:
            typer.echo(str(exc))
