"""`GET /api/v1/events`: an account's events, newest first, page by page."""

import asyncio
from typing import Any

import pytest

from api.shapes.events import ShownEvents
from models import Delivery, Event
from models.ids import parse_event_id
from pingpilot.events.history import EventStatus
from pingpilot.events.notices import post_notice

from .api import ON_SQLITE, SALE, Api, Program

EVENTS = "/api/v1/events"
FORGED = ["", "1", "null", "a" * 21, "a" * 23, "AZlO5aXkcACAAAAAAAAAAB", "%00" * 22, "évt", "'--"]


@pytest.fixture
async def mailed(api: Api) -> Program:
    """A program whose events go out by e-mail."""
    return await api.sign_up("mailed@example.com", channels=["email"])


async def post(program: Program, *categories: str) -> list[str]:
    """Post an event of each category; return their ids, newest first."""
    replies = [await program.post({"category": each}) for each in categories]
    return [reply.body["eventId"] for reply in reversed(replies)]


async def settle(program: Program, event_id: str, status: str) -> None:
    await Delivery.filter(event_id=parse_event_id(event_id)).update(status=status)


async def walk(program: Program, query: str = "", **between: Any) -> list[list[str]]:
    """Return the ids of each page up to the last."""
    pages, cursor = [], ""
    while True:
        body = (await program.get(f"{EVENTS}?{query}{cursor}")).body
        pages.append([each["id"] for each in body["events"]])
        if body["nextCursor"] is None:
            return pages
        cursor = f"&cursor={body['nextCursor']}"
        for change in between.values():
            await change()


def flat(pages: list[list[str]]) -> list[str]:
    return [each for page in pages for each in page]


async def test_events_are_listed_as_they_are_shown_one_by_one(mailed: Program) -> None:
    ids = await post(mailed, "sale", "bug")
    await settle(mailed, ids[0], "failed")

    reply = await mailed.get(EVENTS)

    shown = [(await mailed.get(f"{EVENTS}/{each}")).body for each in ids]
    assert reply.status == 200
    assert reply.body == {"events": shown, "nextCursor": None}
    assert [each["deliveryStatus"] for each in shown] == ["FAILED", "PENDING"]
    assert ShownEvents.model_validate_json(reply.text).events[0].category == "bug"


@ON_SQLITE
async def test_an_account_without_events_has_an_empty_page(shop: Program) -> None:
    reply = await shop.get(EVENTS)

    assert reply.body == {"events": [], "nextCursor": None}


@pytest.mark.parametrize(("limit", "sizes"), [(1, [1] * 5), (2, [2, 2, 1]), (5, [5]), (100, [5])])
async def test_pages_hold_what_was_asked_for_and_the_last_says_so(
    shop: Program, limit: int, sizes: list[int]
) -> None:
    ids = await post(shop, *["sale"] * 5)

    pages = await walk(shop, f"limit={limit}")

    assert [len(page) for page in pages] == sizes
    assert flat(pages) == ids


@ON_SQLITE
async def test_a_page_holds_fifty_unless_told_otherwise(shop: Program) -> None:
    await asyncio.gather(*(shop.post() for _ in range(51)))

    pages = await walk(shop)

    assert [len(page) for page in pages] == [50, 1]


async def test_what_comes_in_or_changes_meanwhile_is_neither_skipped_nor_repeated(mailed: Program) -> None:
    ids = await post(mailed, *["sale"] * 6)

    async def another() -> None:
        await post(mailed, "sale")

    async def settled() -> None:
        await settle(mailed, ids[1], "delivered")
        await settle(mailed, ids[4], "failed")

    pages = await walk(mailed, "limit=2", another=another, settled=settled)

    assert flat(pages) == ids


async def test_a_walk_by_status_shows_what_has_it_when_its_turn_comes(mailed: Program) -> None:
    ids = await post(mailed, *["sale"] * 4)

    async def delivered() -> None:
        await settle(mailed, ids[0], "delivered")  # was shown
        await settle(mailed, ids[1], "delivered")  # comes next

    pages = await walk(mailed, "limit=1&status=PENDING", delivered=delivered)

    assert flat(pages) == [ids[0], ids[2], ids[3]]


async def test_a_category_is_listed_alone_even_when_it_is_gone(shop: Program) -> None:
    sale, bug, first = await post(shop, "sale", "bug", "sale")
    await shop.ask("DELETE", "/api/v1/categories/sale")

    listed = await walk(shop, "category=sale")
    none = await walk(shop, "category=unheard-of")

    assert (listed, none) == ([[sale, first]], [[]])
    assert bug not in flat(listed)


async def test_each_status_is_listed_alone(mailed: Program) -> None:
    ids = await post(mailed, *["sale"] * 5, "bug")
    statuses = ["failed", "pending", "held", "sending", "delivered", "failed"]
    for event_id, status in zip(ids, statuses, strict=True):
        await settle(mailed, event_id, status)

    listed = {each: flat(await walk(mailed, f"status={each}&limit=2")) for each in EventStatus}
    failed_sales = flat(await walk(mailed, "status=FAILED&category=sale"))

    assert listed == {
        "PENDING": ids[1:4],
        "DELIVERED": [ids[4]],
        "FAILED": [ids[0], ids[5]],
        "NO_CHANNEL": [],
    }
    assert failed_sales == [ids[5]]


@pytest.mark.parametrize(
    ("first", "second", "fallback", "status"),
    [
        ("failed", "delivered", "held", "PENDING"),
        ("failed", "delivered", "delivered", "DELIVERED"),
        ("failed", "delivered", "failed", "FAILED"),
        ("failed", "failed", "delivered", "DELIVERED"),
        ("failed", "failed", "failed", "FAILED"),
        ("delivered", "delivered", "failed", "DELIVERED"),  # tried again by hand, with the fallback delivery
        ("delivered", "failed", "failed", "FAILED"),
    ],
)
async def test_a_fallback_delivery_makes_up_for_what_failed(
    mailed: Program, first: str, second: str, fallback: str, status: str
) -> None:
    ids = await post(mailed, "sale")
    await settle(mailed, ids[0], first)
    own = await Delivery.get()
    for channel, its_status, replaced in (("discord", second, None), ("telegram", fallback, own.id)):
        await Delivery.create(
            event_id=own.event_id,
            account_id=own.account_id,
            channel=channel,
            destination=channel,
            status=its_status,
            fallback_for=replaced,
        )

    listed = [each for each in EventStatus if await walk(mailed, f"status={each}") == [ids]]
    shown = (await mailed.get(f"{EVENTS}/{ids[0]}")).body["deliveryStatus"]

    assert (listed, shown) == ([status], status)


@ON_SQLITE
async def test_an_event_without_channels_is_listed_as_such(shop: Program) -> None:
    ids = await post(shop, "sale")

    assert await walk(shop, "status=NO_CHANNEL") == [ids]
    assert await walk(shop, "status=DELIVERED") == [[]]
    assert await walk(shop, "status=PENDING") == [[]]


async def test_notices_are_not_listed(mailed: Program) -> None:
    ids = await post(mailed, "sale")
    await post_notice(mailed.account.id, "Telegram is linked.", now=mailed.api.clock.now())

    assert await Event.all().count() == 2
    assert await walk(mailed) == await walk(mailed, "status=PENDING") == [ids]
    assert (await mailed.get(f"{EVENTS}?category=PingPilot")).verdict == (422, "validation_error")


@pytest.mark.parametrize(
    "query", ["", "status=PENDING", "status=FAILED", "status=DELIVERED", "status=NO_CHANNEL", "category=sale"]
)
async def test_other_accounts_events_are_never_listed(shop: Program, mailed: Program, query: str) -> None:
    for event_id, status in zip(await post(mailed, *["sale"] * 3), ["failed", "delivered"], strict=False):
        await settle(mailed, event_id, status)

    assert await walk(shop, query) == [[]]


@ON_SQLITE
async def test_a_cursor_of_another_account_shows_ones_own_events_alone(
    shop: Program, mailed: Program
) -> None:
    own = await post(shop, "sale")
    await post(mailed, *["sale"] * 2)
    cursor = (await mailed.get(f"{EVENTS}?limit=1")).body["nextCursor"]

    reply = await shop.get(f"{EVENTS}?cursor={cursor}")

    assert [each["id"] for each in reply.body["events"]] == own


@ON_SQLITE
async def test_a_cursor_is_a_place_from_which_any_filter_goes_on(shop: Program) -> None:
    _, bug, _ = await post(shop, "sale", "bug", "sale")
    cursor = (await shop.get(f"{EVENTS}?limit=1")).body["nextCursor"]

    reply = await shop.get(f"{EVENTS}?cursor={cursor}&category=bug")

    assert [each["id"] for each in reply.body["events"]] == [bug]


@ON_SQLITE
@pytest.mark.parametrize("cursor", FORGED)
async def test_a_forged_cursor_is_named(shop: Program, cursor: str) -> None:
    reply = await shop.get(f"{EVENTS}?cursor={cursor}")

    assert reply.verdict == (422, "validation_error")
    assert reply.faults == ["cursor"]


@ON_SQLITE
@pytest.mark.parametrize(
    ("query", "faults"),
    [
        *((f"limit={each}", ["limit"]) for each in ("0", "101", "-1", "", "1.5", "+5", "٣", "1e1", "1000")),
        *((f"status={each}", ["status"]) for each in ("failed", "", "SENDING", "FAILED,PENDING")),
        *((f"category={each}", ["category"]) for each in ("", "Sale", "a" * 65, "%00", "%F0%9F%90%9B")),
        ("page=2", ["page"]),
        ("limit=1&limit=2", ["limit"]),
        ("status=FAILED&status=FAILED", ["status"]),
        ("limit=0&sort=up&status=x", ["limit", "sort", "status"]),
    ],
)
async def test_every_wrong_parameter_is_named(shop: Program, query: str, faults: list[str]) -> None:
    reply = await shop.get(f"{EVENTS}?{query}")

    assert reply.verdict == (422, "validation_error")
    assert sorted(reply.faults) == faults


@ON_SQLITE
async def test_listing_charges_nothing(shop: Program) -> None:
    await shop.post(SALE)

    reply = await shop.get(EVENTS)

    assert reply.headers["RateLimit"] == '"month";r=99;t=648000'
    assert await shop.charged_events() == 1
