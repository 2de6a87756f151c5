"""Dwell: how long an event takes from its POST to the platform that it is for.

    .venv/bin/python -m benchmarks.dwell [ROUNDS]

Dwell is the time from the first byte of a `POST /api/v1/event` being sent to the platform's stand-in having
read the whole message: a Bot API or Discord request with its body, an e-mail to the dot at its end. The
event's commit, synced to the disk, is part of it. The daemon is a real `pingpilot run` on SQLite; the
stand-ins are those of the sandbox, without their limits, in a process of their own that stamps what it gets
with the machine's monotonic clock, which is the same for all processes.

Each round measures, one after the other:

- single events, far apart: one that goes to all three channels at once, and one to each channel alone: each
  channel's figure is the latter, and the former is told beside it;
- what the same library needs alone, without PingPilot, from its call to the stand-in's stamp, and what a bare
  synced commit needs: the floor;
- 100 events/s over 100 accounts, one a second each as Telegram's limit for a chat has it. Telegram's limit
  for a bot is 30/s and Discord's 50/s, so 20 accounts have Telegram, 30 Discord and 50 e-mail.
"""

import asyncio
import json
import random
import re
import sqlite3
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import aiosmtplib
import discord
from aiosmtpd.smtp import Envelope
from telegram import Bot

from benchmarks import processes
from benchmarks.figures import Figure
from models import Plan
from models.database import migrate, open_database
from pingpilot.accounts.accounts import create_account
from pingpilot.accounts.categories import CategoryChanges, create_category
from pingpilot.channels import CHANNELS, DISCORD, EMAIL, TELEGRAM, direct_channels
from pingpilot.clock import SystemClock
from pingpilot.sandbox.discord import DiscordStandIn
from pingpilot.sandbox.smtp import MailStandIn
from pingpilot.sandbox.telegram import TelegramStandIn, TelegramUser
from tests.support.accounts import link_chat
from tests.support.platforms import (
    DISCORD_TOKEN,
    SMTP_PASSWORD,
    SMTP_USERNAME,
    TELEGRAM_TOKEN,
    Platforms,
)

IDLE_TARGET, LOADED_TARGET = 5.0, 40.0
"""Milliseconds: the median of single events, and 95 of 100 at `RATE`."""
ACCOUNTS = 100
RATE = 100
"""Events a second over all accounts."""
SHARES = {TELEGRAM.name: 20, DISCORD.name: 30, EMAIL.name: 50}
"""How many of the accounts have their events of the loaded part go to which channel."""
TO_ALL, ALONE, FLOOR, LOADED_SECONDS = 60, 20, 40, 6
"""Events of each part of a round, and the loaded part's seconds."""
_APART = 0.08  # seconds between single events, and up to half of it more
_ALL = "all"
_MARK = re.compile(rb"dwell-(\d+)-")
_ARRIVES_WITHIN = 20.0


def measure(*, rounds: int = 5) -> list[Figure]:
    """Return the figures of each channel: idle, and under load."""
    return asyncio.run(_measure(rounds))


async def _measure(rounds: int) -> list[Figure]:
    idle, alone = defaultdict[str, list[float]](list), defaultdict[str, list[float]](list)
    floor, loaded = defaultdict[str, list[float]](list), defaultdict[str, list[float]](list)
    loaded_p50 = defaultdict[str, list[float]](list)
    commits = list[float]()
    with tempfile.TemporaryDirectory() as folder:
        async with _stand_ins() as arrivals:
            variables = processes.environment(Path(folder) / "bench.sqlite3") | arrivals.settings
            keys = await _accounts(variables["PINGPILOT_DATABASE_URL"], arrivals.chats)
            with processes.daemon(variables) as url:
                async with _client(url) as client, _libraries(arrivals) as libraries:
                    await _single(client, arrivals, keys[:10], [_ALL])  # connects to everything
                    for _ in range(rounds):
                        got = await _single(client, arrivals, keys[:TO_ALL], [_ALL])
                        for name, times in got.items():
                            idle[name].append(statistics.median(times))
                        got = await _single(client, arrivals, keys[-ALONE:], direct_channels())
                        for name, times in got.items():
                            alone[name].append(statistics.median(times))
                        for name, send in libraries.items():
                            floor[name].append(statistics.median(await _floor(arrivals, name, send)))
                        commits.append(_commit(Path(folder)))
                        for name, times in (await _loaded(client, arrivals, keys)).items():
                            loaded[name].append(_percentile(times, 95))
                            loaded_p50[name].append(statistics.median(times))
    commit = statistics.median(commits)
    figures = []
    parts = (
        ("Dwell of a single event", alone, "the rest is the way through the daemon"),
        ("Dwell of an event to all three", idle, "the rest is mostly the work on the other two messages"),
    )
    for what, times_of, rest in parts:
        for name in direct_channels():
            bare = statistics.median(floor[name])
            figures.append(
                Figure(
                    name=f"{what}, {CHANNELS[name].label}",
                    unit="ms (p50)",
                    rounds=tuple(times_of[name]),
                    target=IDLE_TARGET,
                    less_is_better=True,
                    bound=f"A bare synced commit ({commit:.1f} ms) and the library alone ({bare:.1f} ms) "
                    f"make {commit + bare:.1f} ms; {rest}.",
                    details={
                        "ms of the library alone, p50": bare,
                        "ms of a bare synced commit, p50": commit,
                    },
                )
            )
    for name in direct_channels():
        bound = f"{SHARES[name]} of the {RATE} go there; daemon, stand-ins and client share the processors."
        figures.append(
            Figure(
                name=f"Dwell at {RATE} events/s, {CHANNELS[name].label}",
                unit="ms (p95)",
                rounds=tuple(loaded[name]),
                target=LOADED_TARGET,
                less_is_better=True,
                bound=bound,
                details={"ms, p50": statistics.median(loaded_p50[name])},
            )
        )
    return figures


@dataclass
class _Arrivals:
    """When the stand-ins read which message: stamps in nanoseconds by the message's number."""

    settings: dict[str, str]
    chats: dict[str, list[str]]
    stamps: dict[tuple[str, int], int] = field(default_factory=dict)
    is_more: asyncio.Event = field(default_factory=asyncio.Event)
    sent: dict[int, int] = field(default_factory=dict)

    def next_text(self) -> tuple[int, str]:
        """Return the number and the description of a message that is about to be sent."""
        number = len(self.sent)
        self.sent[number] = 0
        return number, f"dwell-{number}- Somebody bought a lamp"

    async def read(self, output: asyncio.StreamReader) -> None:
        """Take down what the stand-ins' process prints, to its end."""
        while line := await output.readline():
            name, number, stamp = line.split()
            self.stamps.setdefault((name.decode(), int(number)), int(stamp))
            self.is_more.set()

    async def times(self, expected: Iterable[tuple[str, int]]) -> dict[str, list[float]]:
        """Return the milliseconds of these messages by channel, once all have arrived."""
        expected = list(expected)
        async with asyncio.timeout(_ARRIVES_WITHIN):
            while not all(each in self.stamps for each in expected):
                self.is_more.clear()
                await self.is_more.wait()
        found = defaultdict[str, list[float]](list)
        for name, number in expected:
            found[name].append((self.stamps[name, number] - self.sent[number]) / 1e6)
        return found


async def _single(
    client: "_Client", arrivals: _Arrivals, keys: Sequence[str], categories: Iterable[str]
) -> dict[str, list[float]]:
    """Post one event an account and category, each after the one before has arrived and some idleness."""
    found = defaultdict[str, list[float]](list)
    for key in keys:
        for category in categories:
            names = direct_channels() if category == _ALL else [category]
            number = await client.post(key, category, arrivals)
            for name, times in (await arrivals.times((name, number) for name in names)).items():
                found[name] += times
            await asyncio.sleep(_APART * random.uniform(1, 1.5))  # noqa: S311  # not in step with any timer
    return found


async def _floor(arrivals: _Arrivals, name: str, send: Callable[[str], Awaitable[Any]]) -> list[float]:
    found = []
    for _ in range(FLOOR):
        number, text = arrivals.next_text()
        arrivals.sent[number] = time.monotonic_ns()
        await send(text)
        found += (await arrivals.times([(name, number)]))[name]
        await asyncio.sleep(0.01)
    return found


def _commit(folder: Path) -> float:
    """Return the milliseconds of a row's commit, synced, on the same disk and without anything else."""
    times = []
    with closing(sqlite3.connect(folder / "bare.sqlite3", isolation_level=None)) as bare:
        bare.execute("PRAGMA journal_mode = WAL")
        bare.execute("PRAGMA synchronous = FULL")
        bare.execute("CREATE TABLE IF NOT EXISTS events (id INTEGER PRIMARY KEY, text TEXT)")
        for _ in range(FLOOR):
            began = time.perf_counter()
            bare.execute("INSERT INTO events (text) VALUES (?)", ["Somebody bought a lamp" * 20])
            times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times)


async def _loaded(client: "_Client", arrivals: _Arrivals, keys: Sequence[str]) -> dict[str, list[float]]:
    """Post at `RATE`, whatever becomes of it; each account's own events a second apart."""
    names = [name for name, share in SHARES.items() for _ in range(share)]
    turns = list(zip(keys, names, strict=True))
    random.Random(7).shuffle(turns)  # noqa: S311  # the same in each round
    loop = asyncio.get_running_loop()
    began, posts = loop.time(), []
    for place in range(RATE * LOADED_SECONDS):
        await asyncio.sleep(began + place / RATE - loop.time())
        key, name = turns[place % ACCOUNTS]
        posts.append((name, asyncio.create_task(client.post(key, name, arrivals))))
    expected = [(name, await post) for name, post in posts]
    found = await arrivals.times(expected)
    await asyncio.sleep(1)  # for the limits of the next part
    return found


class _Client:
    """Posts over kept-open connections, with as little of its own time as can be."""

    def __init__(self, host: str, port: int) -> None:
        self._place = host, port
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def post(self, key: str, category: str, arrivals: _Arrivals) -> int:
        """Post an event; return its number once it is accepted."""
        number, text = arrivals.next_text()
        body = json.dumps({"category": category, "description": text, "fields": {"amount": 99.99}}).encode()
        head = (
            f"POST /api/v1/event HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        reader, writer = self._idle.pop() if self._idle else await asyncio.open_connection(*self._place)
        arrivals.sent[number] = time.monotonic_ns()
        writer.write(head.encode() + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", answer)
        text = (await reader.readexactly(int(length[1]))).decode() if length else ""
        if not answer.startswith(b"HTTP/1.1 200"):
            sys.exit(f"An event was not accepted: {answer.decode()}{text}")
        self._idle.append((reader, writer))
        return number

    def close(self) -> None:
        for _, writer in self._idle:
            writer.close()


@asynccontextmanager
async def _client(url: str) -> AsyncIterator[_Client]:
    client = _Client("127.0.0.1", int(url.rsplit(":", 1)[1]))
    yield client
    client.close()


@asynccontextmanager
async def _libraries(arrivals: _Arrivals) -> AsyncIterator[dict[str, Callable[[str], Awaitable[Any]]]]:
    """What sends a text by each library as it is, over a connection that is open; by channel."""
    chats, settings = arrivals.chats, arrivals.settings
    discord.http.Route.BASE = settings["PINGPILOT_DISCORD_API_URL"]
    async with AsyncExitStack() as stack:
        bot = Bot(TELEGRAM_TOKEN, base_url=f"{settings['PINGPILOT_TELEGRAM_API_URL']}/bot")
        await stack.enter_async_context(bot)
        client = await stack.enter_async_context(discord.Client(intents=discord.Intents.none()))
        await client.login(DISCORD_TOKEN)
        dm = client.get_partial_messageable(int(chats[DISCORD.name][0]))
        host, port = settings["PINGPILOT_SMTP_HOST"], int(settings["PINGPILOT_SMTP_PORT"])
        smtp = aiosmtplib.SMTP(
            hostname=host, port=port, start_tls=False, username=SMTP_USERNAME, password=SMTP_PASSWORD
        )
        await stack.enter_async_context(smtp)
        yield {
            DISCORD.name: lambda text: dm.send(embed=discord.Embed(description=text)),
            TELEGRAM.name: lambda text: bot.send_message(int(chats[TELEGRAM.name][0]), text),
            EMAIL.name: lambda text: smtp.sendmail(
                "alerts@example.com", ["ada@example.com"], f"Subject: {text}\r\n\r\n{text}\r\n".encode()
            ),
        }


async def _accounts(url: str, chats: dict[str, list[str]]) -> list[str]:
    """Make the accounts, with all channels and a category for each; return their keys."""
    clock, keys = SystemClock(), []
    await migrate(url)
    async with open_database(url):
        for number in range(ACCOUNTS):
            new = await create_account(
                f"account-{number}@example.com",
                plan=Plan.ENTERPRISE,
                monthly_events=None,
                channels=direct_channels(),
                now=clock.now(),
            )
            for name in (TELEGRAM.name, DISCORD.name):
                await link_chat(new.account, name, clock, chats[name][number])
            for name, channels in ((_ALL, None), *((each, [each]) for each in direct_channels())):
                looks = CategoryChanges(color="#2ECC71", channels=channels)
                await create_category(new.account, name, looks, clock.now())
            keys.append(new.api_key)
    return keys


@asynccontextmanager
async def _stand_ins() -> AsyncIterator[_Arrivals]:
    """Run the stand-ins in a process of their own; what they get is taken down."""
    command = [sys.executable, "-m", "benchmarks.dwell", "stand-ins"]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
    assert process.stdin is not None and process.stdout is not None  # noqa: S101, PT018  # for mypy
    told = json.loads(await process.stdout.readline())
    arrivals = _Arrivals(told["settings"], told["chats"])
    reading = asyncio.create_task(arrivals.read(process.stdout))
    try:
        yield arrivals
    finally:
        process.stdin.close()  # at which it ends
        await process.wait()
        await reading


async def _stand_in() -> None:
    """Play the platforms until standard input ends; print each message's channel, number and time."""

    def note(name: str, content: bytes) -> None:
        stamp = time.monotonic_ns()
        if found := _MARK.search(content):
            sys.stdout.write(f"{name} {int(found[1])} {stamp}\n")
            sys.stdout.flush()

    class Mailbox(MailStandIn):
        def take(self, envelope: Envelope) -> None:
            note(EMAIL.name, envelope.original_content or b"")  # nothing is parsed

    async with (
        DiscordStandIn(token=DISCORD_TOKEN) as on_discord,
        TelegramStandIn(token=TELEGRAM_TOKEN) as on_telegram,
        Mailbox(username=SMTP_USERNAME, password=SMTP_PASSWORD) as mailbox,
    ):
        platforms = Platforms(on_discord, on_telegram, mailbox)
        platforms.lift_limits()
        on_discord.on_message.append(
            lambda message: note(DISCORD.name, str(message.embeds[0]["description"]).encode())
        )
        on_telegram.on_message.append(lambda message: note(TELEGRAM.name, message.text.encode()))
        chats = defaultdict[str, list[str]](list)
        for number in range(1, ACCOUNTS + 1):
            chats[DISCORD.name].append(await _open_dm(on_discord.url, str(10**17 + number)))
            on_telegram.start_chat(TelegramUser(number, f"person{number}", f"Person {number}"))
            chats[TELEGRAM.name].append(str(number))
        print(json.dumps({"settings": platforms.settings, "chats": chats}), flush=True)
        await asyncio.to_thread(sys.stdin.read)


async def _open_dm(url: str, user_id: str) -> str:
    headers, body = {"Authorization": f"Bot {DISCORD_TOKEN}"}, {"recipient_id": user_id}
    async with aiohttp.request("POST", f"{url}/users/@me/channels", json=body, headers=headers) as answer:
        return str((await answer.json())["id"])


def _percentile(times: Sequence[float], percent: int) -> float:
    return sorted(times)[min(len(times) - 1, len(times) * percent // 100)]


def main() -> None:
    if sys.argv[1:] == ["stand-ins"]:
        asyncio.run(_stand_in())
        return
    for figure in measure(rounds=int((*sys.argv[1:], "5")[0])):
        details = "".join(f", {name} {value:.1f}" for name, value in figure.details.items())
        print(
            f"{figure.name}: {figure.value:.1f} {figure.unit} (target {figure.target:.0f}){details}; rounds "
            + " ".join(f"{each:.1f}" for each in figure.rounds)
        )


if __name__ == "__main__":
    main()
