"""The platforms in a process of their own, with their real limits: they tell each call, and whose it was.

    python -m tests.cluster.faults.platforms CHATS ROOMS BOTS

Each platform has so many bots, with which the chats are in turn. Each line on its standard output is a JSON
object: first who is there, then what comes.
"""

import asyncio
import functools
import json
import re
import sys
import time
from base64 import b64decode, b64encode
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial

import uvloop
from aiohttp import web
from aiohttp.typedefs import Handler
from pydantic import SecretStr

from pingpilot.channels import DISCORD, TELEGRAM
from pingpilot.config import load_settings
from pingpilot.sandbox.discord import DiscordMessage, DiscordStandIn, DiscordUser
from pingpilot.sandbox.server import Refused
from pingpilot.sandbox.smtp import Mail, MailStandIn
from pingpilot.sandbox.telegram import TelegramStandIn, TelegramUser
from pingpilot.sandbox.telegram.model import TelegramMessage
from pingpilot.sandbox.telegram.rooms import TelegramRoom
from tests.support.platforms import DISCORD_TOKEN, SMTP_PASSWORD, SMTP_USERNAME, TELEGRAM_TOKEN

EVERYWHERE = "0.0.0.0"  # noqa: S104  # each daemon finds them at an address of its own, by which it is known
FIRST_CHAT = 1001
FIRST_ROOM = -1_001_000_000_001
"""Rooms count down from here."""
ONE_WAY = 0.06
"""Seconds that a message takes to its platform, and its answer back: a fault cuts off what is under way."""
_EVENT = re.compile(r"event (\d+)\.")


def say(kind: str, **words: object) -> None:
    """Write one line for whoever started this process."""
    sys.stdout.write(json.dumps({"kind": kind, **words}) + "\n")
    sys.stdout.flush()


async def _told(
    bot: str,
    request: web.Request,
    take: Callable[[], Awaitable[web.StreamResponse]],
    *,
    name: str,
    is_message: bool,
) -> web.StreamResponse:
    """Take a bot's call, on ways that last, and tell of it."""
    address = _address(request.host)
    say("call", at=time.monotonic(), bot=bot, address=address, name=name)
    if is_message:
        await asyncio.sleep(ONE_WAY)
    try:
        answer = await take()
    except Refused as refusal:
        about = {"status": refusal.status, "name": name, "body": str(refusal.body)}
        say("refusal", at=time.monotonic(), bot=bot, address=address, **about)
        raise
    if is_message:
        await asyncio.sleep(ONE_WAY)
    return answer


class Telegram(TelegramStandIn):
    """Telegram, telling what comes."""

    async def _take(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        return await _told(
            bot_of(TELEGRAM.name, request.match_info.get("token", "")),
            request,
            lambda: super(Telegram, self)._take(request, handler),
            name=self._name_of(request),
            is_message=self._accepts_message(request),
        )


class Discord(DiscordStandIn):
    """Discord, telling what comes."""

    async def _take(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        token = request.headers.get("Authorization", "").removeprefix("Bot ")
        if not token:  # where the gateway is, anybody may ask
            return await super()._take(request, handler)
        return await _told(
            bot_of(DISCORD.name, token),
            request,
            lambda: super(Discord, self)._take(request, handler),
            name=self._name_of(request),
            is_message=self._accepts_message(request),
        )


def _address(host: str) -> str:
    """Return the address of what a request names as its host: by it a daemon is known."""
    return host.partition(":")[0]


@functools.cache
def bot_of(channel: str, token: str) -> str:
    """Return the name of a token's bot, by which its lease is known; a channel's name where there is none."""
    settings = load_settings().channels[channel]
    return settings.model_copy(update={"token": SecretStr(token)}).bot or channel


def _arrived(place: str, text: str, address: str, bot: str) -> None:
    """Tell of a message that shows an event; the bots say other things, too."""
    if found := _EVENT.search(text):
        say("message", at=time.monotonic(), place=place, event=int(found[1]), address=address, bot=bot)


def _on_telegram(bot: str, message: TelegramMessage) -> None:
    _arrived("room" if message.chat_id < 0 else "telegram", message.text, _address(message.via), bot)


def _on_discord(bot: str, message: DiscordMessage) -> None:
    _arrived("discord", json.dumps(message.embeds), _address(message.via), bot)


def _on_mail(mail: Mail) -> None:
    _arrived("email", f"{mail.message['Subject']}.", "", "")


async def _serve(chats: int, rooms: int, bots: int) -> None:
    telegram = [Telegram(token=each, host=EVERYWHERE) for each in _tokens(TELEGRAM.name, bots)]
    discord = [Discord(token=each, host=EVERYWHERE) for each in _tokens(DISCORD.name, bots)]
    telegram[0].others += telegram[1:]
    discord[0].others += discord[1:]
    mail = MailStandIn(username=SMTP_USERNAME, password=SMTP_PASSWORD, host=EVERYWHERE)
    for on_telegram, on_discord in zip(telegram, discord, strict=True):
        on_telegram.on_message.append(partial(_on_telegram, bot_of(TELEGRAM.name, on_telegram.token)))
        on_discord.on_message.append(partial(_on_discord, bot_of(DISCORD.name, on_discord.token)))
        on_discord.session_limit.max_concurrency = 1  # as a bot has that is in few servers
    mail.on_message.append(_on_mail)
    async with telegram[0], discord[0], mail:
        people = [TelegramUser(FIRST_CHAT + each, f"user{each}", "User") for each in range(chats)]
        for number, person in enumerate(people):
            telegram[number % bots].start_chat(person)
        for number in range(rooms):
            room = TelegramRoom(FIRST_ROOM - number, "supergroup", "Room")
            telegram[number % bots].rooms.keep(room, by=people[number])
        conversations = [
            discord[number % bots].start_chat(DiscordUser(str(person.id), person.username or ""))
            for number, person in enumerate(people)
        ]
        say(
            "hello",
            ports={"telegram": telegram[0].port, "discord": discord[0].port, "email": mail.port},
            conversations=conversations,
            tokens={
                TELEGRAM.name: [each.token for each in telegram],
                DISCORD.name: [each.token for each in discord],
            },
        )
        await asyncio.Event().wait()


def _tokens(channel: str, count: int) -> list[str]:
    """Return the tokens of so many bots, whose ids differ."""
    if channel == TELEGRAM.name:
        number, _, secret = TELEGRAM_TOKEN.partition(":")
        return [f"{int(number) + each}:{secret}" for each in range(count)]
    first, _, secret = DISCORD_TOKEN.partition(".")
    number = b64decode(first + "==").decode()
    ids = [b64encode(f"{int(number) + each}".encode()).decode().rstrip("=") for each in range(count)]
    return [f"{each}.{secret}" for each in ids]


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        uvloop.run(_serve(*map(int, sys.argv[1:])))
