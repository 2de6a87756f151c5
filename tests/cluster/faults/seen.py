"""What the platforms have seen, as their process tells it."""

import asyncio
import functools
import json
import operator
import sys
from bisect import bisect_left
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import ClientSession

from pingpilot.sandbox.discord.rest import BASE
from tests.cluster.faults.network import Network, Place
from tests.cluster.faults.platforms import bot_of
from tests.support.daemon import environment
from tests.support.platforms import SMTP_PASSWORD, SMTP_USERNAME

PLACES = ("telegram", "discord", "email", "room")
"""Where events arrive: on each channel, and those of busy accounts in a group on Telegram as well."""
LED = ("telegram", "discord")
"""The channels whose bots one daemon at a time may use."""
REPOSITORY = Path(__file__).parents[3]


@dataclass(frozen=True, slots=True)
class Call:
    """A request with a bot's token: when it came (the machine's monotonic clock), and from which daemon."""

    at: float
    bot: str
    daemon: int
    name: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """A request that a platform did not take, with what it said."""

    at: float
    bot: str
    daemon: int
    name: str
    status: int
    body: str


@dataclass(frozen=True, slots=True)
class Arrival:
    """An event that was shown to somebody. An e-mail, which any may send, has no `bot`, and 0 as `daemon`."""

    at: float
    place: str
    event: int
    daemon: int
    bot: str


@dataclass(frozen=True, slots=True)
class Counts:
    """What platforms would not have clients do: limits exceeded, polls while another one's is open, sessions
    with the gateway while another one's is there, the latter two by bot.
    """

    exceeded: Counter[str]
    polls: Counter[str]
    sessions: Counter[str]

    def __sub__(self, before: "Counts") -> "Counts":
        return Counts(
            self.exceeded - before.exceeded, self.polls - before.polls, self.sessions - before.sessions
        )


class Platforms:
    """The platforms' process and what it has told so far."""

    def __init__(self, hello: Mapping[str, Any], network: Network) -> None:
        self.conversations: list[str] = hello["conversations"]
        self.calls: list[Call] = []
        self.refusals: list[Refusal] = []
        self.arrivals: list[Arrival] = []
        self.arrived: dict[str, Counter[int]] = {place: Counter() for place in PLACES}
        self._ports: Mapping[str, int] = hello["ports"]
        self._tokens: Mapping[str, list[str]] = hello["tokens"]
        self.bots = tuple(bot_of(channel, each) for channel in LED for each in self._tokens[channel])
        """By the names of their leases. Accounts are with those of a channel in turn."""
        self._daemons = {each.platforms: each.number for each in network.places}

    def settings(self, place: Place) -> dict[str, str]:
        """Return the environment of the daemon that lives there."""
        return {
            "PINGPILOT_DISCORD_TOKEN": ",".join(self._tokens["discord"]),
            "PINGPILOT_DISCORD_API_URL": f"http://{place.platforms}:{self._ports['discord']}{BASE}",
            "PINGPILOT_TELEGRAM_TOKEN": ",".join(self._tokens["telegram"]),
            "PINGPILOT_TELEGRAM_API_URL": f"http://{place.platforms}:{self._ports['telegram']}",
            "PINGPILOT_SMTP_HOST": place.platforms,
            "PINGPILOT_SMTP_PORT": str(self._ports["email"]),
            "PINGPILOT_SMTP_SECURITY": "none",
            "PINGPILOT_SMTP_USERNAME": SMTP_USERNAME,
            "PINGPILOT_SMTP_PASSWORD": SMTP_PASSWORD,
            "PINGPILOT_SMTP_FROM": "PingPilot <alerts@example.com>",
        }

    async def counts(self, http: ClientSession) -> "Counts":
        """Return what the platforms have counted themselves."""
        exceeded, polls, sessions = Counter[str](), Counter[str](), Counter[str]()
        for channel in LED:
            async with http.get(f"http://127.0.0.1:{self._ports[channel]}/counts") as answer:
                told = await answer.json()
            for token, counts in zip(self._tokens[channel], [told, *told["others"]], strict=True):
                bot = bot_of(channel, token)
                polls[bot], sessions[bot] = len(counts.get("conflicts", ())), len(counts.get("takeovers", ()))
            of_bots = [Counter(each["exceeded"]) for each in (told, *told["others"])]
            exceeded += functools.reduce(
                operator.or_, of_bots
            )  # the first one counts most of the others', too
        return Counts(exceeded, polls, sessions)

    def first_send(self, bot: str, since: float, *, by: int | None = None) -> float | None:
        """Return when a bot's first message came since then, by one daemon where it is named."""
        found = (
            each.at
            for each in self.arrivals[bisect_left(self.arrivals, since, key=_time_of) :]
            if each.bot == bot and by in (None, each.daemon)
        )
        return next(found, None)

    async def listen(self, output: asyncio.StreamReader) -> None:
        """Take in what the process tells, until it ends."""
        async for line in output:
            told = json.loads(line)
            self._take(told.pop("kind"), told)

    def _take(self, kind: str, told: dict[str, Any]) -> None:
        daemon = self._daemons.get(told.pop("address"), 0)
        if kind == "message":
            arrival = Arrival(daemon=daemon, **told)
            self.arrivals.append(arrival)
            self.arrived[arrival.place][arrival.event] += 1
        elif daemon:  # zero are the preparations
            if kind == "call":
                self.calls.append(Call(daemon=daemon, **told))
            else:
                self.refusals.append(Refusal(daemon=daemon, **told))


def _time_of(arrival: Arrival) -> float:
    return arrival.at


@asynccontextmanager
async def running_platforms(
    network: Network, folder: Path, *, chats: int, rooms: int, bots: int
) -> AsyncIterator[Platforms]:
    """Run the platforms; so many people have a chat with one of the bots, and so many groups have one in."""
    with (folder / "platforms.log").open("w") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.cluster.faults.platforms", *map(str, (chats, rooms, bots))),
            env=environment({}),
            cwd=REPOSITORY,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
        )
    assert process.stdout
    try:
        told: dict[str, Any] = {}
        while told.get("kind") != "hello":
            told = json.loads(await process.stdout.readline())
        platforms = Platforms(told, network)
        listening = asyncio.create_task(platforms.listen(process.stdout), name="hear the platforms")
        yield platforms
        listening.cancel()
    finally:
        process.kill()
        await process.wait()
