"""`GET /metrics`: what is counted, and that it answers whatever happens."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import asyncpg
import pytest

from models import Delivery, DeliveryStatus, Destination
from pingpilot.channels import CHANNELS
from pingpilot.delivery.backlog import FRESH, Backlog
from pingpilot.storage.answers import PATIENCE
from pingpilot.telemetry.health import State
from tests.support.metrics import Samples
from tests.support.waiting import comes_true, eventually

from .api import ON_SQLITE, SALE, Api, Program
from .test_storage_failures import ON_POSTGRES, Gate, gate, no_room_for_events

__all__ = ["gate"]

REQUESTS = "pingpilot_http_requests_total"
DEPTH, AGE = "pingpilot_queue_depth", "pingpilot_queue_oldest_age_seconds"
NONE = dict.fromkeys(CHANNELS, 0.0)


async def scrape(api: Api) -> Samples:
    reply = await api.call("GET", "/metrics")
    assert reply.status == 200
    return Samples(reply.text)


async def scrape_anew(api: Api) -> Samples:
    """Return what is shown once the last look at the queue is out of date."""
    api.clock.advance(FRESH)
    return await scrape(api)


def by_channel(samples: Samples, name: str) -> dict[str, float]:
    return {channel: value for (channel,), value in samples.by_label(name, "channel").items()}


async def test_destinations_are_counted_by_what_they_are(shop: Program) -> None:
    await shop.link("telegram")
    await shop.link("discord")
    await Destination.filter(channel="discord").update(suspended_reason="Gone.")

    samples = await scrape_anew(shop.api)

    assert samples.by_label("pingpilot_destinations", "channel", "kind", "state") == {
        ("discord", "direct", "suspended"): 1,
        ("email", "direct", "off"): 1,
        ("telegram", "direct", "usable"): 1,
    }


@ON_SQLITE
async def test_requests_are_counted_by_call_and_status(shop: Program) -> None:
    posted = [await shop.post() for _ in range(3)]
    event_id = posted[0].body["eventId"]
    for path in (f"/api/v1/events/{event_id}", "/api/v1/events/evt_unknown", "/favicon.ico"):
        await shop.get(path)
    await shop.api.call("GET", "/api/v1/quota")
    await shop.call("PATCH", "/api/v1/quota")
    await shop.call("HEAD", "/healthz")
    await shop.send(b"{")
    await scrape(shop.api)

    samples = await scrape(shop.api)

    assert samples.by_label(REQUESTS, "call", "status") == {
        ("POST /api/v1/event", "200"): 3,
        ("POST /api/v1/event", "400"): 1,
        ("GET /api/v1/events/{event_id}", "200"): 1,
        ("GET /api/v1/events/{event_id}", "404"): 1,
        ("GET /api/v1/quota", "401"): 1,
        ("HEAD /healthz", "200"): 1,
        ("GET /metrics", "200"): 1,
        ("other", "404"): 1,
        ("other", "405"): 1,
    }


@ON_SQLITE
async def test_no_caller_can_make_the_metrics_grow(shop: Program) -> None:
    async def ask_for(name: str) -> None:
        for path in (f"/{name}", f"/api/v1/events/{name}", f"/unsubscribe/{name}", f"/metrics?{name}"):
            await shop.get(path)
        await shop.call(name.upper(), "/api/v1/event")
        await shop.call("GET", "/healthz", headers={"Host": name, "X-Request-Id": name, "User-Agent": name})

    await ask_for("first")
    before = await scrape(shop.api)
    before = await scrape(shop.api)

    for number in range(20):
        await ask_for(f"name{number}")

    after = await scrape(shop.api)
    assert after.values.keys() == before.values.keys()


@ON_SQLITE
async def test_the_metrics_tell_nothing_of_accounts(api: Api) -> None:
    shop = await api.sign_up("ada.lovelace@example.com", channels=["email"])
    posted = await shop.post({"category": "sale", "description": "A lamp was sold"})

    text = (await api.call("GET", "/metrics")).text

    for secret in ("lovelace", shop.key, "sale", "lamp", posted.body["eventId"], "account"):
        assert secret not in text


async def test_accepted_events_and_their_commits_are_counted(shop: Program) -> None:
    await shop.post(Idempotency_Key="order-1")
    await shop.post(Idempotency_Key="order-1")
    await shop.post({"category": "unknown"})
    await shop.post()

    samples = await scrape(shop.api)

    assert samples.of("pingpilot_events_accepted_total") == 2
    assert samples.of("pingpilot_commit_events_count") == 4
    assert samples.of("pingpilot_commit_events_sum") == 2
    assert samples.of("pingpilot_commit_duration_seconds_count") == 4
    assert samples.of("pingpilot_commit_failures_total") == 0


@ON_SQLITE
async def test_commits_that_fail_are_counted(shop: Program) -> None:
    async with no_room_for_events():
        await shop.post()

    samples = await scrape(shop.api)

    assert samples.of("pingpilot_commit_failures_total") == 1
    assert samples.of("pingpilot_events_accepted_total") == 0
    assert samples.of("pingpilot_commit_events_count") == 0
    assert samples.of(REQUESTS, call="POST /api/v1/event", status="500") == 1


async def test_the_queue_is_shown_by_channel_with_its_oldest(api: Api) -> None:
    shop = await api.sign_up(channels=["email", "telegram"])
    await shop.link("telegram")
    await shop.post()
    api.clock.advance_seconds(90)
    await shop.post()
    first = await Delivery.filter(channel="telegram").order_by("id").first()
    assert first
    await Delivery.filter(id=first.id).update(status=DeliveryStatus.DELIVERED)
    api.clock.advance_seconds(30)

    samples = await scrape_anew(api)

    assert by_channel(samples, DEPTH) == {**NONE, "email": 2, "telegram": 1}
    assert by_channel(samples, AGE) == {**NONE, "email": 125, "telegram": 35}
    assert by_channel(samples, "pingpilot_queue_held") == NONE


async def test_what_is_being_sent_is_in_the_queue_and_what_waits_for_quiet_hours_is_apart(api: Api) -> None:
    shop = await api.sign_up(channels=["email"])
    for status in (DeliveryStatus.HELD, DeliveryStatus.SENDING, DeliveryStatus.FAILED):
        await shop.post()
        await Delivery.filter(status=DeliveryStatus.PENDING).update(status=status)
        api.clock.advance_seconds(10)

    samples = await scrape_anew(api)

    assert by_channel(samples, DEPTH) == {**NONE, "email": 1}
    assert by_channel(samples, AGE) == {**NONE, "email": 25}
    assert by_channel(samples, "pingpilot_queue_held") == {**NONE, "email": 1}


@ON_SQLITE
async def test_the_queue_is_looked_up_now_and_then_however_often_it_is_asked_for(api: Api) -> None:
    shop = await api.sign_up(channels=["email"])
    await scrape(api)
    await shop.post()

    at_once = await scrape(api)
    later = await scrape_anew(api)

    assert by_channel(at_once, DEPTH) == NONE
    assert by_channel(later, DEPTH) == {**NONE, "email": 1}


@ON_SQLITE
async def test_a_part_is_in_one_state(api: Api) -> None:
    api.services.health.report("telegram", State.UP)
    before = await scrape(api)
    api.services.health.report("telegram", State.PAUSED, "Telegram refuses the bot's token.")

    after = await scrape(api)

    name, labels = "pingpilot_part_state", ("part", "state")
    states = [("telegram", state.value) for state in State]
    assert before.by_label(name, *labels) == {**dict.fromkeys(states, 0), ("telegram", "up"): 1}
    assert after.by_label(name, *labels) == {**dict.fromkeys(states, 0), ("telegram", "paused"): 1}


@ON_SQLITE
@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("*/*", "text/plain; version=0.0.4; charset=utf-8"),
        ("text/plain;version=x;escaping=x", "text/plain; version=0.0.4; charset=utf-8"),
        (
            "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5",
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
        ),
        (
            "application/openmetrics-text;version=²;escaping=x",
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
        ),
    ],
)
async def test_the_form_is_chosen_by_what_is_accepted(api: Api, accept: str, content_type: str) -> None:
    reply = await api.call("GET", "/metrics", headers={"Accept": accept})

    assert (reply.status, reply.headers["Content-Type"]) == (200, content_type)
    assert reply.text.endswith("# EOF\n") == content_type.startswith("application")


@ON_POSTGRES
async def test_while_the_database_is_away_all_but_the_queue_is_shown(shop: Program, gate: Gate) -> None:
    await shop.post()
    before = await scrape(shop.api)
    await gate(False)

    during = await scrape_anew(shop.api)
    await gate(True)
    afterwards = await scrape_anew(shop.api)

    shown = [each.of("pingpilot_database_up") for each in (before, during, afterwards)]
    assert shown == [1, 0, 1]
    assert by_channel(before, DEPTH) == by_channel(afterwards, DEPTH) == NONE
    assert by_channel(during, DEPTH) == by_channel(during, AGE) == {}
    assert during.of("pingpilot_events_accepted_total") == 1


@asynccontextmanager
async def deliveries_locked(url: str) -> AsyncIterator[asyncpg.Connection]:
    """Let every question about deliveries wait; gives a connection to look from."""
    holder = await asyncpg.connect(url)
    try:
        async with holder.transaction():
            await holder.execute("LOCK TABLE deliveries IN ACCESS EXCLUSIVE MODE")
            yield holder
    finally:
        await holder.close()


async def waiting_for_a_lock(connection: asyncpg.Connection) -> int:
    sql = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'deliveries'::regclass"
    return int(await connection.fetchval(sql))


def impatient(api: Api, patience: timedelta) -> None:
    api.services.backlog = Backlog(metrics=api.services.metrics, clock=api.clock, patience=patience)


@ON_POSTGRES
async def test_a_database_that_hangs_is_asked_once_and_not_waited_for(shop: Program, database: str) -> None:
    impatient(shop.api, timedelta(milliseconds=50))

    async with deliveries_locked(database) as connection:
        during = [await scrape_anew(shop.api) for _ in range(3)]
        questions = await waiting_for_a_lock(connection)

    await comes_true(lambda: database_is_up(shop.api), "the database to answer")
    assert questions == 1
    assert [each.of("pingpilot_database_up") for each in during] == [0, 0, 0]
    assert [by_channel(each, DEPTH) for each in during] == [{}, {}, {}]


async def database_is_up(api: Api) -> bool:
    return (await scrape_anew(api)).of("pingpilot_database_up") == 1


@ON_POSTGRES
async def test_a_stopping_daemon_answers_it_and_does_not_wait_for_it(api: Api, database: str) -> None:
    impatient(api, PATIENCE)
    api.services.stopping = True

    async with deliveries_locked(database) as connection:
        scraping = asyncio.create_task(scrape(api))
        await eventually(lambda: waiting_for_a_lock(connection), 1)
        await api.services.in_flight.none(timedelta(seconds=10))
        was_waited_for = scraping.done()

    assert not was_waited_for
    assert (await scraping).of("pingpilot_events_accepted_total") == 0


@ON_SQLITE
async def test_what_a_stopping_daemon_refuses_is_counted(shop: Program) -> None:
    shop.api.services.stopping = True
    await shop.post(SALE)

    samples = await scrape(shop.api)

    assert samples.of(REQUESTS, call="POST /api/v1/event", status="503") == 1
