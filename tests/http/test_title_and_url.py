"""An event's title and the address that it leads to."""

from typing import Any

import pytest

from .api import ON_SQLITE, SALE, Program

ORDER = {**SALE, "title": "Order 1042 – **paid**", "url": "https://shop.example.com/orders/1042?a=1&b=2#x"}


async def test_title_and_url_are_stored_as_they_were_sent(shop: Program) -> None:
    event_id = (await shop.post(ORDER)).body["eventId"]

    shown = (await shop.get(f"/api/v1/events/{event_id}")).body
    [listed] = (await shop.get("/api/v1/events")).body["events"]
    assert (shown["title"], shown["url"]) == (ORDER["title"], ORDER["url"])
    assert listed == shown


@ON_SQLITE
@pytest.mark.parametrize("nothing", [None, "", " \t "])
async def test_blank_ones_are_none(shop: Program, nothing: str | None) -> None:
    reply = await shop.post({**SALE, "title": nothing, "url": nothing})

    event = (await shop.get(f"/api/v1/events/{reply.body['eventId']}")).body
    assert (event["title"], event["url"]) == (None, None)


@ON_SQLITE
@pytest.mark.parametrize("title", ["t" * 200, "𝔘" * 200, "ä <b>&\"'"])
async def test_a_title_of_200_characters_is_taken(shop: Program, title: str) -> None:
    assert (await shop.post({**SALE, "title": title})).status == 200


@ON_SQLITE
@pytest.mark.parametrize(
    "url",
    [
        "http://nas:8080/",
        "HTTPS://EXAMPLE.COM",
        "https://[2001:db8::1]/a",
        "https://bücher.example/ä?ö=ü",
        "https://x.example/" + "p" * 1982,
    ],
)
async def test_any_http_address_of_2000_characters_is_taken(shop: Program, url: str) -> None:
    reply = await shop.post({**SALE, "url": url})

    assert (await shop.get(f"/api/v1/events/{reply.body['eventId']}")).body["url"] == url


@ON_SQLITE
@pytest.mark.parametrize(
    ("member", "value", "sentence"),
    [
        ("title", "t" * 201, "up to 200 characters"),
        ("title", "two\nlines", "one line"),
        ("title", "two\u2028lines", "one line"),
        ("title", 7, "up to 200 characters"),
        ("title", "\x00", "NUL"),
        ("title", "\ud800", "lone surrogates"),
        ("url", "https://x.example/" + "p" * 1983, "up to 2,000 characters"),
        ("url", "x.example", "such as https://example.com/1"),
        ("url", "javascript:alert(1)", "http or https"),
        ("url", "ftp://x.example/", "http or https"),
        ("url", "https://", "http or https"),
        ("url", "https:///path", "http or https"),
        ("url", "https://x.example/a b", "without spaces"),
        ("url", "https://x.example/\n", "without spaces"),
        ("url", ["https://x.example/"], "must be an address"),
    ],
)
async def test_what_is_no_title_or_address_is_refused(
    shop: Program, member: str, value: Any, sentence: str
) -> None:
    reply = await shop.post({**SALE, member: value})

    assert reply.verdict == (422, "validation_error")
    assert reply.faults == [member]
    assert sentence in reply.body["message"]


@ON_SQLITE
@pytest.mark.parametrize("change", [{"title": "Order 1043"}, {"url": None}, {"title": None, "url": None}])
async def test_another_title_or_url_makes_another_body(shop: Program, change: dict[str, Any]) -> None:
    await shop.post(ORDER, Idempotency_Key="order-1")
    repeat = await shop.post(ORDER, Idempotency_Key="order-1")

    other = await shop.post({**ORDER, **change}, Idempotency_Key="order-1")

    assert repeat.headers["Idempotent-Replayed"] == "true"
    assert other.verdict == (422, "idempotency_key_reused")
