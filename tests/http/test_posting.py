"""Posting events: what is stored, and what an account's standing forbids."""

import json
from datetime import timedelta
from typing import Any

import pytest

from models import CategoryUsage, Delivery, Event, Plan
from pingpilot.accounts.accounts import set_plan

from .api import ON_SQLITE, SALE, Api, Program

VALUES: dict[str, Any] = {
    "zebra": "last name first",
    "amount": 99.99,
    "10": 10,
    "9": "nine",
    "count": 12345678901234567890123,
    "tiny": 1e-7,
    "negative": -1,
    "paid": True,
    "refunded": False,
    "empty": "",
    "emoji": "💰 ünïcödé \\ \" '; DROP TABLE events; -- <b>&amp;",
    "lines": "a\nb\tc\r\n",
    "Alpha": "capital",
}


async def test_an_accepted_event_is_stored_as_it_was_sent(shop: Program) -> None:
    reply = await shop.post({**SALE, "description": "A lamp was sold", "fields": VALUES})

    event = (await shop.get(f"/api/v1/events/{reply.body['eventId']}")).body
    assert (event["category"], event["description"]) == ("sale", "A lamp was sold")
    assert list(event["fields"].items()) == list(VALUES.items())
    assert [type(value) for value in event["fields"].values()] == [type(value) for value in VALUES.values()]


@ON_SQLITE
async def test_the_reply_names_the_event(api: Api) -> None:
    mailed = await api.sign_up(channels=["email"])

    reply = await mailed.post()

    assert reply.status == 200
    assert reply.body["message"]
    assert set(reply.body) == {"message", "eventId"}
    assert reply.body["eventId"].startswith("evt_")
    assert "Idempotent-Replayed" not in reply.headers


@ON_SQLITE
async def test_both_addresses_take_events(shop: Program) -> None:
    one = await shop.call("POST", "/api/v1/event", data=json.dumps(SALE))
    other = await shop.call("POST", "/api/v1/events", data=json.dumps(SALE))

    assert (one.status, other.status) == (200, 200)
    assert one.body["eventId"] != other.body["eventId"]
    assert await shop.stored_events() == 2


@ON_SQLITE
async def test_an_event_is_charged_and_counted_under_its_category(shop: Program) -> None:
    await shop.post()
    await shop.post({"category": "bug"})
    await shop.post()

    usage = await CategoryUsage.filter(account_id=shop.account.id).order_by("category")
    assert [(row.category, row.events) for row in usage] == [("bug", 1), ("sale", 2)]
    assert await shop.charged_events() == 3


async def test_an_event_goes_to_each_channel_that_works(api: Api) -> None:
    shop = await api.sign_up(channels=["telegram", "email"])
    await shop.link("telegram")

    await shop.post()

    deliveries = await Delivery.filter(account_id=shop.account.id).order_by("id")
    assert [(each.channel, each.status) for each in deliveries] == [
        ("telegram", "pending"),
        ("email", "pending"),
    ]


@ON_SQLITE
@pytest.mark.parametrize(
    "given", [{}, {"description": None}, {"description": ""}, {"description": " \n\t\u3000"}]
)
async def test_an_event_without_words_gets_the_customary_ones(shop: Program, given: dict[str, Any]) -> None:
    await shop.post({**SALE, **given})

    event = await Event.get(account_id=shop.account.id)
    assert event.description == "A new sale event has occurred!"


@ON_SQLITE
async def test_a_description_keeps_its_blanks(shop: Program) -> None:
    await shop.post({**SALE, "description": "  two\n lines "})

    event = await Event.get(account_id=shop.account.id)
    assert event.description == "  two\n lines "


@ON_SQLITE
@pytest.mark.parametrize(
    ("channel", "code"), [("discord", "discord_id_not_set"), ("telegram", "telegram_username_not_set")]
)
async def test_a_chat_that_is_on_must_be_linked(api: Api, channel: str, code: str) -> None:
    shop = await api.sign_up(channels=[channel])

    reply = await shop.post()

    assert reply.verdict == (403, code)
    assert "/link" in reply.body["message"]
    assert f"switch {channel.capitalize()} off" in reply.body["message"]
    assert await shop.charged_events() == 0


@ON_SQLITE
async def test_discord_is_asked_for_before_telegram(api: Api) -> None:
    shop = await api.sign_up(channels=["telegram", "discord"])

    first = await shop.post()
    await shop.link("discord")
    second = await shop.post()
    await shop.link("telegram")
    third = await shop.post()

    verdicts = [first.verdict, second.verdict, third.verdict]
    assert verdicts == [(403, "discord_id_not_set"), (403, "telegram_username_not_set"), (200, None)]


@ON_SQLITE
async def test_chats_that_are_switched_off_need_no_link(api: Api) -> None:
    shop = await api.sign_up(channels=["email"])

    reply = await shop.post()

    assert reply.status == 200


@ON_SQLITE
async def test_an_unknown_category_is_answered_with_the_nearest_names(shop: Program) -> None:
    reply = await shop.post({"category": "sales"})

    assert reply.verdict == (404, "category_not_found")
    assert "'sales'" in reply.body["message"]
    assert "'sale'" in reply.body["message"]
    assert await shop.charged_events() == 0


@ON_SQLITE
async def test_a_category_like_no_other_is_answered_with_those_there_are(shop: Program) -> None:
    reply = await shop.post({"category": "x"})

    assert all(name in reply.body["message"] for name in ("'bug'", "'question'", "'sale'"))


@ON_SQLITE
async def test_another_accounts_categories_are_not_ones_own(api: Api, shop: Program) -> None:
    bakery = await api.sign_up("bakery@example.com")
    await bakery.post({"category": "sale"})

    reply = await shop.post({"category": "bakery-only"})

    assert reply.verdict == (404, "category_not_found")


async def test_a_used_up_month_is_told_with_its_end(api: Api) -> None:
    shop = await api.sign_up(monthly_events=2)
    accepted = [await shop.post(), await shop.post()]

    reply = await shop.post()

    assert [each.status for each in accepted] == [200, 200]
    assert reply.verdict == (429, "quota_exceeded")
    assert reply.headers["Retry-After"] == "648000"  # seven and a half days
    assert (reply.body["limit"], reply.body["resetDate"]) == (2, "2026-12-01T00:00:00.000Z")
    assert (await shop.stored_events(), await shop.charged_events()) == (2, 2)


@ON_SQLITE
async def test_a_new_month_starts_anew_when_the_refusal_said_so(api: Api) -> None:
    shop = await api.sign_up(monthly_events=1)
    await shop.post()
    refused = await shop.post()

    api.clock.advance(timedelta(seconds=int(refused.headers["Retry-After"])))

    assert (await shop.post()).status == 200
    assert (await shop.post()).verdict == (429, "quota_exceeded")


@ON_SQLITE
async def test_a_larger_plan_counts_at_once(api: Api) -> None:
    shop = await api.sign_up(monthly_events=0)
    refused = await shop.post()

    await set_plan(shop.account, Plan.FREE, 1)

    assert refused.verdict == (429, "quota_exceeded")
    assert (await shop.post()).status == 200


@ON_SQLITE
async def test_a_stopping_daemon_takes_no_event(shop: Program) -> None:
    shop.api.services.stopping = True

    reply = await shop.post()

    assert reply.verdict == (503, "shutting_down")
    assert int(reply.headers["Retry-After"]) > 0
    assert reply.headers["Connection"] == "close"
    assert await shop.stored_events() == 0
