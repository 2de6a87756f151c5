"""Rotating an API key: a new one takes over its name and rights, the old one ends after an overlap."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from models import Account, ApiKey, KeyScope
from models.database import transaction, unit_of_work
from pingpilot.durations import read_duration
from pingpilot.errors import InvalidInput, PingPilotError
from pingpilot.keys import KeyRights, add_key, key_in_force

LONGEST_OVERLAP = timedelta(days=30)
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
        await _end(old, overlap, now)
        row, key = await add_key(account.id, old.name, now, _rights(old))
    return Rotation(row, key, old)


async def _end(key: ApiKey, overlap: timedelta, now: datetime) -> None:
    if not await ApiKey.expire(key.id, now + overlap):
        raise AlreadyRotated(f"The key '{key.name}' was rotated before: rotate the one that replaced it.")
    key.expires_at = now + overlap
    if not overlap:  # at once even for a daemon whose clock is late
        await ApiKey.revoke(key.id, now)
        key.revoked_at = now


def _rights(key: ApiKey) -> KeyRights:
    return KeyRights(KeyScope(key.scope), key.category_names)


def parse_overlap(text: str) -> timedelta:
    """Return the time of `30m`, `2h`, `1d` or `0`. Raises `InvalidInput`, also beyond 30 days."""
    overlap = timedelta() if text.strip() == "0" else read_duration(text)
    if overlap is None or overlap > LONGEST_OVERLAP:
        raise InvalidInput(f"'{text}' is no overlap: write it like 30m, 24h or 7d, up to 30d, or 0 for none.")
    return overlap


def check_overlap(overlap: timedelta) -> None:
    """Raise `InvalidInput` for an overlap out of bounds."""
    if not timedelta() <= overlap <= LONGEST_OVERLAP:
        raise InvalidInput("An overlap is from 0 to 30 days.")
