"""Events posted while the daemon is killed again and again: what was accepted, what arrived."""

import asyncio
import json
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from random import Random

import aiohttp

from models import AccountChannel, AttemptOutcome, DeliveryAttempt, Event, Plan
from models.database import migrate, open_database
from pingpilot.accounts import create_account, set_combine
from pingpilot.channels import CHANNELS, DISCORD, EMAIL, TELEGRAM
from pingpilot.sandbox.discord import DiscordMessage
from pingpilot.sandbox.smtp import Mail
from pingpilot.sandbox.telegram import TelegramUser
from pingpilot.sandbox.telegram.model import TelegramMessage
from tests.support.daemon import Daemon, a_daemon
from tests.support.platforms import DISCORD_TOKEN, Platforms, running_platforms
from tests.support.waiting import comes_true

ACCOUNTS = 60
"""So many that the pace of one chat holds nothing up."""
_POSTERS = 8
_LONGEST_DELAY = 0.3  # seconds from the accepted event that calls for a kill to the kill
_ARRIVES_WITHIN = 40.0


@dataclass(frozen=True, slots=True)
class Report:
    """What became of the events; `arrived`, and `interrupted` by a kill while being sent, are by channel."""

    accepted: set[str]
    stored: Counter[str]
    arrived: dict[str, Counter[str]]
    interrupted: dict[str, Counter[str]]

    def lost(self, channel: str) -> set[str]:
        """Return the accepted events that never arrived."""
        return self.accepted - self.arrived[channel].keys()

    def doubled(self, channel: str) -> Counter[str]:
        """Return how many times too often an event arrived."""
        return self.arrived[channel] - Counter(self.arrived[channel].keys())


async def post_among_kills(*, database_url: str, folder: Path, events: int, kills: int, seed: int) -> Report:
    """Post `events` from several clients, each trying until its event is accepted, and kill the daemon
    `kills` times meanwhile; return once everything has arrived, or a while after.
    """
    random = Random(seed)
    async with running_platforms() as platforms:
        platforms.lift_limits()
        arrivals = _Arrivals(platforms)
        keys = await _linked_accounts(database_url, platforms)
        async with a_daemon(platforms.settings, database_url=database_url, folder=folder) as daemon:
            await daemon.start()
            poster = _Poster(daemon, keys, events)
            posting = [asyncio.create_task(poster.run()) for _ in range(_POSTERS)]
            for accepted in sorted(random.sample(range(events - _POSTERS), kills)):
                await comes_true(partial(poster.has, accepted), f"{accepted} events")
                await asyncio.sleep(random.uniform(0, _LONGEST_DELAY))  # any moment, not a chosen one
                await daemon.kill()
                await daemon.start()
            await asyncio.gather(*posting)
            await arrivals.complete(events)
            await daemon.stop()
        return await _report(database_url, poster.accepted, arrivals.counts)


class _Poster:
    """Posts the events one after the other, each until it is accepted."""

    def __init__(self, daemon: Daemon, keys: list[str], events: int) -> None:
        self._daemon = daemon
        self._keys = keys
        self._left = [f"event {number}" for number in reversed(range(events))]
        self.accepted: set[str] = set()

    async def has(self, count: int) -> bool:
        return len(self.accepted) >= count

    async def run(self) -> None:
        """Post until nothing is left; several may run at once."""
        while self._left:
            key = self._keys[len(self._left) % len(self._keys)]
            name = self._left.pop()
            await comes_true(partial(self._is_accepted, name, key), f"{name} to be accepted", timeout=60)
            self.accepted.add(name)

    async def _is_accepted(self, name: str, key: str) -> bool:
        body = {"category": "sale", "description": name}
        try:
            answer = await self._daemon.post(key, body, idempotency_key=name.replace(" ", "-"))
        except (aiohttp.ClientError, OSError):
            return False
        return answer.status == 200


async def _linked_accounts(database_url: str, platforms: Platforms) -> list[str]:
    """Return the keys of new accounts, each with people of its own."""
    await migrate(database_url)
    async with open_database(database_url):
        return [await _linked_account(number, platforms) for number in range(ACCOUNTS)]


async def _linked_account(number: int, platforms: Platforms) -> str:
    now = datetime.now(UTC)
    new = await create_account(
        f"user{number}@example.com", plan=Plan.PRO, monthly_events=None, channels=list(CHANNELS), now=now
    )
    await set_combine(new.account, False)  # each event must be seen to arrive
    dm = await _open_dm(platforms, f"{81384788765712384 + number}")
    person = TelegramUser(7_000_000_000 + number, f"user{number}", "User")
    platforms.telegram.start_chat(person)
    for channel, address in ((DISCORD, dm), (TELEGRAM, str(person.id))):
        await AccountChannel.link(
            new.account.id, channel.name, address=address, user_id=address, username=None, at=now
        )
    return new.api_key


async def _open_dm(platforms: Platforms, user_id: str) -> str:
    headers = {"Authorization": f"Bot {DISCORD_TOKEN}"}
    url = f"{platforms.discord.url}/users/@me/channels"
    async with aiohttp.request("POST", url, json={"recipient_id": user_id}, headers=headers) as response:
        return str((await response.json())["id"])


class _Arrivals:
    """Counts what arrives, by channel and event."""

    def __init__(self, platforms: Platforms) -> None:
        self.counts = {name: Counter[str]() for name in CHANNELS}
        platforms.discord.on_message.append(self._on_discord)
        platforms.telegram.on_message.append(self._on_telegram)
        platforms.mail.on_message.append(self._by_mail)

    async def complete(self, events: int) -> None:
        """Return once so many events have arrived on each channel, or not within a while."""

        async def told() -> bool:
            return all(len(counts) >= events for counts in self.counts.values())

        with suppress(TimeoutError):  # the report tells what is missing
            await comes_true(told, "all events", timeout=_ARRIVES_WITHIN)

    def _on_discord(self, message: DiscordMessage) -> None:
        self.counts[DISCORD.name][_event_in(json.dumps(message.embeds))] += 1

    def _on_telegram(self, message: TelegramMessage) -> None:
        self.counts[TELEGRAM.name][_event_in(message.text)] += 1

    def _by_mail(self, mail: Mail) -> None:
        self.counts[EMAIL.name][_event_in(str(mail.message["Subject"]))] += 1


def _event_in(text: str) -> str:
    """Return the "event 17" in a message."""
    number = text.partition("event ")[2]
    return f"event {''.join(char for char in number[:4] if char.isdigit())}"


async def _report(database_url: str, accepted: set[str], arrived: dict[str, Counter[str]]) -> Report:
    async with open_database(database_url):
        stored = Counter([event.description for event in await Event.all()])
        cut_off = await DeliveryAttempt.filter(outcome=AttemptOutcome.INTERRUPTED).prefetch_related(
            "delivery__event"
        )
    interrupted = {name: Counter[str]() for name in CHANNELS}
    for attempt in cut_off:
        interrupted[attempt.delivery.channel][attempt.delivery.event.description] += 1
    return Report(accepted, stored, arrived, interrupted)
