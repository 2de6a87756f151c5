"""The channels PingPilot delivers to: one record each, which everything else is made from.

A channel is its folder and its record here. Settings, the daemon's parts, the doctor, the sandbox, error
codes, the command line, OpenAPI and the tests of the documentation read the records; see CONTRIBUTING.md
for the files of a new one.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module
from typing import Any

from pingpilot.errors import InvalidInput


class AddressSource(StrEnum):
    """How an account gets the address that a channel sends to."""

    LINK = "link"
    """A person proves from the chat side, with a code, that messages are wanted there."""
    ACCOUNT_EMAIL = "account_email"
    """It is the account's own e-mail address."""
    GIVEN = "given"
    """Its owner names it, as often as there are places: such a channel has no direct destination."""


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `burst` messages at once, then `per_second`."""

    per_second: float
    burst: int


@dataclass(frozen=True, slots=True)
class Window:
    """At most `most` messages within any `seconds`, at once or spread."""

    most: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelKind:
    """One kind of channel.

    `name` is what is stored and what the API says, `label` what people read. `unlinked_code` is the API's
    error code for an account that has the channel switched on but not linked. `pace` holds for the channel
    as a whole, `recipient_pace` for each address, `room_pace` and `room_window` for each room; None is no
    limit.
    `mentions` tells whether a message to a room may call people. What waits may go out as one message
    unless `combines` is off: a program needs each event whole.

    The others name objects of the channel's folder as `module:object`, since this module stands below all
    of them; `load` brings them in:

    - `settings`: a `pingpilot.config.ChannelSettings` class;
    - `part`: a function of these settings and `pingpilot.delivery.parts.Surroundings` that returns
      `pingpilot.delivery.parts.ChannelParts`;
    - `look`: a function of a notification, a recipient and these settings that returns the message as a
      `pingpilot.rendering.looks.Look`, where there is one;
    - `doctor`: a coroutine function of these settings and `pingpilot.telemetry.findings.Visit` that returns
      a `Finding`;
    - `stand_in`: the `pingpilot.sandbox.platforms.Platform` class that the sandbox runs, where there is
      one.
    """

    name: str
    label: str
    address: AddressSource
    settings: str
    part: str
    doctor: str
    look: str | None = None
    stand_in: str | None = None
    unlinked_code: str | None = None
    pace: Window | None = None
    recipient_pace: Rate | None = None
    room_pace: Rate | None = None
    room_window: Window | None = None
    mentions: bool = False
    combines: bool = True

    @property
    def needs_link(self) -> bool:
        """Whether a person must prove from the chat side where messages go."""
        return self.address is AddressSource.LINK

    @property
    def takes_addresses(self) -> bool:
        """Whether an account's owner adds destinations by their address; the settings check it."""
        return self.address is not AddressSource.LINK

    @property
    def has_direct(self) -> bool:
        """Whether each account has a destination of this channel's own name."""
        return self.address is not AddressSource.GIVEN


DISCORD = ChannelKind(
    name="discord",
    label="Discord",
    address=AddressSource.LINK,
    unlinked_code="discord_id_not_set",
    # https://discord.com/developers/docs/topics/rate-limits#global-rate-limit; discord.py keeps the
    # conversations' own limits
    pace=Window(most=50, seconds=1),
    mentions=True,
    settings="bots.discord.settings:DiscordSettings",
    part="bots.discord.part:build",
    doctor="bots.discord.doctor:check",
    look="bots.discord.look:look",
    stand_in="pingpilot.sandbox.platforms:DiscordInSandbox",
)
TELEGRAM = ChannelKind(
    name="telegram",
    label="Telegram",
    address=AddressSource.LINK,
    unlinked_code="telegram_username_not_set",
    # https://core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this
    pace=Window(most=30, seconds=1),
    recipient_pace=Rate(per_second=1, burst=2),
    room_pace=Rate(per_second=20 / 60, burst=3),  # three at once, but never 21 in a minute
    room_window=Window(most=20, seconds=60),
    settings="bots.telegram.settings:TelegramSettings",
    part="bots.telegram.part:build",
    doctor="bots.telegram.doctor:check",
    look="bots.telegram.look:look",
    stand_in="pingpilot.sandbox.platforms:TelegramInSandbox",
)
EMAIL = ChannelKind(
    name="email",
    label="E-mail",
    address=AddressSource.ACCOUNT_EMAIL,  # the pool's few connections are the pace
    settings="pingpilot.email.settings:EmailSettings",
    part="pingpilot.email.part:build",
    doctor="pingpilot.email.doctor:check",
    look="pingpilot.email.look:look",
    stand_in="pingpilot.sandbox.platforms:MailInSandbox",
)
WEBHOOK = ChannelKind(
    name="webhook",
    label="Webhook",
    address=AddressSource.GIVEN,  # one request at a time to each is the pace
    combines=False,
    settings="pingpilot.webhook.settings:WebhookSettings",
    part="pingpilot.webhook.part:build",
    doctor="pingpilot.webhook.doctor:check",
    look="pingpilot.webhook.look:look",
    stand_in="pingpilot.sandbox.platforms:WebhookInSandbox",
)

CHANNELS = {kind.name: kind for kind in (DISCORD, TELEGRAM, EMAIL, WEBHOOK)}
"""All kinds by name, in the order they are checked and shown."""


def channel_named(name: str) -> ChannelKind:
    """Return the kind of this name. Raises `InvalidInput` for a name that is not a channel's."""
    if name not in CHANNELS:
        raise InvalidInput(f"'{name}' is not a channel: choose from {', '.join(CHANNELS)}.")
    return CHANNELS[name]


def check_channels(names: Iterable[str]) -> None:
    """Raise `InvalidInput` for a name that is not a channel's."""
    for name in names:
        channel_named(name)


def direct_channels() -> list[str]:
    """Return the channels that each account has a direct destination on, in the customary order."""
    return [name for name, kind in CHANNELS.items() if kind.has_direct]


def check_direct(names: Iterable[str]) -> None:
    """Raise `InvalidInput` for what is not a channel that an account can switch on or off as a whole."""
    for name in names:
        if name not in direct_channels():
            kind = CHANNELS.get(name)
            problem = f"{kind.label} has no direct destination" if kind else f"'{name}' is not a channel"
            raise InvalidInput(f"{problem}: choose from {', '.join(direct_channels())}.")


def name_of_lane(channel: str, lane: int) -> str:
    """Return what is a bot's own among those of its channel goes by: `telegram`, `telegram-1`, …

    The first one's is the channel's: before there could be several, there was no other.
    """
    return f"{channel}-{lane}" if lane else channel


def incoming_url(base_url: str, channel: str, lane: int) -> str:
    """Return where a channel's platform posts to this server, for the bot of a lane."""
    return f"{base_url}/incoming/{name_of_lane(channel, lane)}"


def load(entry: str) -> Any:
    """Return the object that a record names as `module:object`."""
    module, _, name = entry.partition(":")
    return getattr(import_module(module), name)
