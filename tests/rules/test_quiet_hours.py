"""Quiet hours: windows, midnight, time zones, summer time, muting, and what people type."""

from datetime import UTC, datetime, timedelta

import pytest

from models import Destination
from pingpilot.accounts.quiet_hours import (
    QuietHours,
    mute,
    parse_duration,
    parse_hours,
    set_quiet_hours,
    set_time_zone,
)
from pingpilot.errors import InvalidInput
from tests.support.accounts import new_account
from tests.support.clock import ManualClock

NIGHT = QuietHours("Europe/Berlin", 22 * 60, 7 * 60)
EVENING = QuietHours("Europe/Berlin", 22 * 60, 2 * 60 + 30)
NOON = QuietHours("UTC", 12 * 60, 13 * 60 + 30)


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("hours", "now", "until"),
    [
        (NOON, "2026-11-23T11:59", None),
        (NOON, "2026-11-23T12:00", "2026-11-23T13:30"),
        (NOON, "2026-11-23T13:29", "2026-11-23T13:30"),
        (NOON, "2026-11-23T13:30", None),
        (NIGHT, "2026-11-23T20:59", None),  # 21:59 in Berlin
        (NIGHT, "2026-11-23T21:00", "2026-11-24T06:00"),
        (NIGHT, "2026-11-24T05:59", "2026-11-24T06:00"),
        (NIGHT, "2026-11-24T06:00", None),
        (NIGHT, "2026-07-01T20:00", "2026-07-02T05:00"),  # summer time
        (NIGHT, "2026-10-24T20:00", "2026-10-25T06:00"),  # the clocks go back that night
        (EVENING, "2026-10-25T00:15", "2026-10-25T00:30"),  # 2:15 for the first time
        (EVENING, "2026-10-25T00:45", None),
        (EVENING, "2026-10-25T01:15", "2026-10-25T01:30"),  # 2:15 again
    ],
)
def test_it_is_quiet_within_the_hours_of_the_accounts_time_zone(
    hours: QuietHours, now: str, until: str | None
) -> None:
    assert hours.quiet_until(_at(now)) == (_at(until) if until else None)


def test_without_hours_it_is_never_quiet() -> None:
    assert QuietHours("UTC", start=None, end=None).quiet_until(_at("2026-11-23T03:00")) is None


def test_muted_it_is_quiet_until_then_or_until_the_hours_end() -> None:
    muted = QuietHours("UTC", start=None, end=None, muted_until=_at("2026-11-23T15:00"))
    both = QuietHours("UTC", start=12 * 60, end=13 * 60, muted_until=_at("2026-11-23T12:30"))

    assert muted.quiet_until(_at("2026-11-23T14:59")) == _at("2026-11-23T15:00")
    assert muted.quiet_until(_at("2026-11-23T15:00")) is None
    assert both.quiet_until(_at("2026-11-23T12:10")) == _at("2026-11-23T13:00")


@pytest.mark.parametrize(
    ("text", "hours"), [("22:00-07:00", (1320, 420)), (" 0:00 – 6:30 ", (0, 390)), ("23:59-00:00", (1439, 0))]
)
def test_hours_are_read_as_people_write_them(text: str, hours: tuple[int, int]) -> None:
    assert parse_hours(text) == hours


@pytest.mark.parametrize("text", ["", "22-7", "22:00", "24:00-07:00", "22:60-07:00", "07:00-07:00", "always"])
def test_what_are_no_hours_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InvalidInput, match="22:00-07:00"):
        parse_hours(text)


@pytest.mark.parametrize(
    ("text", "minutes"),
    [("30m", 30), ("2h", 120), ("1d", 1440), ("2 H", 120), ("45min", 45), ("30d", 43_200)],
)
def test_durations_are_read_as_people_write_them(text: str, minutes: int) -> None:
    assert parse_duration(text) == timedelta(minutes=minutes)


@pytest.mark.parametrize("text", ["", "2", "h", "0m", "31d", "-2h", "2 weeks", "9999d"])
def test_what_is_no_duration_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InvalidInput, match="30m, 2h or 1d"):
        parse_duration(text)


async def test_quiet_hours_are_the_channels_and_can_be_taken_away(sqlite: str, clock: ManualClock) -> None:
    account = await new_account(clock)

    await set_quiet_hours(account, "telegram", "22:00-07:00", silently=True, now=clock.now())
    quiet = await Destination.get(account_id=account.id, channel="telegram")
    await set_quiet_hours(account, "telegram", "off", silently=False, now=clock.now())
    off = await Destination.get(account_id=account.id, channel="telegram")

    assert (quiet.quiet_from, quiet.quiet_until, quiet.quiet_silently) == (1320, 420, True)
    assert off.quiet_from is None


async def test_a_channel_is_muted_until_told_otherwise(sqlite: str, clock: ManualClock) -> None:
    account = await new_account(clock)

    await mute(account, "telegram", clock.now(), now=clock.now())
    muted = await Destination.get(account_id=account.id, channel="telegram")
    await mute(account, "telegram", until=None, now=clock.now())

    assert muted.muted_until == clock.now()
    assert (await Destination.get(account_id=account.id, channel="telegram")).muted_until is None


async def test_a_time_zone_must_exist(sqlite: str, clock: ManualClock) -> None:
    account = await new_account(clock)

    await set_time_zone(account, "Asia/Kathmandu", now=clock.now())
    with pytest.raises(InvalidInput, match="Europe/Berlin"):
        await set_time_zone(account, "Mars/Olympus", now=clock.now())

    assert account.time_zone == "Asia/Kathmandu"
