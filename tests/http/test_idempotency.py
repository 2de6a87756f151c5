"""Posting again under the same Idempotency-Key."""

from datetime import timedelta

import pytest

from models import Delivery, Plan

from .api import EVENT, ON_SQLITE, SALE, Api, Program

LAMP = {**SALE, "description": "A lamp", "fields": {"amount": 1, "currency": "EUR"}}
DAY = timedelta(hours=24)


async def test_a_repeat_answers_the_first_event_and_does_nothing_else(api: Api) -> None:
    shop = await api.sign_up(channels=["email"])
    first = await shop.post(LAMP, Idempotency_Key="order-1")

    second = await shop.post(LAMP, Idempotency_Key="order-1")

    assert second.status == 200
    assert second.body == first.body
    assert second.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers
    assert (await shop.stored_events(), await shop.charged_events()) == (1, 1)
    assert await Delivery.filter(account_id=shop.account.id).count() == 1


@ON_SQLITE
async def test_another_body_under_a_used_key_is_refused(shop: Program) -> None:
    await shop.post(LAMP, Idempotency_Key="order-1")

    reply = await shop.post({**LAMP, "description": "Another lamp"}, Idempotency_Key="order-1")

    assert reply.verdict == (422, "idempotency_key_reused")
    assert (await shop.stored_events(), await shop.charged_events()) == (1, 1)


@ON_SQLITE
@pytest.mark.parametrize(
    "change",
    [
        {"category": "bug"},
        {"description": None},
        {"fields": {}},
        {"fields": {"amount": True, "currency": "EUR"}},
        {"fields": {"amount": "1", "currency": "EUR"}},
        {"fields": {"currency": "EUR", "amount": 1}},
    ],
    ids=str,
)
async def test_any_difference_that_is_seen_makes_another_body(
    shop: Program, change: dict[str, object]
) -> None:
    await shop.post(LAMP, Idempotency_Key="order-1")

    reply = await shop.post({**LAMP, **change}, Idempotency_Key="order-1")

    assert reply.verdict == (422, "idempotency_key_reused")


@ON_SQLITE
async def test_bodies_that_say_the_same_are_the_same(shop: Program) -> None:
    first = await shop.send(b'{"category": "sale", "description": "\\u00e4"}', Idempotency_Key="order-1")

    second = await shop.send(
        '{\n"fields": {}, "description": "ä",\n"category": "sale"}'.encode(), Idempotency_Key="order-1"
    )

    assert second.headers["Idempotent-Replayed"] == "true"
    assert second.body == first.body


async def test_a_key_is_remembered_for_a_day_and_then_free_again(shop: Program) -> None:
    first = await shop.post(LAMP, Idempotency_Key="order-1")

    shop.api.clock.advance(DAY - timedelta(seconds=1))
    repeat = await shop.post(LAMP, Idempotency_Key="order-1")
    shop.api.clock.advance(timedelta(seconds=1))
    later = await shop.post(SALE, Idempotency_Key="order-1")
    its_repeat = await shop.post(SALE, Idempotency_Key="order-1")

    assert repeat.body["eventId"] == first.body["eventId"]
    assert later.body["eventId"] != first.body["eventId"]
    assert "Idempotent-Replayed" not in later.headers
    assert its_repeat.body["eventId"] == later.body["eventId"]
    assert await shop.stored_events() == 2


async def test_a_repeat_is_answered_when_the_month_is_used_up(api: Api) -> None:
    shop = await api.sign_up(monthly_events=1)
    first = await shop.post(LAMP, Idempotency_Key="order-1")
    fresh = await shop.post(LAMP, Idempotency_Key="order-2")

    repeat = await shop.post(LAMP, Idempotency_Key="order-1")

    assert fresh.verdict == (429, "quota_exceeded")
    assert repeat.body["eventId"] == first.body["eventId"]
    assert repeat.headers["RateLimit"] == '"month";r=0;t=648000'


async def test_a_repeat_is_answered_when_its_category_is_gone(shop: Program) -> None:
    first = await shop.post(LAMP, Idempotency_Key="order-1")
    await shop.ask("DELETE", "/api/v1/categories/sale")

    repeat = await shop.post(LAMP, Idempotency_Key="order-1")
    other = await shop.post(SALE, Idempotency_Key="order-1")
    fresh = await shop.post(LAMP)

    assert repeat.body == first.body
    assert repeat.headers["Idempotent-Replayed"] == "true"
    assert other.verdict == fresh.verdict == (404, "category_not_found")
    assert (await shop.stored_events(), await shop.charged_events()) == (1, 1)


@ON_SQLITE
async def test_a_refused_event_leaves_its_key_free(api: Api) -> None:
    shop = await api.sign_up(monthly_events=1)
    unknown = await shop.post({"category": "unheard-of"}, Idempotency_Key="order-1")

    reply = await shop.post(LAMP, Idempotency_Key="order-1")

    assert unknown.verdict == (404, "category_not_found")
    assert reply.status == 200
    assert "Idempotent-Replayed" not in reply.headers


@ON_SQLITE
async def test_accounts_have_keys_of_their_own(api: Api, shop: Program) -> None:
    bakery = await api.sign_up("bakery@example.com", plan=Plan.PRO)
    await shop.post(LAMP, Idempotency_Key="order-1")

    reply = await bakery.post(SALE, Idempotency_Key="order-1")

    assert reply.status == 200
    assert "Idempotent-Replayed" not in reply.headers
    assert (await shop.stored_events(), await bakery.stored_events()) == (1, 1)


@ON_SQLITE
async def test_both_addresses_share_their_keys(shop: Program) -> None:
    first = await shop.post(SALE, Idempotency_Key="order-1")

    repeat = await shop.call(
        "POST", "/api/v1/events", headers={"Idempotency-Key": "order-1"}, data=b'{"category":"sale"}'
    )

    assert repeat.body == first.body


@ON_SQLITE
@pytest.mark.parametrize("key", ["", " ", "two words", "a" * 256, "schlüssel", "tab\there"])
async def test_a_malformed_key_is_a_validation_error(shop: Program, key: str) -> None:
    reply = await shop.post(SALE, Idempotency_Key=key)

    assert reply.verdict == (422, "validation_error")
    assert reply.faults == ["Idempotency-Key"]
    assert await shop.charged_events() == 0


@ON_SQLITE
@pytest.mark.parametrize("key", ["a", "a" * 255, "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"])
async def test_a_key_of_visible_characters_is_taken(shop: Program, key: str) -> None:
    first = await shop.post(SALE, Idempotency_Key=key)

    repeat = await shop.post(SALE, Idempotency_Key=key)

    assert first.status == 200
    assert repeat.headers["Idempotent-Replayed"] == "true"


@ON_SQLITE
async def test_keys_differ_by_case(shop: Program) -> None:
    first = await shop.post(SALE, Idempotency_Key="order")

    other = await shop.post(SALE, Idempotency_Key="ORDER")

    assert first.body["eventId"] != other.body["eventId"]


@ON_SQLITE
async def test_two_keys_at_once_are_refused(shop: Program) -> None:
    request = (
        f"POST {EVENT} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {shop.key}\r\nIdempotency-Key: a\r\n"
        'Idempotency-Key: b\r\nContent-Length: 19\r\n\r\n{"category":"sale"}'
    )

    first_line = await shop.api.first_line_for(request.encode())

    assert first_line == "HTTP/1.1 422 Unprocessable Entity"
