"""A category's page: counts, numbers that are added up as they come, a table, and all of it as CSV."""

import asyncio
import csv
import io
import math
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote
from uuid import UUID
from zoneinfo import ZoneInfo

import aiohttp
import pytest

from api.dashboard.category import download
from api.dashboard.category.download import MOST_DOWNLOADS
from models import Account, Category, Event, NumberTotals
from models.activity import KEPT_FOR
from models.ids import first_id_at
from pingpilot.accounts.categories import remove_category
from pingpilot.errors import DatabaseUnavailable
from pingpilot.events import spans
from pingpilot.events.activity import counts_of, last_days, midnight
from pingpilot.events.numbers import LARGEST, numbers_in, totals_of
from pingpilot.events.spans import Span, SpannedEvent
from pingpilot.events.submission import Submission
from pingpilot.storage.housekeeping import Housekeeper
from tests.http.api import ON_SQLITE, Api, Program
from tests.support.clock import ManualClock
from tests.support.events import caller_for

from .people import Person, text_of

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{ 7 * 7 }}"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime.now(UTC))  # as the events' ids, which a span of time is a range of


@pytest.fixture
async def shop(api: Api) -> Program:
    return await api.sign_up(channels=["email"])


async def sell(shop: Program, *fields: dict[str, Any]) -> None:
    for each in fields:
        reply = await shop.post({"category": "sale", "description": "A lamp", "fields": each})
        assert reply.status == 200


async def stored(account: Account, at: datetime, fields_json: str, description: str = "Sold") -> Event:
    """Store an event of another time than the present one, without intake."""
    return await Event.create(
        id=UUID(int=first_id_at(at).int + await Event.all().count()),
        account_id=account.id,
        category="sale",
        description=description,
        fields_json=fields_json,
        created_at=at,
    )


async def csv_of(person: Person, query: str = "") -> list[dict[str, str]]:
    reply = await person.get(f"/categories/sale/events.csv{query}")
    assert reply.status == 200
    assert reply.text.startswith("\ufeff")
    return list(csv.DictReader(io.StringIO(reply.text[1:], newline="")))


async def test_a_category_shows_how_much_came_and_what_its_numbers_come_to(
    person: Person, shop: Program
) -> None:
    await person.sign_in(shop.account)
    await sell(shop, {"amount": 99.5, "order": 1}, {"amount": 0.5}, {"amount": -20, "note": "back"})
    await shop.post({"category": "bug", "fields": {"amount": 7000}})

    page = text_of(await person.get("/categories/sale"))

    assert "💰 sale" in page
    assert "Today 3 This week 3 This month 3" in page
    assert "amount 80 sum of 3 events mean 26.6667 least -20 most 99.5" in page
    assert "order 1 sum of 1 event" in page
    assert "A lamp amount -20 note back" in page
    assert "7,000" not in page


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kathmandu", "America/St_Johns"])
async def test_a_number_counts_for_its_day_in_the_accounts_time_zone(
    ada: Account, clock: ManualClock, api: Api, zone: str
) -> None:
    ada.time_zone = zone
    [yesterday, today], _ = last_days(ada, clock.now(), 2)
    caller = await caller_for(ada, clock)
    begins = midnight(today, ZoneInfo(zone))
    for at, amounts in ((begins - timedelta(seconds=1), [1.0, 2.0]), (begins, [-5.0])):
        clock.set_by(at - clock.now())
        for amount in amounts:
            numbers = (("amount", amount),)
            await api.composition.intake.submit(Submission(caller, "sale", "", "{}", numbers=numbers))

    days = (await totals_of(ada, "sale", ["amount"], clock.now(), 2))["amount"]

    assert (days[yesterday].events, days[yesterday].total, days[yesterday].mean) == (2, 3, 1.5)
    assert (days[yesterday].smallest, days[yesterday].largest) == (1, 2)
    assert (days[today].events, days[today].total) == (1, -5)
    assert await counts_of(ada, "sale", clock.now(), 2) == {yesterday: 2, today: 1}


def test_only_the_first_finite_numbers_are_added_up() -> None:
    fields = {"yes": True, "text": "5", "huge": 10**400, "large": 1e301, "whole": 3, "part": -0.5}

    assert numbers_in(fields) == (("whole", 3.0), ("part", -0.5))
    assert [name for name, _ in numbers_in({f"n{each}": each for each in range(12)})] == [
        f"n{each}" for each in range(10)
    ]


async def test_large_numbers_and_odd_names_fail_nobody(person: Person, shop: Program) -> None:
    await person.sign_in(shop.account)
    await sell(shop, *[{"n": LARGEST, "<i>": 1, "ñ" * 256: 1e-320} for _ in range(3)], {"n": 10**399})

    page = await person.get("/categories/sale")

    rows = {row.field: row for row in await NumberTotals.all()}
    assert rows["n"].events == 3
    assert math.isfinite(rows["n"].total)
    assert page.status == 200
    assert "<i>" not in page.text


async def test_what_is_refused_or_replayed_adds_nothing(api: Api) -> None:
    program = await api.sign_up("pro@example.com", monthly_events=2)
    for key in ("a", "a", "b", "c"):
        await program.post({"category": "sale", "fields": {"amount": 1}}, Idempotency_Key=key)

    assert [(row.field, row.events, row.total) for row in await NumberTotals.all()] == [("amount", 2, 2.0)]


async def test_old_totals_go_and_those_of_a_deleted_category_stay(
    person: Person, shop: Program, clock: ManualClock
) -> None:
    await person.sign_in(shop.account)
    await sell(shop, {"old": 1})
    clock.advance(KEPT_FOR + timedelta(hours=1))
    await sell(shop, {"new": 1})
    await Housekeeper(clock=clock, retention=timedelta(days=90)).tidy()
    await remove_category(shop.account, "sale")
    await person.sign_in(shop.account)

    page = await person.get("/categories/sale")

    assert [row.field for row in await NumberTotals.all()] == ["new"]
    assert page.status == 200
    assert "This category was deleted" in text_of(page)


async def test_a_table_is_sorted_by_a_field_and_goes_on_page_by_page(
    person: Person, shop: Program, clock: ManualClock
) -> None:
    await person.sign_in(shop.account)
    for number in range(60):
        await stored(shop.account, clock.now(), f'{{"amount": {number % 30}.5}}', f"sale {number}")
    await stored(shop.account, clock.now(), '{"amount": "unknown"}', "a text")
    await stored(shop.account, clock.now(), "{}", "nothing")

    newest = await person.get("/categories/sale")
    older = newest.text.partition('rel="next" href="')[2].partition('"')[0].replace("&amp;", "&")
    second = text_of(await person.get(f"/{older.removeprefix('../').partition('#')[0]}"))
    least = text_of(await person.get("/categories/sale?sort=field:amount&order=asc"))
    most = text_of(await person.get("/categories/sale?sort=field:amount&order=desc&page=1"))

    assert "sale 12 " in text_of(newest)
    assert "sale 11 " not in text_of(newest)
    assert "sale 11 " in second
    assert "sale 12 " not in second
    assert least.index("0.5") < least.index("9.5") < least.index("24.5")
    assert "all 62 sorted" in least
    assert most.index("4.5") < most.index("0.5") < most.index("nothing")


@ON_SQLITE
async def test_fields_beyond_the_first_columns_are_reached(person: Person, shop: Program) -> None:
    await person.sign_in(shop.account)
    for start in range(0, 50, 10):
        await sell(shop, {f"field-{number:02}": number for number in range(start, start + 10)})

    page = await person.get("/categories/sale")
    chosen = await person.get("/categories/sale?column=field-33&field=field-33&span=today")

    assert page.text.count('aria-sort="descending"') == 1
    assert page.text.count('role="columnheader"') == 8
    assert page.text.count('type="checkbox" name="column"') == 50
    assert "More numbers:" in text_of(page)
    assert chosen.text.count('role="columnheader"') == 3
    assert "field-33 33 sum of 1 event" in text_of(chosen)


async def test_a_download_has_every_event_with_its_fields_and_no_formula(
    person: Person, shop: Program, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spans, "PAGE", 2)
    await person.sign_in(shop.account)
    await stored(shop.account, clock.now() - timedelta(days=400), '{"amount": -1, "lost": 1}', "long ago")
    for each in ("=1+1", "+1", "-1", "@a", "\t=1", "＝1", "a\n\"b\", 'c'", "é✨"):
        await sell(shop, {"amount": -99.5, each: each, "is": True})
    for _ in range(200):
        await stored(shop.account, clock.now() + timedelta(seconds=5), '{"amount": 1}')

    rows = await csv_of(person)
    of_table = await csv_of(person, "?fields=table&column=amount&column=%3D1%2B1")
    lately = await csv_of(person, f"?from={clock.now() - timedelta(days=3):%Y-%m-%d}")
    before = await csv_of(person, f"?to={clock.now() - timedelta(days=3):%Y-%m-%d}")

    assert (len(rows), len(of_table), len(lately), len(before)) == (209, 209, 208, 1)
    assert rows[0]["other fields"] == '{"lost": 1}'
    assert [row["amount"] for row in rows[:3]] == ["-1", "-99.5", "-99.5"]
    assert list(of_table[0])[-2:] == ["amount", "'=1+1"]
    assert of_table[1]["'=1+1"] == "'=1+1"
    others = "".join(row["other fields"] for row in rows)
    assert '"é✨": "é✨", "is": true' in others
    assert rows[1]["id"].startswith("evt_")
    assert rows[1]["time"].endswith("Z")


@ON_SQLITE
async def test_texts_in_a_download_are_no_formulas(person: Person, shop: Program, clock: ManualClock) -> None:
    await person.sign_in(shop.account)
    await shop.post(
        {"category": "sale", "title": "=T()", "description": "@SUM(1)", "fields": {"+a": "-b", "n": -1}}
    )
    await shop.post({"category": "sale", "description": 'a "b",\r\nc', "fields": {"n": 1e300, "+a": True}})

    first, second = await csv_of(person)

    assert (first["title"], first["description"]) == ("'=T()", "'@SUM(1)")
    assert (first["'+a"], first["n"]) == ("'-b", "-1")
    assert (second["description"], second["n"], second["'+a"]) == ('a "b",\r\nc', "1e300", "true")


@ON_SQLITE
@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("?from=yesterday", "A day is written as 2026-11-26"),
        ("?from=0001-01-01", "A day is written as 2026-11-26"),
        ("?to=9999-12-31", "A day is written as 2026-11-26"),
        ("?from=2026-11-26&to=2026-11-25", "The last day is before the first one"),
    ],
)
async def test_days_that_are_none_are_told_on_the_page(
    person: Person, shop: Program, query: str, says: str
) -> None:
    await person.sign_in(shop.account)

    answer = await person.get(f"/categories/sale/events.csv{query}")

    assert answer.status == 400
    assert says in text_of(answer)
    assert 'action="../../categories/sale/events.csv"' in answer.text
    assert 'href="../../categories/sale?span=today"' in answer.text


class Held:
    """Lets downloads have their first events, and goes on once told."""

    def __init__(self) -> None:
        self.goes_on = asyncio.Event()
        self.then: Exception | None = None

    async def all_in(self, span: Span) -> AsyncIterator[list[SpannedEvent]]:
        async for page in spans.all_in(span):
            yield page
            await self.goes_on.wait()
            if self.then:
                raise self.then


@ON_SQLITE
async def test_a_download_that_can_not_be_finished_is_cut_off_and_few_are_under_way(
    api: Api, person: Person, shop: Program, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await person.sign_in(shop.account)
    for _ in range(5):
        await stored(shop.account, clock.now(), "{}")
    monkeypatch.setattr(spans, "PAGE", 2)
    held, path = Held(), "/categories/sale/events.csv"
    monkeypatch.setattr(download, "all_in", held.all_in)

    async with AsyncExitStack() as downloads:
        responses = [
            await downloads.enter_async_context(person.session.get(api.url + path))
            for _ in range(MOST_DOWNLOADS)
        ]
        refused = await person.get(path)
        responses[0].close()
        held.then = DatabaseUnavailable("disk I/O error")
        held.goes_on.set()
        with pytest.raises(aiohttp.ClientPayloadError):
            await responses[1].read()
    await api.services.in_flight.none(timedelta(seconds=60))  # it is noticed late that somebody left
    held.then = None
    whole = await csv_of(person)
    held.goes_on.clear()
    async with person.session.get(api.url + path) as response:
        api.services.stopping = True
        held.goes_on.set()
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()

    assert refused.status == 400
    assert "3 downloads are under way" in text_of(refused)
    assert len(whole) == 5


async def test_another_accounts_category_and_what_is_none_are_not_found(
    person: Person, ada: Account, shop: Program, clock: ManualClock
) -> None:
    await Category.create(account_id=shop.account.id, name="secret", color="#000000", created_at=clock.now())
    await shop.post({"category": "secret", "fields": {"amount": 4711}})
    await sell(shop, {"amount": 4711})
    await person.sign_in(ada)

    for path in ("/categories/secret", "/categories/secret/events.csv", "/categories/sales"):
        answer = await person.get(path)
        assert answer.status == 404
        assert "There is no category" in text_of(answer)
    for path in (
        "/categories/%00",
        "/categories/" + quote(HOSTILE, safe=""),
        "/categories/A",
        "/categories/",
    ):
        answer = await person.get(path)
        assert answer.status == 404
        assert "<script>" not in answer.text
    for path in ("/categories/sale", "/categories/sale/events.csv"):
        assert "4711" not in (await person.get(path)).text


@ON_SQLITE
async def test_whoever_is_not_signed_in_sees_and_loads_nothing(person: Person, shop: Program) -> None:
    for path in ("/categories/sale", "/categories/sale/events.csv"):
        assert (await person.get(path)).status == 303


@pytest.mark.parametrize(
    "query",
    [
        "?span=x&sort=y&order=z&page=-1&before=q&column=&field=%00",
        "?sort=field:%00&column=%00&page=999&before=evt_" + "f" * 32,
        "?" + "&".join(f"column={number}" for number in range(300)),
        "?column=" + quote(HOSTILE, safe="") + "&field=" + quote(HOSTILE, safe="") + "&span=week",
        "?column=" + "x" * 3000 + "&sort=field:" + "x" * 3000 + "&field=%ff%fe",
    ],
)
async def test_odd_addresses_show_the_page_and_run_nothing(person: Person, shop: Program, query: str) -> None:
    await person.sign_in(shop.account)
    await sell(shop, {HOSTILE: HOSTILE, "<b>": 1, "\u202eevil": True, "__proto__": 5})

    page = await person.get(f"/categories/sale{query}")

    assert page.status == 200
    for forbidden in ("<script>alert", "<img", "<b>"):
        assert forbidden not in page.text
    assert "\u202e" not in text_of(page)
    assert "{{ 7 * 7 }}" in page.text


async def test_a_new_category_tells_how_to_send_an_event(person: Person, ada: Account) -> None:
    await person.sign_in(ada)

    page = text_of(await person.get("/categories/sale"))

    assert "No event in the last 30 days. A program sends one like this:" in page
    assert '"category": "sale"' in page
    assert "Number" not in page
