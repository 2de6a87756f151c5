"""`pingpilot sandbox`: the real daemon against local stand-ins, to try everything without any token.

At its prompt, what a person types becomes what they do on the platforms. Each start begins with an empty
database; the key, the port and the lines typed are kept in the data folder, so that a command copied once
works again.
"""

import asyncio
import json
import logging
import signal
import socket
import sys
import tempfile
from collections.abc import Mapping
from contextlib import AsyncExitStack, aclosing, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import typer

from api.dashboard.assets import content_of
from models import Account, ApiKey, Plan
from models.database import migrate, open_database
from pingpilot.accounts.accounts import create_account
from pingpilot.accounts.keys import key_hash, key_prefix, looks_like_key, new_key
from pingpilot.accounts.linking import create_link_code
from pingpilot.accounts.sign_in import new_sign_in_link
from pingpilot.channels import CHANNELS, load
from pingpilot.cli.prompt import Prompt
from pingpilot.client import AsyncClient
from pingpilot.config import PREFIX, Settings, load_settings
from pingpilot.daemon.daemon import Daemon
from pingpilot.daemon.identity import new_identity
from pingpilot.errors import SettingsError
from pingpilot.listening import listening_socket
from pingpilot.sandbox.person import HELP, Person
from pingpilot.sandbox.platforms import Platform
from pingpilot.sandbox.terminal import Terminal
from pingpilot.sandbox.window import HOST, Window

EMAIL = "you@example.com"
GRACE = timedelta(seconds=1)
EXAMPLE: dict[str, Any] = {
    "category": "sale",
    "description": "Somebody bought a lamp",
    "fields": {"amount": 99.99},
}
CURL = """  curl {base_url}/api/v1/event \\
    -H 'Authorization: Bearer {api_key}' \\
    -d '{example}'
"""

WELCOME = """
PingPilot is up at {base_url}, with stand-ins for Discord, Telegram, a mail server and a webhook.
The account {email} is linked to both bots. Its API key:

  {api_key}

Send an event from another terminal, and watch it arrive below:

{curl}
Discord, Telegram and the mailbox as people see them, with an input line for each:

  {window}

Its dashboard shows what came and what became of it. This link signs a browser in, once, for
10 minutes:

  {dashboard}

{help}
"""

_ASSETS = ("pingpilot.css", "htmx.js", "icon.svg")
_PORTS_TRIED = 50  # those after the one that is taken


@dataclass(frozen=True, slots=True)
class Kept:
    """What stays the same over restarts."""

    api_key: str
    port: int


async def run_sandbox(base: Settings) -> None:
    """Run stand-ins and a daemon of the base settings until a signal or `quit`."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    folder = base.data_dir / "sandbox"
    kept = read_kept(folder / "kept.json")
    port = free_port(base, kept.port if kept else base.http_port)
    if kept is None:
        kept = Kept(new_key(), port)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            keep(folder / "kept.json", kept)
        except OSError as exc:
            problem = exc.strerror or exc
            raise SettingsError(
                f"{folder} can't be written ({problem}): set another {PREFIX}DATA_DIR."
            ) from exc
    async with AsyncExitStack() as stack:
        temporary = stack.enter_context(tempfile.TemporaryDirectory(prefix="pingpilot-sandbox-"))
        platforms: dict[str, Platform] = {
            name: await stack.enter_async_context(load(kind.stand_in)())
            for name, kind in CHANNELS.items()
            if kind.stand_in
        }
        overrides = {name: getattr(base, name) for name in base.model_fields_set}
        overrides |= {"database_url": f"sqlite://{Path(temporary) / 'sandbox.sqlite3'}", "http_port": port}
        overrides |= {"database_direct_url": None}
        settings = load_settings(
            channels={name: platform.settings for name, platform in platforms.items()}, **overrides
        )
        # In this process, unlike a daemon, which would keep the memory: another one takes as long to start
        await migrate(settings.database)
        await stack.enter_async_context(open_database(settings.database))
        up: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        prompt = Prompt(history=folder / "history")
        guide = asyncio.create_task(_guide(platforms, up, stop, kept=kept, prompt=prompt))
        guide.add_done_callback(lambda _guide: stop.set())
        try:
            with new_identity(settings) as identity:
                await Daemon(settings, identity=identity, grace=GRACE).serve(stop, on_up=up.set_result)
        finally:
            if not guide.done():
                guide.cancel()
            await asyncio.wait([guide])
        if not guide.cancelled():
            guide.result()


def read_kept(file: Path) -> Kept | None:
    """Return what an earlier start kept there, None if there was none or somebody spoilt it."""
    try:
        kept = Kept(**json.loads(file.read_text()))
        is_sound = looks_like_key(kept.api_key) and 0 < kept.port <= 65535  # noqa: PLR2004  # no port is above
    except (OSError, ValueError, TypeError):
        return None
    return kept if is_sound else None


def keep(file: Path, kept: Kept) -> None:
    """Write it where `read_kept` finds it, for this user alone."""
    file.touch(mode=0o600)
    file.write_text(json.dumps(asdict(kept)))


def free_port(base: Settings, kept: int) -> int:
    """Return the port to listen on: the one set or kept, else the next that is free, which is said."""
    wanted = base.http_port if "http_port" in base.model_fields_set else kept
    for port in (wanted, *range(wanted + 1, min(wanted + _PORTS_TRIED, 65536)), 0):
        try:
            with listening_socket(base.http_host, port) as listener:
                free = int(listener.getsockname()[1])
        except OSError:
            continue
        if wanted not in (0, free):
            typer.echo(f"Port {wanted} is taken: this sandbox uses {free}.")
        return free
    return wanted  # what is wrong with the address, the daemon says


async def _guide(
    platforms: Mapping[str, Platform],
    up: asyncio.Future[str],
    stop: asyncio.Event,
    *,
    kept: Kept,
    prompt: Prompt,
) -> None:
    """Make an account, link it on both bots as a person would, show what to do, then read the prompt."""
    base_url = await up
    new = await create_account(
        EMAIL,
        plan=Plan.FREE,
        monthly_events=None,
        channels=[name for name in platforms if CHANNELS[name].has_direct],
        now=datetime.now(UTC),
    )
    key = kept.api_key
    await ApiKey.filter(account=new.account).update(prefix=key_prefix(key), hash=key_hash(key))
    terminal = Terminal(prompt.write, colors=sys.stdout.isatty())
    for name, platform in platforms.items():
        if CHANNELS[name].needs_link:
            await platform.link(await _code(new.account, None))
        await platform.add_to(new.account)
    for platform in platforms.values():
        platform.draw_on(terminal)
    new_link = partial(_dashboard, new.account, base_url)
    curl = CURL.format(base_url=base_url, api_key=key, example=json.dumps(EXAMPLE))
    new_code = partial(_code, new.account)
    person = Person(platforms, new_code=new_code, new_link=new_link, curl=curl)
    async with Window(
        _listener_beside(base_url),
        platforms,
        person,
        new_link=new_link,
        send=partial(_send, base_url, key),
        curl=curl.strip(),
        assets={name: content_of(name) for name in _ASSETS},
    ) as window:
        shown = {"base_url": base_url, "api_key": key, "email": EMAIL, "window": window.url}
        typer.echo(WELCOME.format(curl=curl, dashboard=await new_link(), help=HELP, **shown))
        if not sys.stdin.isatty():
            await stop.wait()
            return
        for handler in logging.getLogger().handlers:
            if isinstance(handler, logging.StreamHandler):
                handler.setStream(prompt)
        async with aclosing(prompt.lines()) as lines:
            async for line in lines:
                if line in ("quit", "exit"):
                    break
                if told := await person.do(line):
                    terminal.note(told)


def _listener_beside(base_url: str) -> socket.socket:
    """Listen for the window: on the port behind the API's, or the next that is free."""
    wanted = (urlsplit(base_url).port or 0) + 1
    for port in range(wanted, min(wanted + _PORTS_TRIED, 65536)):
        with suppress(OSError):
            return listening_socket(HOST, port)
    return listening_socket(HOST, 0)


async def _send(base_url: str, key: str) -> None:
    """Send the event of the welcome's command. Raises `ClientError`."""
    async with AsyncClient(base_url, key) as client:
        await client.send("sale", EXAMPLE["description"], fields=EXAMPLE["fields"])


async def _dashboard(account: Account, base_url: str) -> str:
    return (await new_sign_in_link(account, base_url, datetime.now(UTC))).url


async def _code(account: Account, room: str | None) -> str:
    return (await create_link_code(account, datetime.now(UTC), room=room)).code
