"""The platforms as the sandbox plays them: a stand-in, its settings, and one person who uses it."""

import secrets
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Generic, Protocol, Self, TypeVar

from models import Account, Destination, DestinationKind
from pingpilot.accounts.webhooks import new_webhook_secret
from pingpilot.channels import WEBHOOK
from pingpilot.sandbox.discord import DiscordMessage, DiscordStandIn, DiscordUser, InteractionReply
from pingpilot.sandbox.faults import Fault
from pingpilot.sandbox.own_rooms import DiscordChannels, TelegramRooms
from pingpilot.sandbox.smtp import Mail, MailStandIn
from pingpilot.sandbox.telegram import TelegramMessage, TelegramStandIn, TelegramUser
from pingpilot.sandbox.terminal import discord_buttons, telegram_buttons
from pingpilot.sandbox.webhook import WebhookMessage, WebhookStandIn

_PRESS, _IN = "press ", "#"


class Platform(Protocol):
    """One channel's platform in the sandbox; running between entering and leaving it.

    A channel's record names a class of these, which is made without arguments.
    """

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *_exc: object) -> None: ...

    @property
    def settings(self) -> Mapping[str, Any]:
        """The channel's own settings that point a daemon here, by the names of their fields."""

    async def link(self, code: str) -> None:
        """Link the person's chat with a code, once the bot is there; nothing where no link is needed."""

    async def add_to(self, account: Account) -> None:
        """Add a destination here to the account; nothing where it has a direct one."""

    @property
    def rooms(self) -> list[str]:
        """The rooms that the person has made, by their names."""

    def draw_on(self, screen: "Screen") -> None:
        """Have what has arrived and what will arrive drawn, and what the person says from now on."""

    async def act(self, words: str) -> str:
        """Do as the person what was typed after the platform's name: say something, press a button, add the
        bot to a room and write there. Return what there is to tell of it, if anything.

        Raises `ValueError` with a sentence where that can't be done here.
        """

    async def press(self, message: str, action: str) -> str:
        """Press a button of a message, by their ids; return and raise as `act`."""

    def refuse_next(self) -> None:
        """Refuse the next message for good. Raises `ValueError` where it can't."""


class Screen(Protocol):
    """What people look at: it draws what arrives, each platform's in its own way.

    `place` is the room where it came, None for the person's own conversation with the bot.
    """

    def said(self, text: str, place: str | None = None) -> None: ...

    def discord(self, message: DiscordMessage, place: str | None = None) -> None: ...

    def discord_reply(self, reply: InteractionReply, place: str | None = None) -> None: ...

    def telegram(self, message: TelegramMessage, place: str | None = None) -> None: ...

    def mail(self, mail: Mail) -> None: ...

    def webhook(self, message: WebhookMessage) -> None: ...


class _Startable(Protocol):
    async def start(self) -> None: ...

    async def stop(self) -> None: ...


StandIn = TypeVar("StandIn", bound=_Startable)


class _Played(Generic[StandIn]):
    """Base of them all: what runs between entering and leaving is the stand-in."""

    def __init__(self, stand_in: StandIn) -> None:
        self._stand_in = stand_in
        self._screens: list[Screen] = []

    async def __aenter__(self) -> Self:
        await self._stand_in.start()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self._stand_in.stop()

    async def add_to(self, account: Account) -> None:
        """The account has a direct destination here."""

    @property
    def rooms(self) -> list[str]:
        return []

    async def press(self, message: str, action: str) -> str:
        raise ValueError("There are no buttons here.")

    def _say(self, text: str, place: str | None = None) -> None:
        for screen in self._screens:
            screen.said(text, place)


class DiscordInSandbox(_Played[DiscordStandIn]):
    """Discord and a person who talks to the bot there, and has a server with it."""

    _person = DiscordUser(id="80351110224678912", name="you")

    def __init__(self) -> None:
        super().__init__(DiscordStandIn(token=secrets.token_urlsafe(40)))
        self._channels = DiscordChannels(self._stand_in, self._person)

    @property
    def settings(self) -> Mapping[str, Any]:
        return {"token": self._stand_in.token, "api_url": self._stand_in.url}

    async def link(self, code: str) -> None:
        await self._stand_in.wait_connected()
        await self._stand_in.command(self._person, f"/link {code}")

    @property
    def rooms(self) -> list[str]:
        return self._channels.names

    def draw_on(self, screen: Screen) -> None:
        def draw(message: DiscordMessage) -> None:
            screen.discord(message, self._channels.place_of(message.channel_id))

        def draw_reply(reply: InteractionReply) -> None:
            screen.discord_reply(reply, self._channels.place_of(reply.channel_id))

        self._screens.append(screen)
        for message in self._stand_in.messages:
            draw(message)
        self._stand_in.on_message.append(draw)
        self._stand_in.on_reply.append(draw_reply)

    async def act(self, words: str) -> str:
        first, _, rest = words.partition(" ")
        if first == "add":
            return await self._channels.add(rest.strip())
        if first == "remove":
            return await self._channels.remove(_name(rest))
        if words.startswith(_PRESS):
            latest = self._stand_in.replies[-1:]
            button = _button(discord_buttons(latest[0]) if latest else {}, words)
            await self._stand_in.press(self._person, button)
        elif words.startswith(_IN):
            channel = self._channels.found(_name(first))
            self._say(rest.strip(), f"#{channel.name}")
            await self._stand_in.command(self._person, rest.strip(), where=channel)
        else:
            self._say(words)
            await self._stand_in.command(self._person, words)
        return ""

    async def press(self, message: str, action: str) -> str:
        replies = (each for each in reversed(self._stand_in.replies) if each.message_id == message)
        channel = next((self._channels.with_id(each.channel_id) for each in replies), None)
        await self._stand_in.press(self._person, action, on=message, where=channel or "dm")
        return ""

    def refuse_next(self) -> None:
        self._stand_in.faults.add(Fault.error(400, "Invalid Form Body", code=50035), route="POST channels/")


class TelegramInSandbox(_Played[TelegramStandIn]):
    """Telegram and a person who talks to the bot there, and lets it into groups and channels."""

    _person = TelegramUser(id=5_550_001_111, username="you", first_name="You")

    def __init__(self) -> None:
        token = f"{secrets.randbelow(10**10):010}:{secrets.token_urlsafe(26)}"
        super().__init__(TelegramStandIn(token=token))
        self._rooms = TelegramRooms(self._stand_in, self._person)

    @property
    def settings(self) -> Mapping[str, Any]:
        return {"token": self._stand_in.token, "api_url": self._stand_in.url}

    async def link(self, code: str) -> None:
        await self._stand_in.wait_listening()
        await self._stand_in.say(self._person, f"/link {code}")

    @property
    def rooms(self) -> list[str]:
        return self._rooms.names

    def draw_on(self, screen: Screen) -> None:
        def draw(message: TelegramMessage) -> None:
            screen.telegram(message, self._rooms.place_of(message))

        self._screens.append(screen)
        for message in self._stand_in.messages:
            draw(message)
        self._stand_in.on_message.append(draw)
        self._stand_in.on_edit.append(draw)

    async def act(self, words: str) -> str:
        first, _, rest = words.partition(" ")
        if first == "add":
            return self._rooms.add(rest.strip())
        if first == "remove":
            return self._rooms.remove(_name(rest))
        if words.startswith(_PRESS):
            messages = reversed(self._stand_in.messages)
            message = next((each for each in messages if telegram_buttons(each)), None)
            button = _button(telegram_buttons(message) if message else {}, words)
            return await self._press(message, button) if message else ""
        if words.startswith(_IN):
            self._say(rest.strip(), first)
            await self._rooms.write(_name(first), rest.strip())
        else:
            self._say(words)
            await self._stand_in.say(self._person, words)
        return ""

    async def press(self, message: str, action: str) -> str:
        for each in self._stand_in.messages:
            if f"{each.chat_id}.{each.message_id}" == message:
                return await self._press(each, action)
        raise ValueError("That message is gone.")

    async def _press(self, message: TelegramMessage, action: str) -> str:
        """Press a button; return what Telegram shows of it for a moment, where the chat stays as it is."""
        if await self._stand_in.press(self._person, action, message):
            return ""
        return self._stand_in.answers[-1].text or ""

    def refuse_next(self) -> None:
        refusal = Fault.error(400, "Bad Request: refused by the sandbox")
        self._stand_in.faults.add(refusal, route="sendMessage")


class MailInSandbox(_Played[MailStandIn]):
    """A mail server, and a mailbox that is only read."""

    def __init__(self) -> None:
        super().__init__(MailStandIn())

    @property
    def settings(self) -> Mapping[str, Any]:
        return {
            "host": self._stand_in.host,
            "port": self._stand_in.port,
            "security": "none",
            "username": None,
            "password": None,
            "sender": "PingPilot <pingpilot@example.com>",
        }

    async def link(self, code: str) -> None:
        """Mail goes to the account's address."""

    def draw_on(self, screen: Screen) -> None:
        for mail in self._stand_in.mails:
            screen.mail(mail)
        self._stand_in.on_message.append(screen.mail)

    async def act(self, words: str) -> str:
        raise ValueError("Nobody answers mail here: talk to a bot, on Discord or Telegram.")

    def refuse_next(self) -> None:
        raise ValueError("The mail server takes everything: make Discord or Telegram refuse a message.")


class WebhookInSandbox(_Played[WebhookStandIn]):
    """A program that takes the account's events."""

    def __init__(self) -> None:
        self._secret = new_webhook_secret()
        super().__init__(WebhookStandIn(secrets=[self._secret]))

    @property
    def settings(self) -> Mapping[str, Any]:
        return {"allow": (self._stand_in.host,)}

    async def link(self, code: str) -> None:
        """A webhook is added by its address."""

    async def add_to(self, account: Account) -> None:
        await Destination.create(
            account_id=account.id,
            channel=WEBHOOK.name,
            kind=DestinationKind.WEBHOOK,
            name="program",
            enabled=True,
            address=self._stand_in.url,
            secret=self._secret,
        )

    def draw_on(self, screen: Screen) -> None:
        for message in self._stand_in.messages:
            screen.webhook(message)
        self._stand_in.on_message.append(screen.webhook)

    async def act(self, words: str) -> str:
        raise ValueError("A webhook only listens: talk to a bot, on Discord or Telegram.")

    def refuse_next(self) -> None:
        self._stand_in.faults.add(Fault.status(HTTPStatus.GONE))


def _name(words: str) -> str:
    return words.strip().removeprefix(_IN)


def _button(offered: Mapping[str, str], words: str) -> str:
    """Return what pressing the named button sends. Raises `ValueError` saying which there are."""
    wanted = words.removeprefix(_PRESS).strip()
    for label, action in offered.items():
        if label.lower() == wanted.lower():
            return action
    raise ValueError(f"There is no button '{wanted}'; the latest message has: {', '.join(offered) or 'none'}")
