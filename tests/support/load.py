"""A daemon under load: several clients post, each until its event is accepted; what arrives is counted."""

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import aiohttp

from pingpilot.channels import DISCORD, EMAIL, TELEGRAM, direct_channels
from pingpilot.sandbox.discord import DiscordMessage
from pingpilot.sandbox.smtp import Mail
from pingpilot.sandbox.telegram.model import TelegramMessage
from tests.support.crowd import linked_accounts
from tests.support.daemon import Daemon, a_daemon
from tests.support.platforms import Platforms, running_platforms
from tests.support.waiting import comes_true, until

POSTERS = 8
_PAUSE = 0.05  # seconds a client waits after a refusal
_ACCEPTED_WITHIN, _ARRIVES_WITHIN = 60.0, 40.0


class Load:
    """What is posted to the daemon, and what arrives. Made by `loaded`."""

    def __init__(self, daemon: Daemon, platforms: Platforms, keys: list[str], events: int) -> None:
        self.daemon = daemon
        self.accepted: set[str] = set()
        self.refused: Counter[tuple[int, str]] = Counter()
        self.arrived = {name: Counter[str]() for name in direct_channels()}
        self._events = events
        self._keys = keys
        self._left = [f"event {number}" for number in reversed(range(events))]
        platforms.discord.on_message.append(self._on_discord)
        platforms.telegram.on_message.append(self._on_telegram)
        platforms.mail.on_message.append(self._by_mail)

    async def wait_for_accepted(self, count: int) -> None:
        """Return once so many events are accepted."""
        await until(lambda: len(self.accepted) >= count, timeout=_ACCEPTED_WITHIN)

    async def wait_for_arrivals(self) -> None:
        """Return once all events have arrived on each channel, or not within a while: a report tells."""
        with suppress(AssertionError):
            await until(
                lambda: all(len(counts) >= self._events for counts in self.arrived.values()),
                timeout=_ARRIVES_WITHIN,
            )

    async def post_all(self) -> None:
        """Post until nothing is left."""
        await asyncio.gather(*(self._post_some() for _ in range(POSTERS)))

    async def _post_some(self) -> None:
        while self._left:
            key = self._keys[len(self._left) % len(self._keys)]
            name = self._left.pop()
            await comes_true(partial(self._post, name, key), f"{name} to be accepted", timeout=60)
            self.accepted.add(name)

    async def _post(self, name: str, key: str) -> bool:
        body = {"category": "sale", "description": name}
        try:
            answer = await self.daemon.post(key, body, idempotency_key=name.replace(" ", "-"))
        except (aiohttp.ClientError, OSError):
            return False
        if answer.status == 200:
            return True
        assert answer.body["message"]
        self.refused[answer.status, answer.body["code"]] += 1
        await asyncio.sleep(_PAUSE)
        return False

    def _on_discord(self, message: DiscordMessage) -> None:
        self.arrived[DISCORD.name][_event_in(json.dumps(message.embeds))] += 1

    def _on_telegram(self, message: TelegramMessage) -> None:
        self.arrived[TELEGRAM.name][_event_in(message.text)] += 1

    def _by_mail(self, mail: Mail) -> None:
        self.arrived[EMAIL.name][_event_in(str(mail.message["Subject"]))] += 1


async def post_meanwhile(
    trouble: Callable[[Load], Awaitable[None]], *, database_url: str, folder: Path, events: int
) -> Load:
    """Post `events` to a daemon while `trouble` comes over it; return once everything has arrived, or a
    while after, with the daemon stopped.
    """
    async with running_platforms() as platforms:
        platforms.lift_limits()
        keys = await linked_accounts(database_url, platforms)
        async with a_daemon(platforms.settings, database_url=database_url, folder=folder) as daemon:
            load = Load(await daemon.start(), platforms, keys, events)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(load.post_all())
                await trouble(load)
            await load.wait_for_arrivals()
            await daemon.stop()
    return load


def _event_in(text: str) -> str:
    """Return the "event 17" in a message."""
    number = text.partition("event ")[2]
    return f"event {''.join(char for char in number[:4] if char.isdigit())}"
