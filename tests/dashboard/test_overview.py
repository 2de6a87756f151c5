"""The overview: counts that are kept as events come, days that begin at midnight where the account lives."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from models import Account, CategoryActivity, DeliveryActivity
from models.activity import KEPT_FOR
from pingpilot.errors import PermanentFailure
from pingpilot.events.activity import days_of
from pingpilot.storage.housekeeping import Housekeeper
from tests.engine.scripted import Engine
from tests.http.api import ON_SQLITE, Api
from tests.support.clock import ManualClock
from tests.support.events import accept

from .people import Person, text_of


async def test_the_overview_shows_categories_quota_destinations_and_what_came(
    person: Person, ada: Account, clock: ManualClock
) -> None:
    await person.sign_in(ada)
    await accept(ada, clock, "sale", "sale", "bug")

    page = text_of(await person.get("/"))

    assert "💰 sale 2 this month · last just now" in page
    assert "3 of 100" in page
    assert "resets 1 Dec" in page
    assert "Discord off" in page
    assert "E-mail delivering" in page
    assert page.count("Something about sale") == 2


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kathmandu", "America/St_Johns", "Pacific/Kiritimati"])
async def test_a_day_begins_at_midnight_in_the_accounts_time_zone(
    api: Api, ada: Account, clock: ManualClock, zone: str
) -> None:
    ada.time_zone = zone
    [today] = await days_of(ada, clock.now(), 1)
    before_midnight = _midnight(today.date, zone) - timedelta(minutes=1)
    clock.set_by(before_midnight - clock.now())
    await accept(ada, clock, "sale")
    clock.advance(timedelta(minutes=1))
    await accept(ada, clock, "bug", "bug")

    yesterday, today = await days_of(ada, clock.now(), 2)

    assert (yesterday.events, today.events) == ({"sale": 1}, {"bug": 2})


@ON_SQLITE
async def test_a_day_with_a_changed_clock_has_its_23_and_25_hours(api: Api, ada: Account) -> None:
    ada.time_zone = "Europe/Berlin"
    clock = ManualClock(datetime(2026, 10, 24, 22, 0, tzinfo=UTC))  # midnight; the clocks go back at three
    for _ in range(25):
        await accept(ada, clock, "sale")
        clock.advance(timedelta(hours=1))

    days = await days_of(ada, clock.now(), 2)

    assert [(day.date, day.total) for day in days] == [(date(2026, 10, 25), 25), (date(2026, 10, 26), 0)]


async def test_only_accepted_events_and_no_notices_are_counted(
    api: Api, ada: Account, clock: ManualClock
) -> None:
    program = await api.sign_up("pro@example.com", monthly_events=2)
    for key in ("a", "a", "b", "c"):
        await program.post({"category": "sale"}, Idempotency_Key=key)

    rows = await CategoryActivity.filter(account_id=program.account.id)
    assert [(row.category, row.events) for row in rows] == [("sale", 2)]


async def test_old_counts_go(api: Api, ada: Account, clock: ManualClock) -> None:
    await accept(ada, clock, "sale")
    clock.advance(KEPT_FOR + timedelta(hours=1))
    await accept(ada, clock, "bug")

    await Housekeeper(clock=clock, retention=timedelta(days=90)).tidy()

    assert [row.category for row in await CategoryActivity.all()] == ["bug"]


async def test_what_was_delivered_and_what_failed_is_counted(database: str) -> None:
    engine = Engine()
    alice = await engine.account("alice")
    engine.channel.fail(PermanentFailure("Too long."))
    await engine.post(alice, "one", "two", "three")

    async with engine.running():
        await engine.status_is("failed", "delivered", "delivered")

    [row] = await DeliveryActivity.all()
    assert (row.account_id, row.category, row.destination) == (alice.id, "sale", "telegram")
    assert (row.delivered, row.failed) == (2, 1)


def _midnight(day: date, zone: str) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).astimezone(UTC)
