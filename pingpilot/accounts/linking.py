"""Linking a chat to an account: always proven from the chat side, with a one-time code or an API key."""

import hashlib
import re
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from models import (
    Account,
    ApiKey,
    Bot,
    Delivery,
    Destination,
    DestinationKind,
    Fact,
    KeyScope,
    LinkCode,
    LinkGuess,
)
from models.database import transaction, unit_of_work
from models.link_code import CODE_LIFETIME
from models.sql import is_postgres, query
from pingpilot.accounts.destinations import check_new
from pingpilot.accounts.keys import KEY_PREFIX, key_hash, looks_like_key
from pingpilot.accounts.quiet_hours import reconsider
from pingpilot.channels import CHANNELS, DISCORD, TELEGRAM
from pingpilot.clock import SKEW
from pingpilot.errors import LinkRefused, TooMany

MOST_CODES = 10
MOST_WRONG_GUESSES = 10
GUESS_WINDOW = timedelta(hours=1)
TELEGRAM_USERNAME = "telegram.username"
"""The fact under which the daemon keeps its Telegram bot's user name, for deep links."""
DISCORD_INSTALL = "discord.install"
"""The fact under which it keeps where somebody adds its Discord bot to their apps, or to a server."""

_ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"  # no 0 O, 1 I L: they look alike
_LENGTH = 8
_KEPT_AFTER_EXPIRY = timedelta(days=1)
_AROUND = re.compile(r"^[\W_]*(?:(?:link|code)\b[\W_]*)*|[\W_]+$", re.IGNORECASE)


SUSPENDED = "The account is suspended, and nothing can be linked to it: ask whoever runs this server."


class WrongCode(LinkRefused):
    """What was sent is no code or key that links anything, or not any more."""


@dataclass(frozen=True, slots=True)
class NewLinkCode:
    """A code for the account's owner, and the id of its row. `telegram_url` opens the bot with it,
    `discord_url` is where the other bot is added, which no code fits into; None while no bot ran yet.

    `in_groups` is what is written in a Telegram group: with other bots there, one gets for sure only what
    names it (https://core.telegram.org/bots/features#privacy-mode).
    """

    id: int
    code: str
    expires_at: datetime
    telegram_url: str | None
    discord_url: str | None
    in_groups: str


@dataclass(frozen=True, slots=True)
class Linked:
    """The account a chat was linked to; `old_address` is where its channel went before, None for nowhere
    or to the same person.
    """

    account: Account
    old_address: str | None


@dataclass(frozen=True, slots=True)
class ChatUser:
    """Who is speaking, as the platform vouches for it."""

    channel: str
    user_id: str
    username: str | None


def fact_of_bot(fact: str, lane: int) -> str:
    """Return the name of a fact about the bot of a lane; the first one's has none in it."""
    return f"{fact}.{lane}" if lane else fact


async def bot_of(account: Account, channel: str) -> int:
    """Return the lane of the bot that an account is to link its chats with.

    It stays with the one that it has linked any with already, as long as that is in use; others are spread.
    """
    lanes = await Bot.lanes(channel, in_use=True)
    if len(lanes) > 1:
        own = Destination.filter(account_id=account.id, channel=channel, lane__in=lanes)
        if linked := await own.filter(address__isnull=False).values_list("id", "lane"):
            return int(min(linked)[1])
    return lanes[account.id % len(lanes)] if lanes else 0


@unit_of_work
async def create_link_code(account: Account, now: datetime, *, room: str | None = None) -> NewLinkCode:
    """Return a fresh one-time code for the account; only its hash is stored.

    One for a `room` links a room as the destination of that name. Raises `InvalidInput` for what is not a
    name, `AlreadyExists` for one in use, or `TooMany` beyond `MOST_CODES` within the lifetime of a code,
    used ones included, and where the account has as many destinations as it may.
    """
    code = "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))
    expires_at = now + CODE_LIFETIME
    async with transaction():
        await Account.lock(account.id)
        await LinkCode.filter(expires_at__lt=now - _KEPT_AFTER_EXPIRY).delete()
        codes = await LinkCode.valid(now).filter(account_id=account.id).order_by("expires_at")
        if len(codes) >= MOST_CODES:
            raise TooMany(
                f"This account got {MOST_CODES} codes in the last 10 minutes: "
                "use one of them, or wait a little.",
                until=codes[0].expires_at,
            )
        if room is not None:
            await check_new(account, room)
        row = await LinkCode.create(
            account_id=account.id, hash=_code_hash(code), room=room, created_at=now, expires_at=expires_at
        )
    bot = await Fact.read(fact_of_bot(TELEGRAM_USERNAME, await bot_of(account, TELEGRAM.name)))
    opens = "start" if room is None else "startgroup"  # asks in which group, and adds the bot to it
    return NewLinkCode(
        row.id,
        code,
        expires_at,
        telegram_url=f"https://t.me/{bot}?{opens}={code}" if bot else None,
        discord_url=await Fact.read(fact_of_bot(DISCORD_INSTALL, await bot_of(account, DISCORD.name))),
        in_groups=f"/link@{bot} {code}" if bot else f"/link {code}",
    )


@unit_of_work
async def link(user: ChatUser, code_or_key: str, *, address: str, now: datetime, lane: int = 0) -> Linked:
    """Link the chat user to the account that the code or API key belongs to.

    `address` is where messages for them go: a Discord DM channel id, a Telegram chat id; `lane` is the bot's
    that they talk to, the only one that can write there.
    Raises `LinkRefused` with a sentence for the user; each refusal of a wrong one counts as a guess.
    """
    guess = await count_guess(user, now)
    async with taken_back_unless_wrong(guess), transaction():
        await guess.delete()  # unless the code is refused, which rolls this back; a write, to come first
        code_or_key = without_brackets(code_or_key)
        if looks_like_key(code_or_key):
            account = await _account_of_key(code_or_key, now)
        else:
            account, room = await redeem(code_or_key, now)
            if room is not None:
                raise LinkRefused(
                    f"This code is for a room, to be called '{room}': send it in the Telegram group, or "
                    "in the Discord server's channel with 'where: This channel'."
                )
        if account.suspended_at is not None:
            raise LinkRefused(SUSPENDED)
        await Account.lock(account.id)
        before = await Destination.get_or_none(account_id=account.id, name=user.channel)
        await Destination.link(
            account.id,
            user.channel,
            address=address,
            user_id=user.user_id,
            username=user.username,
            at=now,
            lane=lane,
        )
        if before:
            await Delivery.move_waiting(account.id, user.channel, user.channel, lane=before.lane, to=lane)
        await reconsider(account, user.channel, now)
    # The same person with another bot has moved nowhere
    is_other = before and (before.lane == lane or before.user_id != user.user_id)
    return Linked(account, before.address if before and is_other else None)


async def count_guess(user: ChatUser, now: datetime) -> LinkGuess:
    """Count a guess before it is judged, so that many at once are no more than the limit.

    Raises `LinkRefused` beyond it. One user's guesses are counted one after another, on any daemon.
    """
    own = LinkGuess.filter(channel=user.channel, user_id=user.user_id)
    async with transaction() as connection:
        # A write, which is SQLite's lock; PostgreSQL needs one that no row stands for
        await LinkGuess.filter(guessed_at__lte=now - GUESS_WINDOW).delete()
        if is_postgres(connection):
            name = f"link guesses {user.channel} {user.user_id}"
            await query(connection, "SELECT pg_advisory_xact_lock(hashtextextended(?, 0))", [name])
        lately = own.filter(guessed_at__gt=now - GUESS_WINDOW, guessed_at__lte=now + SKEW)
        if await lately.count() >= MOST_WRONG_GUESSES:
            raise LinkRefused(
                "There were too many wrong codes. Wait an hour, then try again with a new code."
            )
        return await LinkGuess.create(channel=user.channel, user_id=user.user_id, guessed_at=now)


@asynccontextmanager
async def taken_back_unless_wrong(guess: LinkGuess) -> AsyncIterator[None]:
    """Count no guess where a right code is refused for another reason, such as that a room has an account."""
    try:
        yield
    except WrongCode:
        raise
    except LinkRefused:
        await guess.delete()
        raise


async def _account_of_key(text: str, now: datetime) -> Account:
    """Return the account that a key belongs to. Raises `WrongCode`."""
    key = await ApiKey.in_force(now).get_or_none(hash=key_hash(text))
    if key is None:
        raise WrongCode("This API key is not valid. Check it, or use a link code instead.")
    if key.scope != KeyScope.MANAGE:  # it may not say where the notifications go
        raise WrongCode("This API key may only send events. Use a link code, or a key with scope 'manage'.")
    return await Account.get(id=key.account_id)


async def redeem(text: str, now: datetime) -> tuple[Account, str | None]:
    """Use a code up; return the account that got it, and the name of the room that it is for, if any.

    Raises `WrongCode`. Within a transaction that is rolled back, the code can be used again.
    """
    code = await LinkCode.get_or_none(hash=_code_hash(text))
    if code is None:
        raise WrongCode("This code is not right. Check it, or get a new one.")
    if code.used_at is None and not code.is_valid(now):
        raise WrongCode("This code has expired: it is valid for 10 minutes. Get a new one.")
    if not await code.use(now):
        raise WrongCode("This code was used already. Get a new one.")
    return await Account.get(id=code.account_id), code.room


@unit_of_work
async def unlink(account: Account, channel: str, now: datetime) -> bool:
    """Take the chat off the account and switch the channel off; return whether there was a link.

    A mute ends with it: it was the chat's.
    """
    if not CHANNELS[channel].needs_link or not await Destination.unlink(account.id, channel):
        return False
    await reconsider(account, channel, now)
    return True


async def accounts_of(channel: str, user_id: str) -> list[Account]:
    """Return the accounts whose notifications come to a chat user directly, by address."""
    own = Destination.filter(channel=channel, user_id=user_id, kind=DestinationKind.DIRECT)
    links = await own.values_list("account_id", flat=True)
    return await Account.filter(id__in=links).order_by("email")


def without_brackets(text: str) -> str:
    """Return a code or key without what people put around it: brackets, quotes, `/link`, `Code:`."""
    return _AROUND.sub("", text)


def is_code_or_key(text: str) -> bool:
    """Whether a message is nothing but a code or a key, or one mistyped; words people say are neither."""
    bare = without_brackets(text)
    if bare.startswith(KEY_PREFIX):
        return not re.search(r"\s", bare)
    normal = _normal(bare)
    looks_so = len(normal) == _LENGTH and set(normal) <= set(_ALPHABET)
    return looks_so and (bare == bare.upper() or not normal.isalpha())  # "transfer" is a word


def _code_hash(code: str) -> str:
    """Hash a code as typed: case, spaces and dashes do not matter."""
    return hashlib.sha256(_normal(code).encode()).hexdigest()


def _normal(code: str) -> str:
    return re.sub(r"[\W_]", "", code.upper())
