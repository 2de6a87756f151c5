"""Reading: one event, the month's quota, the daemon's health."""

from datetime import timedelta

import pytest

from api.replies import time_text
from models import Delivery, Plan
from pingpilot import __version__
from pingpilot.telemetry.health import State
from tests.support.composition import DAEMON

from .api import ON_SQLITE, SALE, Api, Program


async def test_an_event_is_shown_with_its_deliveries(api: Api) -> None:
    shop = await api.sign_up(channels=["telegram", "email"])
    await shop.link("telegram")
    event_id = (await shop.post({**SALE, "description": "A lamp", "fields": {"b": 1, "a": True}})).body[
        "eventId"
    ]

    reply = await shop.get(f"/api/v1/events/{event_id}")

    untouched = {"status": "pending", "attempts": 0, "lastError": None, "deliveredAt": None}
    due = {"nextAttemptAt": "2026-11-23T12:00:00.000Z"}
    assert reply.status == 200
    assert reply.body == {
        "id": event_id,
        "category": "sale",
        "title": None,
        "url": None,
        "description": "A lamp",
        "fields": {"b": 1, "a": True},
        "createdAt": "2026-11-23T12:00:00.000Z",
        "deliveryStatus": "PENDING",
        "deliveries": [
            {"destination": name, "channel": name, **untouched, **due} for name in ("telegram", "email")
        ],
    }


@ON_SQLITE
@pytest.mark.parametrize(
    ("telegram", "email", "status"),
    [
        ("pending", "delivered", "PENDING"),
        ("sending", "failed", "PENDING"),
        ("failed", "delivered", "FAILED"),
        ("delivered", "delivered", "DELIVERED"),
        ("failed", "failed", "FAILED"),
    ],
)
async def test_an_events_status_follows_from_its_deliveries(
    api: Api, telegram: str, email: str, status: str
) -> None:
    shop = await api.sign_up(channels=["telegram", "email"])
    await shop.link("telegram")
    event_id = (await shop.post()).body["eventId"]
    await Delivery.filter(channel="telegram").update(status=telegram)
    await Delivery.filter(channel="email").update(status=email)

    reply = await shop.get(f"/api/v1/events/{event_id}")

    assert reply.body["deliveryStatus"] == status


@ON_SQLITE
async def test_an_event_without_channels_says_so(shop: Program) -> None:
    event_id = (await shop.post()).body["eventId"]

    reply = await shop.get(f"/api/v1/events/{event_id}")

    assert (reply.body["deliveryStatus"], reply.body["deliveries"]) == ("NO_CHANNEL", [])


@ON_SQLITE
async def test_another_accounts_event_is_as_good_as_none(api: Api, shop: Program) -> None:
    bakery = await api.sign_up("bakery@example.com")
    event_id = (await shop.post()).body["eventId"]

    foreign = await bakery.get(f"/api/v1/events/{event_id}")
    none = await bakery.get(f"/api/v1/events/evt_{'0' * 32}")

    assert foreign.verdict == (404, "not_found")
    assert foreign.body == none.body


@pytest.mark.parametrize(
    "event_id",
    ["evt_", "1", "evt_xyz", "EVT_{}", "{}", "evt_{}0", "evt_{}%0A", "%00", "%FF", "evt_{}'--", "💰"],
)
@ON_SQLITE
async def test_what_is_no_event_id_is_not_found(shop: Program, event_id: str) -> None:
    number = (await shop.post()).body["eventId"].removeprefix("evt_")

    reply = await shop.get(f"/api/v1/events/{event_id.format(number)}")

    assert reply.verdict == (404, "not_found")


async def test_the_quota_is_shown(shop: Program) -> None:
    await shop.post()
    await shop.post()

    reply = await shop.get("/api/v1/quota")

    assert reply.body == {
        "plan": "free",
        "eventsUsed": 2,
        "eventsLimit": 100,
        "eventsRemaining": 98,
        "resetDate": "2026-12-01T00:00:00.000Z",
        "categoriesUsed": 3,
    }


@ON_SQLITE
async def test_the_quota_of_a_plan_without_limit_has_none(api: Api) -> None:
    shop = await api.sign_up(plan=Plan.ENTERPRISE)
    await shop.post()

    quota = (await shop.get("/api/v1/quota")).body

    assert (quota["eventsUsed"], quota["eventsLimit"], quota["eventsRemaining"]) == (1, None, None)


@ON_SQLITE
async def test_the_quota_starts_anew_each_month(shop: Program) -> None:
    await shop.post()

    shop.api.clock.advance(timedelta(days=8))

    quota = (await shop.get("/api/v1/quota")).body
    assert (quota["eventsUsed"], quota["resetDate"]) == (0, "2027-01-01T00:00:00.000Z")


@ON_SQLITE
async def test_the_daemon_is_alive_even_while_it_stops(api: Api) -> None:
    before = await api.call("GET", "/healthz")

    api.services.stopping = True

    after = await api.call("GET", "/healthz")
    assert (before.status, before.body) == (after.status, after.body) == (200, {"status": "ok"})


@ON_SQLITE
async def test_the_daemon_is_ready_whatever_its_channels_do(api: Api) -> None:
    api.services.health.report("discord", State.UP)
    api.services.health.report("telegram", State.RETRYING, "No route to host.")

    reply = await api.call("GET", "/readyz")

    started = time_text(api.clock.now())
    assert reply.status == 200
    assert reply.body == {
        "status": "ready",
        "parts": {"database": "up", "discord": "up", "telegram": "retrying"},
        "reasons": {"telegram": "No route to host."},
        "daemons": [
            {
                "id": DAEMON.rpartition(":")[2],
                "version": __version__,
                "startedAt": started,
                "seenAt": started,
                "alive": True,
                "answering": True,
            }
        ],
        "leaders": [],
    }


@ON_SQLITE
async def test_a_stopping_daemon_is_not_ready(api: Api) -> None:
    api.services.stopping = True

    reply = await api.call("GET", "/readyz")

    assert (reply.status, reply.body["status"], reply.body["parts"]) == (503, "stopping", {"database": "up"})
