"""API keys: made and rotated here, shown once, known afterwards by prefix and hash alone."""

import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from models import Account, ApiKey, Category, KeyScope
from models.api_key import LONGEST_OVERLAP
from models.database import transaction, unit_of_work
from models.names import joined
from pingpilot.accounts.categories import unknown_category
from pingpilot.accounts.durations import read_duration
from pingpilot.errors import AlreadyExists, InvalidInput, NotFound, PingPilotError

MOST_KEYS = 100
"""How many keys of one account may be in force; far more than programs need, few enough to look through."""
LONGEST_NAME = 64
# Controls, line ends, and what turns or hides text
_UNSEEN = (
    r"\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202f"
    r"\u2060-\u206f\ufeff\ufff9-\ufffb"
)
NAME_PATTERN = rf"[^\s{_UNSEEN}][^{_UNSEEN}]{{0,{LONGEST_NAME - 1}}}"
KEY_PREFIX = "pp_"
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_LENGTH = 43  # 32 random bytes in base 62
_SHAPE = re.compile(rf"{KEY_PREFIX}[0-9A-Za-z]{{{_LENGTH}}}")


class TooManyKeys(PingPilotError):
    """The account has as many keys in force as it may have."""


class LastManageKey(PingPilotError):
    """Without this key, no key could manage the account any more."""


@dataclass(frozen=True, slots=True)
class KeyRights:
    """What a key may do. `categories` are the only ones a `send` key may post to; None means all."""

    scope: KeyScope
    categories: Sequence[str] | None = None


EVERYTHING = KeyRights(KeyScope.MANAGE)


def new_key() -> str:
    """Return a fresh key: `pp_` and 32 random bytes in base 62."""
    number, digits = int.from_bytes(secrets.token_bytes(32)), ""
    for _ in range(_LENGTH):
        number, digit = divmod(number, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return KEY_PREFIX + digits


def looks_like_key(text: str) -> bool:
    """Whether the text has the shape of a key; nothing else is worth a look-up."""
    return bool(_SHAPE.fullmatch(text))


def key_prefix(key: str) -> str:
    """Return the 8 characters a key is looked up and shown by."""
    return key.removeprefix(KEY_PREFIX)[:8]


def key_hash(key: str) -> str:
    """Return the key's SHA-256; no salt or stretching, since 256 random bits can't be guessed."""
    return hashlib.sha256(key.encode()).hexdigest()


def is_key_name(text: str) -> bool:
    """Whether a key may be named so: 1 to 64 characters that can be seen, the first no space."""
    return bool(re.fullmatch(NAME_PATTERN, text)) and not re.search("[\ud800-\udfff]", text)


@unit_of_work
async def create_key(
    account: Account, name: str, now: datetime, rights: KeyRights = EVERYTHING
) -> tuple[ApiKey, str]:
    """Return a new key's row and the key itself, which can't be had again.

    Raises `InvalidInput` for a bad name or for rights that make no sense, `NotFound` for a category the
    account does not have, `AlreadyExists` for a name in use, `TooManyKeys`.
    """
    if not is_key_name(name):
        raise InvalidInput(
            f"A key's name is 1 to {LONGEST_NAME} printable characters, such as 'ci' or 'web server'."
        )
    if rights.categories is not None and (rights.scope != KeyScope.SEND or not rights.categories):
        raise InvalidInput("Only a key of scope 'send' is kept to categories, and to at least one.")
    async with transaction():
        await Account.lock(account.id)
        for category in rights.categories or ():
            if not await Category.exists(account_id=account.id, name=category):
                raise NotFound(await unknown_category(account.id, category))
        if await ApiKey.in_force(now).filter(account_id=account.id, name=name.strip()).exists():
            raise AlreadyExists(
                f"There is a key named '{name.strip()}' already: choose another name or revoke that one."
            )
        return await add_key(account.id, name.strip(), now, rights)


async def add_key(account_id: int, name: str, now: datetime, rights: KeyRights) -> tuple[ApiKey, str]:
    """Return a new key's row and the key, within the caller's lock of the account. Raises `TooManyKeys`."""
    if await ApiKey.in_force(now).filter(account_id=account_id).count() >= MOST_KEYS:
        raise TooManyKeys(f"This account has {MOST_KEYS} keys, the most there may be: revoke one first.")
    key = new_key()
    row = await ApiKey.create(
        account_id=account_id,
        name=name,
        prefix=key_prefix(key),
        hash=key_hash(key),
        scope=rights.scope,
        categories=joined(rights.categories and dict.fromkeys(rights.categories)),
        created_at=now,
    )
    return row, key


async def list_keys(account: Account) -> list[ApiKey]:
    """Return the account's keys, oldest first, revoked and expired ones included."""
    return await ApiKey.filter(account_id=account.id).order_by("id")


async def find_key(account: Account, named: str, now: datetime, *, newest: bool = False) -> ApiKey:
    """Return the key in force of this name, prefix or id; `newest` passes over those that were rotated.

    Raises `NotFound` where there is none, `InvalidInput` where several are meant.
    """
    prefix = key_prefix(named)
    keys = [
        key
        for key in await ApiKey.in_force(now).filter(account_id=account.id)
        if named in (key.name, str(key.id)) or prefix == key.prefix
    ]
    if newest and len(keys) > 1:
        keys = [key for key in keys if key.expires_at is None]
    if not keys:
        raise NotFound(f"{account.email} has no key '{named}' in force: see `pingpilot key list`.")
    if len(keys) > 1:
        ids = " or ".join(str(key.id) for key in keys)
        raise InvalidInput(f"'{named}' may be any of {len(keys)} keys: name one by its id, {ids}.")
    return keys[0]


async def key_in_force(account: Account, key_id: int, now: datetime) -> ApiKey:
    """Return the account's key of this id. Raises `NotFound`, also where it was revoked or has expired."""
    key = await ApiKey.in_force(now).get_or_none(id=key_id, account_id=account.id)
    if key is None:
        raise NotFound("This account has no such key in force: see its list of keys.")
    return key


async def revoke_key(account: Account, named: str, now: datetime) -> ApiKey:
    """Revoke the key of this name, prefix or id; it is refused from the next request on.

    Whoever calls this can make new keys without one, so the last may go too. Raises as `find_key`.
    """
    key = await find_key(account, named, now)
    await ApiKey.revoke(key.id, now)
    return key


@unit_of_work
async def revoke_spare_key(account: Account, key_id: int, now: datetime) -> ApiKey:
    """Revoke a key, unless it is the last that can manage the account: that would lock its owner out.

    Raises `NotFound` or `LastManageKey`.
    """
    async with transaction():
        await Account.lock(account.id)
        key = await key_in_force(account, key_id, now)
        await ApiKey.revoke(key.id, now)
        if key.scope == KeyScope.MANAGE and not await is_manageable(account):
            raise LastManageKey(f"The key '{key.name}' is the last that can manage this account.")
    return key


async def is_manageable(account: Account) -> bool:
    """Whether a key is left that can manage the account, and was neither revoked nor rotated."""
    return await ApiKey.exists(
        account_id=account.id, scope=KeyScope.MANAGE, revoked_at__isnull=True, expires_at__isnull=True
    )


USUAL_OVERLAP = timedelta(days=1)


class AlreadyRotated(PingPilotError):
    """The key has a successor already, which is the one to rotate."""


@dataclass(frozen=True, slots=True)
class Rotation:
    """A rotated key: `row` and `key` are its successor's, which is shown this once; `old` ends at its
    `expires_at`.
    """

    row: ApiKey
    key: str
    old: ApiKey


@unit_of_work
async def rotate_key(account: Account, key_id: int, overlap: timedelta, now: datetime) -> Rotation:
    """Replace a key; the old one is accepted for `overlap` more, from 0 (revoked at once) to 30 days.

    Of two that rotate the same key at once, one succeeds. Raises `InvalidInput` for another overlap,
    `NotFound`, `AlreadyRotated`, `TooManyKeys`.
    """
    check_overlap(overlap)
    async with transaction():
        await Account.lock(account.id)
        old = await key_in_force(account, key_id, now)
        if not await ApiKey.expire(old.id, now + overlap):
            raise AlreadyRotated(f"The key '{old.name}' was rotated before: rotate the one that replaced it.")
        old.expires_at = now + overlap
        if not overlap:  # at once even for a daemon whose clock is late
            await ApiKey.revoke(old.id, now)
            old.revoked_at = now
        rights = KeyRights(KeyScope(old.scope), old.category_names)
        row, key = await add_key(account.id, old.name, now, rights)
    return Rotation(row, key, old)


def parse_overlap(text: str) -> timedelta:
    """Return the time of `30m`, `2h`, `1d` or `0`. Raises `InvalidInput`, also beyond 30 days."""
    overlap = timedelta() if text.strip() == "0" else read_duration(text)
    if overlap is None or overlap > LONGEST_OVERLAP:
        raise InvalidInput(
            f"'{text}' is not a valid overlap: write it like 30m, 24h or 7d, up to 30d, or 0 for none."
        )
    return overlap


def check_overlap(overlap: timedelta) -> None:
    """Raise `InvalidInput` for an overlap out of bounds."""
    if not timedelta() <= overlap <= LONGEST_OVERLAP:
        raise InvalidInput("An overlap is from 0 to 30 days.")
