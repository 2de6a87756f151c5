"""Telegram and Discord with their real limits, in a process of their own.

    .venv/bin/python -m benchmarks.platforms CHATS BOTS

Each platform has so many bots, with which the chats are in turn. It prints where they are and the chats that
the bots may write to, as one line of JSON, and for each line that it reads another with what has come.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import uvloop

from pingpilot.sandbox.discord import DiscordStandIn, DiscordUser
from pingpilot.sandbox.telegram import TelegramStandIn, TelegramUser

FIRST_CHAT = 1001


@dataclass(frozen=True, slots=True)
class Received:
    """What a platform has taken: when (the machine's monotonic clock, in seconds), where and what."""

    messages: list[tuple[float, str, str]]
    throttled: int


class Platforms:
    """The platforms as a benchmark sees them; `chats` are the addresses by channel."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.pid = process.pid
        self._process = process
        hello = self._line()
        self.settings: Mapping[str, str] = hello["settings"]
        self.chats: Mapping[str, list[str]] = hello["chats"]

    def received(self) -> dict[str, Received]:
        """Return what came since it was asked last, by channel."""
        assert self._process.stdin  # noqa: S101  # for mypy
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        told = self._line()
        return {
            name: Received([(at, chat, text) for at, chat, text in each["messages"]], each["throttled"])
            for name, each in told.items()
        }

    def _line(self) -> Any:
        assert self._process.stdout  # noqa: S101  # for mypy
        return json.loads(self._process.stdout.readline())


@contextmanager
def platforms(chats: int, *, bots: int = 1) -> Iterator[Platforms]:
    """Run the platforms, on each of which so many people have a chat with a bot: with each bot in turn."""
    command = [sys.executable, "-m", "benchmarks.platforms", str(chats), str(bots)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Platforms(process)
        finally:
            process.terminate()


async def _serve(chats: int, bots: int) -> None:
    telegram = [
        TelegramStandIn(token=f"{7_000_000_042 + each}:AAG-a-token-of-the-telegram-bot-012")
        for each in range(bots)
    ]
    discord = [DiscordStandIn(token=f"{'a-discord-token' * 4}-{each}") for each in range(bots)]
    telegram[0].others += telegram[1:]
    discord[0].others += discord[1:]
    received: dict[str, list[tuple[float, str, str]]] = {"telegram": [], "discord": []}
    for on_telegram, on_discord in zip(telegram, discord, strict=True):
        on_telegram.on_message.append(
            lambda each: received["telegram"].append((time.monotonic(), str(each.chat_id), each.text))
        )
        on_discord.on_message.append(
            lambda each: received["discord"].append(
                (time.monotonic(), each.channel_id, str(each.embeds[0]["description"]))
            )
        )
    async with telegram[0], discord[0]:
        people = range(FIRST_CHAT, FIRST_CHAT + chats)
        opened = []
        for number, person in enumerate(people):
            telegram[number % bots].start_chat(TelegramUser(person, f"user{person}", "User"))
            opened.append(discord[number % bots].start_chat(DiscordUser(str(person), f"user{person}")))
        _say(
            settings={
                "PINGPILOT_TELEGRAM_TOKEN": ",".join(each.token for each in telegram),
                "PINGPILOT_TELEGRAM_API_URL": telegram[0].url,
                "PINGPILOT_DISCORD_TOKEN": ",".join(each.token for each in discord),
                "PINGPILOT_DISCORD_API_URL": discord[0].url,
            },
            chats={"telegram": [str(person) for person in people], "discord": opened},
        )
        loop = asyncio.get_running_loop()
        while await loop.run_in_executor(None, sys.stdin.readline):
            first = {"telegram": telegram[0], "discord": discord[0]}  # which counts for all
            _say(
                **{
                    name: {"messages": received[name], "throttled": first[name].throttled}
                    for name in received
                }
            )
            for messages in received.values():
                messages.clear()


def _say(**words: object) -> None:
    print(json.dumps(words), flush=True)


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1]), int(sys.argv[2])))
