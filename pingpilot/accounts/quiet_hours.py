"""Quiet hours: when an account's destination waits, or whispers, and how people set that."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from models import Account, Destination
from models.database import connection
from models.delivery import with_statuses
from models.sql import query
from pingpilot.accounts.durations import read_duration
from pingpilot.clock import SKEW
from pingpilot.errors import InvalidInput

LONGEST_MUTE = timedelta(days=30)
LOOKED_AT_AGAIN = timedelta(days=1)
"""How long at a time what waits for a suspended account is held; its end has it looked at at once."""
_HOURS = re.compile(r"(\d{1,2}):(\d{2})\s*[-–]\s*(\d{1,2}):(\d{2})")
_DAY = 24 * 60
_RECONSIDER = with_statuses(
    "UPDATE deliveries SET next_attempt_at = ? WHERE status = :held AND account_id = ? {which} RETURNING id"
)


@dataclass(frozen=True, slots=True)
class QuietHours:
    """When one destination of an account is quiet. `start` and `end` are minutes after midnight in
    `time_zone`; the hours may go past midnight. `silently`: messages go out without a sound instead of
    waiting. An account that `is_suspended` is quiet for as long as that lasts.
    """

    time_zone: str
    start: int | None
    end: int | None
    silently: bool = False
    muted_until: datetime | None = None
    is_suspended: bool = False

    def quiet_until(self, now: datetime) -> datetime | None:
        """Return when the quiet that holds at `now` ends (aware UTC), None where it is not quiet."""
        if self.is_suspended:
            return now + LOOKED_AT_AGAIN
        ends = [end for end in (end_of_mute(self.muted_until, now), self._hours_until(now)) if end]
        return max(ends) if ends else None

    def _hours_until(self, now: datetime) -> datetime | None:
        if self.start is None or self.end is None:
            return None
        local = now.astimezone(ZoneInfo(self.time_zone))
        minute = local.hour * 60 + local.minute
        has_begun, has_ended = minute >= self.start, minute >= self.end
        is_within = has_begun and not has_ended if self.start < self.end else has_begun or not has_ended
        if not is_within:
            return None
        day = local.date() + timedelta(days=has_ended)
        # An hour that comes twice, when the clocks go back, ends in the same pass as it is now
        end = datetime.combine(day, time(self.end // 60, self.end % 60, fold=local.fold), local.tzinfo)
        return end.astimezone(UTC)


def end_of_mute(until: datetime | None, now: datetime) -> datetime | None:
    """Return when a mute ends, None where it is over or longer than any can be: a clock ahead began it."""
    return until if until and now < until <= now + LONGEST_MUTE + SKEW else None


def parse_hours(text: str) -> tuple[int, int]:
    """Return start and end of `22:00-07:00` in minutes after midnight. Raises `InvalidInput`."""
    match = _HOURS.fullmatch(text.strip())
    if match:
        hours = [int(part) for part in match.groups()]
        start, end = hours[0] * 60 + hours[1], hours[2] * 60 + hours[3]
        if start != end and max(start, end) < _DAY and max(hours[1], hours[3]) < 60:  # noqa: PLR2004
            return start, end
    raise InvalidInput(
        f"'{text}' is not a valid range of quiet hours: write them like 22:00-07:00, or 'off'."
    )


def hours_text(start: int, end: int) -> tuple[str, str]:
    """Return minutes after midnight as people write them: `22:00` and `07:00`."""
    first, second = (f"{minute // 60:02}:{minute % 60:02}" for minute in (start, end))
    return first, second


def parse_duration(text: str) -> timedelta:
    """Return the time of `30m`, `2h` or `1d`. Raises `InvalidInput`, also beyond 30 days."""
    duration = read_duration(text)
    if duration is None or not timedelta() < duration <= LONGEST_MUTE:
        raise InvalidInput(
            f"'{text}' is not a valid time to mute for: write it like 30m, 2h or 1d, up to 30d."
        )
    return duration


def parse_end_of_mute(text: str, time_zone: str, now: datetime) -> datetime:
    """Return the instant of `2026-11-26T18:00` in a time zone. Raises `InvalidInput`, also beyond 30 days."""
    try:
        end = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(time_zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        end = now
    if not now < end <= now + LONGEST_MUTE:
        raise InvalidInput(
            "Mutes end at a time to come, up to 30 days from now: write it like 2026-11-26T18:00."
        )
    return end


def check_time_zone(name: str) -> str:
    """Return the name of a time zone of the IANA database. Raises `InvalidInput`."""
    if name not in time_zones():
        raise InvalidInput(f"'{name}' is not a valid time zone: write it like Europe/Berlin or UTC.")
    return name


@cache
def time_zones() -> frozenset[str]:
    """Return the names of all time zones; collecting them reads many folders."""
    return frozenset(available_timezones())


async def set_time_zone(account: Account, name: str, *, now: datetime) -> None:
    """Set the account's time zone, which its quiet hours follow. Raises `InvalidInput`."""
    account.time_zone = check_time_zone(name)
    await account.save(update_fields=["time_zone"])
    await reconsider(account, None, now)


async def set_quiet_hours(
    account: Account, destination: str, hours: str, *, silently: bool, now: datetime
) -> None:
    """Set the destination's quiet hours from `22:00-07:00`, or take them away with `off`."""
    start, end = (None, None) if hours.strip().lower() == "off" else parse_hours(hours)
    row = Destination.filter(account_id=account.id, name=destination)
    await row.update(quiet_from=start, quiet_until=end, quiet_silently=silently)
    await reconsider(account, destination, now)


async def mute(account: Account, destination: str, until: datetime | None, *, now: datetime) -> bool:
    """Mute the destination until an instant; None ends it.

    Returns whether what comes meanwhile waits: where quiet hours are silent, it goes out without a sound.
    """
    row = Destination.filter(account_id=account.id, name=destination)
    await row.update(muted_until=until)
    await reconsider(account, destination, now)
    return not await row.filter(quiet_silently=True).exists()


async def reconsider(account: Account, destination: str | None, now: datetime) -> None:
    """Let what a destination holds, or each, be looked at anew: it goes out, or waits for another end."""
    which, values = ("", []) if destination is None else ("AND destination = ?", [destination])
    await query(connection(), _RECONSIDER.format(which=which), [now, account.id, *values])
