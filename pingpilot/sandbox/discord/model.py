"""What the Discord stand-in knows: people, messages, replies, and how they look in JSON."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

Json = dict[str, Any]

DISCORD_EPOCH_MS = 1_420_070_400_000
"""Snowflakes count milliseconds from 2015 (Discord's API reference, "Snowflakes")."""

EPHEMERAL = 1 << 6
"""Message flag: only the person who used the command sees it."""

_increments = itertools.count()


def snowflake() -> str:
    """Return a new id; later ones are greater within a process."""
    milliseconds = int(datetime.now(UTC).timestamp() * 1000) - DISCORD_EPOCH_MS
    return str((milliseconds << 22) | (next(_increments) & 0x3FFFFF))


@dataclass(frozen=True, slots=True)
class DiscordUser:
    """A person on Discord."""

    id: str
    name: str

    def as_json(self) -> Json:
        return user_json(self.id, self.name)


@dataclass(frozen=True, slots=True)
class DiscordMessage:
    """A message that the bot has sent.

    `user_id` is whom a direct message reached, empty in a server. `pinged` are those whom it called:
    "everyone", "here", "role ID" and "user ID". `via` is the host and port that its request named.
    """

    id: str
    channel_id: str
    user_id: str
    content: str
    embeds: list[Json]
    components: list[Json]
    nonce: str | None
    flags: int
    allowed_mentions: Json | None
    pinged: tuple[str, ...] = ()
    via: str = ""
    received_at: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass(frozen=True, slots=True)
class InteractionReply:
    """What a person sees after a command or a press of a button.

    `deferred` tells that the bot said "thinking…" first; `updated` that it changed the message the
    button is on instead of sending one.
    """

    content: str
    embeds: list[Json]
    ephemeral: bool
    deferred: bool
    updated: bool = False
    components: list[Json] = field(default_factory=list)
    message_id: str = ""
    channel_id: str = ""


def user_json(user_id: str, name: str, *, bot: bool = False) -> Json:
    """Return a user object."""
    return {
        "id": user_id,
        "username": name,
        "global_name": name,
        "discriminator": "0",
        "avatar": None,
        "bot": bot,
    }


def message_json(payload: Json, *, channel_id: str, author: Json, message_id: str | None = None) -> Json:
    """Return the message object that Discord makes of what a client sent."""
    return {
        "id": message_id or snowflake(),
        "channel_id": channel_id,
        "author": author,
        "type": 0,
        "content": (payload.get("content") or "").strip(),
        "embeds": payload.get("embeds") or [],
        "components": payload.get("components") or [],
        "attachments": [],
        "mentions": [],
        "mention_roles": [],
        "mention_everyone": False,
        "pinned": False,
        "tts": bool(payload.get("tts")),
        "flags": payload.get("flags") or 0,
        "timestamp": datetime.now(UTC).isoformat(),
        "edited_timestamp": None,
        **({"nonce": payload["nonce"]} if payload.get("nonce") is not None else {}),
    }


def components_in(tree: object) -> Iterator[Json]:
    """Yield all components of a message, however deeply they are nested in rows and containers."""
    if isinstance(tree, list):
        for item in tree:
            yield from components_in(item)
    elif isinstance(tree, dict):
        yield tree
        yield from components_in([tree.get("components"), tree.get("accessory")])
