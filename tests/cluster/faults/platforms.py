"""The platforms in a process of their own, with their real limits: they tell each call, and whose it was.

    python -m tests.cluster.faults.platforms CHATS ROOMS

Each line on its standard output is a JSON object: first who is there, then what comes.
"""

import asyncio
import json
import re
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

import uvloop
from aiohttp import ClientSession, web
from aiohttp.typedefs import Handler

from pingpilot.sandbox.discord import DiscordMessage, DiscordStandIn
from pingpilot.sandbox.discord.rest import BASE
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
    platform: str,
    request: web.Request,
    take: Callable[[], Awaitable[web.StreamResponse]],
    *,
    name: str,
    is_message: bool,
) -> web.StreamResponse:
    """Take a call, on ways that last, and tell of it."""
    address = _address(request.host)
    say("call", at=time.monotonic(), platform=platform, address=address, name=name)
    if is_message:
        await asyncio.sleep(ONE_WAY)
    try:
        answer = await take()
    except Refused as refusal:
        about = {"status": refusal.status, "name": name, "body": str(refusal.body)}
        say("refusal", at=time.monotonic(), platform=platform, address=address, **about)
        raise
    if is_message:
        await asyncio.sleep(ONE_WAY)
    return answer


class Telegram(TelegramStandIn):
    """Telegram, telling what comes."""

    async def _take(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        return await _told(
            "telegram",
            request,
            lambda: super(Telegram, self)._take(request, handler),
            name=self._name_of(request),
            is_message=self._accepts_message(request),
        )


class Discord(DiscordStandIn):
    """Discord, telling what comes."""

    async def _take(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        return await _told(
            "discord",
            request,
            lambda: super(Discord, self)._take(request, handler),
            name=self._name_of(request),
            is_message=self._accepts_message(request),
        )


def _address(host: str) -> str:
    """Return the address of what a request names as its host: by it a daemon is known."""
    return host.partition(":")[0]


def _arrived(place: str, text: str, address: str) -> None:
    """Tell of a message that shows an event; the bots say other things, too."""
    if found := _EVENT.search(text):
        say("message", at=time.monotonic(), place=place, event=int(found[1]), address=address)


def _on_telegram(message: TelegramMessage) -> None:
    _arrived("room" if message.chat_id < 0 else "telegram", message.text, _address(message.via))


def _on_discord(message: DiscordMessage) -> None:
    _arrived("discord", json.dumps(message.embeds), _address(message.via))


def _on_mail(mail: Mail) -> None:
    _arrived("email", f"{mail.message['Subject']}.", "")


async def _serve(chats: int, rooms: int) -> None:
    telegram = Telegram(token=TELEGRAM_TOKEN, host=EVERYWHERE)
    discord = Discord(token=DISCORD_TOKEN, host=EVERYWHERE)
    mail = MailStandIn(username=SMTP_USERNAME, password=SMTP_PASSWORD, host=EVERYWHERE)
    telegram.on_message.append(_on_telegram)
    discord.on_message.append(_on_discord)
    mail.on_message.append(_on_mail)
    discord.session_limit.max_concurrency = 1  # as a bot has that is in few servers
    async with telegram, discord, mail:
        people = [TelegramUser(FIRST_CHAT + each, f"user{each}", "User") for each in range(chats)]
        for person in people:
            telegram.start_chat(person)
        for number in range(rooms):
            telegram.rooms.keep(TelegramRoom(FIRST_ROOM - number, "supergroup", "Room"), by=people[number])
        limit, discord.global_limit = discord.global_limit, None
        conversations = await _open_conversations(discord, chats)
        discord.global_limit = limit
        ports = {"telegram": telegram.port, "discord": discord.port, "email": mail.port}
        say("hello", ports=ports, conversations=conversations)
        await asyncio.Event().wait()


async def _open_conversations(discord: DiscordStandIn, count: int) -> list[str]:
    """Return the channels of direct messages with so many people."""
    opened = []
    headers = {"Authorization": f"Bot {discord.token}"}
    url = f"http://127.0.0.1:{discord.port}{BASE}/users/@me/channels"
    async with ClientSession(headers=headers) as session:
        for person in range(FIRST_CHAT, FIRST_CHAT + count):
            async with session.post(url, json={"recipient_id": str(person)}) as answer:
                opened.append(str((await answer.json())["id"]))
    return opened


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        uvloop.run(_serve(int(sys.argv[1]), int(sys.argv[2])))
