"""Telegram and Discord with their real limits, in a process of their own.

    .venv/bin/python -m benchmarks.platforms CHATS

It prints where they are and the chats that the bots may write to, as one line of JSON, and for each line that
it reads another with what has come.
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
from aiohttp import ClientSession

from pingpilot.sandbox.discord import DiscordStandIn
from pingpilot.sandbox.telegram import TelegramStandIn, TelegramUser

FIRST_CHAT = 1001
_TOKENS = {"telegram": "7000000042:AAG-a-token-of-the-telegram-bot-012", "discord": "a-discord-token" * 4}


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
def platforms(chats: int) -> Iterator[Platforms]:
    """Run the platforms, on each of which so many people have a chat with the bot."""
    command = [sys.executable, "-m", "benchmarks.platforms", str(chats)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Platforms(process)
        finally:
            process.terminate()


async def _serve(chats: int) -> None:
    telegram = TelegramStandIn(token=_TOKENS["telegram"])
    discord = DiscordStandIn(token=_TOKENS["discord"])
    received: dict[str, list[tuple[float, str, str]]] = {"telegram": [], "discord": []}
    telegram.on_message.append(
        lambda each: received["telegram"].append((time.monotonic(), str(each.chat_id), each.text))
    )
    discord.on_message.append(
        lambda each: received["discord"].append(
            (time.monotonic(), each.channel_id, str(each.embeds[0]["description"]))
        )
    )
    async with telegram, discord:
        people = range(FIRST_CHAT, FIRST_CHAT + chats)
        for person in people:
            telegram.start_chat(TelegramUser(person, f"user{person}", "User"))
        limit, discord.global_limit = discord.global_limit, None
        headers = {"Authorization": f"Bot {discord.token}"}
        async with ClientSession(headers=headers) as session:
            opened = []
            for person in people:
                body = {"recipient_id": str(person)}
                async with session.post(f"{discord.url}/users/@me/channels", json=body) as answer:
                    opened.append((await answer.json())["id"])
        discord.global_limit = limit
        _say(
            settings={
                "PINGPILOT_TELEGRAM_TOKEN": telegram.token,
                "PINGPILOT_TELEGRAM_API_URL": telegram.url,
                "PINGPILOT_DISCORD_TOKEN": discord.token,
                "PINGPILOT_DISCORD_API_URL": discord.url,
            },
            chats={"telegram": [str(person) for person in people], "discord": opened},
        )
        loop = asyncio.get_running_loop()
        while await loop.run_in_executor(None, sys.stdin.readline):
            stand_ins = {"telegram": telegram, "discord": discord}
            _say(
                **{
                    name: {"messages": received[name], "throttled": stand_ins[name].throttled}
                    for name in received
                }
            )
            for messages in received.values():
                messages.clear()


def _say(**words: object) -> None:
    print(json.dumps(words), flush=True)


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1])))
