"""API keys: made here, shown once, known afterwards by prefix and hash alone."""

import hashlib
import re
import secrets
from datetime import datetime

from models import Account, ApiKey
from pingpilot.errors import AlreadyExists, InvalidInput, NotFound

KEY_PREFIX = "pp_"
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_LENGTH = 43  # 32 random bytes in base 62
_SHAPE = re.compile(rf"{KEY_PREFIX}[0-9A-Za-z]{{{_LENGTH}}}")
_NAME = re.compile(r"[^\x00-\x1f\x7f]{1,64}")


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


async def create_key(account: Account, name: str, now: datetime) -> tuple[ApiKey, str]:
    """Return a new key's row and the key itself, which can't be had again.

    Raises `InvalidInput` for a bad name, `AlreadyExists` for one in use.
    """
    if not _NAME.fullmatch(name) or not name.strip():
        raise InvalidInput("A key's name is 1 to 64 printable characters, such as 'ci' or 'web server'.")
    if await ApiKey.exists(account_id=account.id, name=name, revoked_at__isnull=True):
        raise AlreadyExists(f"There is a key named '{name}' already: choose another name or revoke that one.")
    key = new_key()
    row = await ApiKey.create(
        account_id=account.id, name=name, prefix=key_prefix(key), hash=key_hash(key), created_at=now
    )
    return row, key


async def list_keys(account: Account) -> list[ApiKey]:
    """Return the account's keys, oldest first, revoked ones included."""
    return await ApiKey.filter(account_id=account.id).order_by("id")


async def revoke_key(account: Account, named: str, now: datetime) -> ApiKey:
    """Revoke the key of this name, prefix or id; it is refused from the next request on.

    Raises `NotFound` where the account has no such key in force.
    """
    keys = await ApiKey.filter(account_id=account.id, revoked_at__isnull=True)
    prefix = key_prefix(named)
    for key in keys:
        if named in (key.name, str(key.id)) or prefix == key.prefix:
            await ApiKey.revoke(key.id, now)
            return key
    raise NotFound(f"{account.email} has no key '{named}' in force: see `pingpilot key list`.")
