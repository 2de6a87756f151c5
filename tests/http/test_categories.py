"""`/api/v1/categories`: listed, added, shown, changed, removed."""

import asyncio
import json
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from models import Category
from models.database import connection
from models.sql import insert_rows
from pingpilot.accounts.categories import MOST_CATEGORIES

from .api import ON_SQLITE, Api, Program

CATEGORIES, SALE = "/api/v1/categories", "/api/v1/categories/sale"
ORDER = {"name": "order", "color": "#00AAff"}
FRESH = {"urgent": False, "channels": None, "fallback": None, "eventsThisMonth": 0, "lastEventAt": None}
NO_LOOKS: list[tuple[dict[str, Any], str]] = [
    ({"color": "red"}, "color"),
    ({"color": "#fff"}, "color"),
    ({"color": "#ffffff\n"}, "color"),
    ({"color": None}, "color"),
    ({"emoji": "x"}, "emoji"),
    ({"emoji": ""}, "emoji"),
    ({"emoji": "🐛🐛"}, "emoji"),
    ({"emoji": 1}, "emoji"),
    ({"urgent": "yes"}, "urgent"),
    ({"urgent": 1}, "urgent"),
    ({"urgent": None}, "urgent"),
    ({"channels": []}, "channels"),
    ({"channels": "email"}, "channels"),
    ({"channels": ["pigeon"]}, "channels"),
    ({"channels": [None]}, "channels"),
    ({"channels": [["email"]]}, "channels"),
    ({"channels": ["email", "email"]}, "channels"),
    ({"fallback": "pigeon"}, "fallback"),
    ({"fallback": ["email"]}, "fallback"),
    ({"eventsThisMonth": 0}, "eventsThisMonth"),
    ({"colour": "#ffffff"}, "colour"),
]


async def fill(program: Program, count: int) -> None:
    """Give the account so many categories in all."""
    have = await Category.filter(account_id=program.account.id).count()
    now = program.api.clock.now()
    rows = [(program.account.id, f"filler-{each}", "#ffffff", now) for each in range(count - have)]
    await insert_rows(connection(), "categories", ("account_id", "name", "color", "created_at"), rows)


async def test_a_category_is_added_and_shown(shop: Program) -> None:
    added = await shop.ask("POST", CATEGORIES, ORDER)

    shown = await shop.get(f"{CATEGORIES}/order")
    posted = await shop.post({"category": "order"})
    assert added.status == 201
    assert added.headers["Location"] == f"{CATEGORIES}/order"
    assert added.body == {"name": "order", "color": "#00aaff", "emoji": None, **FRESH}
    assert (shown.status, shown.body) == (200, added.body)
    assert posted.status == 200


async def test_a_category_is_added_with_all_it_can_have(shop: Program) -> None:
    whole = {
        **ORDER,
        "emoji": "👩‍💻",
        "urgent": True,
        "channels": ["email", "discord"],
        "fallback": "telegram",
    }

    added = await shop.ask("POST", CATEGORIES, whole)

    stored = await Category.get(account_id=shop.account.id, name="order")
    assert added.body == {**FRESH, **whole, "color": "#00aaff", "channels": ["discord", "email"]}
    assert (stored.channels, stored.fallback) == ("discord,email", "telegram")


async def test_categories_are_listed_by_name_with_their_month(shop: Program) -> None:
    await shop.post({"category": "bug"})
    shop.api.clock.advance(timedelta(days=10))  # into the next month
    await shop.post({"category": "sale"})
    await shop.post({"category": "sale"})

    reply = await shop.get(CATEGORIES)

    listed = reply.body["categories"]
    counts = {each["name"]: (each["eventsThisMonth"], each["lastEventAt"]) for each in listed}
    assert reply.status == 200
    assert counts == {
        "bug": (0, "2026-11-23T12:00:00.000Z"),
        "question": (0, None),
        "sale": (2, "2026-12-03T12:00:00.000Z"),
    }
    assert [each["name"] for each in listed] == sorted(counts)
    assert listed[2] == (await shop.get(SALE)).body


@ON_SQLITE
async def test_a_name_in_use_is_a_conflict(api: Api, shop: Program) -> None:
    bakery = await api.sign_up("bakery@example.com")
    await shop.ask("POST", CATEGORIES, ORDER)

    again = await shop.ask("POST", CATEGORIES, {**ORDER, "color": "#ffffff"})
    elsewhere = await bakery.ask("POST", CATEGORIES, ORDER)

    assert again.verdict == (409, "category_exists")
    assert (await shop.get(f"{CATEGORIES}/order")).body["color"] == "#00aaff"
    assert elsewhere.status == 201


async def test_of_many_at_once_one_gets_the_name(shop: Program) -> None:
    replies = await asyncio.gather(*(shop.ask("POST", CATEGORIES, ORDER) for _ in range(20)))

    assert Counter(reply.status for reply in replies) == {201: 1, 409: 19}


async def test_an_account_has_so_many_categories_even_when_they_come_at_once(shop: Program) -> None:
    await fill(shop, MOST_CATEGORIES - 3)

    replies = await asyncio.gather(
        *(shop.ask("POST", CATEGORIES, {**ORDER, "name": f"order-{each}"}) for each in range(20))
    )

    verdicts = Counter(reply.verdict for reply in replies)
    assert verdicts == {(201, None): 3, (409, "too_many_categories"): 17}
    assert len((await shop.get(CATEGORIES)).body["categories"]) == MOST_CATEGORIES


@ON_SQLITE
@pytest.mark.parametrize("name", ["", "Order", "a b", "a" * 65, "ä", "a\n", None, 1, ["order"]])
async def test_a_name_that_is_not_plain_is_named(shop: Program, name: Any) -> None:
    reply = await shop.ask("POST", CATEGORIES, {**ORDER, "name": name})

    assert reply.verdict == (422, "validation_error")
    assert reply.faults == ["name"]


@ON_SQLITE
@pytest.mark.parametrize(("looks", "fault"), NO_LOOKS, ids=str)
async def test_what_can_not_be_is_named_when_adding_and_when_changing(
    shop: Program, looks: dict[str, Any], fault: str
) -> None:
    before = (await shop.get(CATEGORIES)).body

    added = await shop.ask("POST", CATEGORIES, {**ORDER, **looks})
    changed = await shop.ask("PATCH", SALE, {"urgent": True, **looks})

    assert added.verdict == changed.verdict == (422, "validation_error")
    assert added.faults == changed.faults == [fault]
    assert (await shop.get(CATEGORIES)).body == before


@ON_SQLITE
async def test_every_fault_is_named_at_once(shop: Program) -> None:
    reply = await shop.ask("POST", CATEGORIES, {"emoji": "x", "urgent": 0, "more": 1})

    assert sorted(reply.faults) == ["color", "emoji", "more", "name", "urgent"]


@pytest.mark.parametrize(
    "change",
    [
        {"color": "#000000"},
        {"emoji": "🧾"},
        {"emoji": None},
        {"urgent": True},
        {"channels": ["telegram"]},
        {"fallback": "email"},
        {"channels": ["telegram", "email"], "fallback": "discord", "urgent": True},
        {},
    ],
    ids=str,
)
async def test_only_what_is_sent_changes(shop: Program, change: dict[str, Any]) -> None:
    before = (await shop.get(CATEGORIES)).body["categories"]

    reply = await shop.ask("PATCH", SALE, change)

    after = (await shop.get(CATEGORIES)).body["categories"]
    assert reply.status == 200
    assert reply.body == before[2] | change
    assert after == [*before[:2], reply.body]


async def test_null_takes_away_what_a_category_may_be_without(shop: Program) -> None:
    before = (await shop.get(SALE)).body
    await shop.ask("PATCH", SALE, {"channels": ["email"], "fallback": "discord"})

    reply = await shop.ask("PATCH", SALE, {"channels": None, "fallback": None})

    assert reply.body == before


@ON_SQLITE
@pytest.mark.parametrize("name", ["sale", "order", None, 1])
async def test_a_name_stays(shop: Program, name: Any) -> None:
    reply = await shop.ask("PATCH", SALE, {"name": name, "urgent": True})

    assert reply.verdict == (422, "validation_error")
    assert reply.faults == ["name"]
    assert "can't be changed" in reply.body["message"]
    assert not (await shop.get(SALE)).body["urgent"]


async def test_removing_says_what_happens_to_the_events(shop: Program) -> None:
    ids = [(await shop.post({"category": "sale"})).body["eventId"] for _ in range(2)]

    removed = await shop.ask("DELETE", SALE)

    event = await shop.get(f"/api/v1/events/{ids[0]}")
    assert removed.status == 200
    assert removed.body == {
        "message": "The category 'sale' is removed. Its events stay, under its name.",
        "name": "sale",
        "eventsAccepted": 2,
    }
    assert event.body["category"] == "sale"
    assert (await shop.get(SALE)).verdict == (404, "category_not_found")
    assert (await shop.post({"category": "sale"})).verdict == (404, "category_not_found")
    assert (await shop.ask("DELETE", SALE)).verdict == (404, "category_not_found")


@ON_SQLITE
async def test_a_name_may_be_used_again(shop: Program) -> None:
    await shop.post({"category": "sale"})
    await shop.ask("DELETE", SALE)

    added = await shop.ask("POST", CATEGORIES, {**ORDER, "name": "sale"})

    assert added.status == 201
    assert added.body["eventsThisMonth"] == 1


@ON_SQLITE
@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
async def test_another_accounts_category_is_as_good_as_none(api: Api, shop: Program, method: str) -> None:
    bakery = await api.sign_up("bakery@example.com")
    await bakery.ask("POST", CATEGORIES, ORDER)
    before = (await bakery.get(CATEGORIES)).body

    reply = await shop.ask(method, f"{CATEGORIES}/order", {"urgent": True})

    assert reply.verdict == (404, "category_not_found")
    assert (await bakery.get(CATEGORIES)).body == before


@ON_SQLITE
@pytest.mark.parametrize("name", ["Sale", "sal%00e", "%FF", "sale'--", "💰", "a" * 65, "sale%0A"])
@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
async def test_what_is_no_name_is_not_found(shop: Program, method: str, name: str) -> None:
    reply = await shop.ask(method, f"{CATEGORIES}/{name}", {"urgent": True})

    assert reply.verdict == (404, "category_not_found")


@ON_SQLITE
async def test_the_nearest_name_is_told_among_very_many(shop: Program) -> None:
    await fill(shop, MOST_CATEGORIES)

    reply = await shop.get(f"{CATEGORIES}/questin")

    assert "did you mean 'question'" in reply.body["message"]


@ON_SQLITE
async def test_a_category_added_here_is_counted_by_the_quota(shop: Program) -> None:
    await shop.send(json.dumps(ORDER).encode())
    await shop.ask("POST", CATEGORIES, ORDER)

    assert (await shop.get("/api/v1/quota")).body["categoriesUsed"] == 4
