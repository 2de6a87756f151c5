"""`Prefer: wait=N`: the reply comes when the event's deliveries are settled."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from pingpilot.errors import PermanentFailure, TemporaryFailure

from .api import ON_SQLITE, SALE, Api, Program
from .channels import ScriptedChannel, dispatching

UNREADABLE = [
    "",
    "wait",
    "wait=",
    "wait=0",
    "wait=-5",
    "wait=+5",
    "wait=1.5",
    "wait=soon",
    "wait=5s",
    "wait 5",
]
UNREADABLE += ["waiting=5", "nowait=5", "respond-async", f"wait={'9' * 5000}", "wait=5wait=6", "💤"]


@pytest.fixture
async def email(api: Api) -> AsyncIterator[ScriptedChannel]:
    async with dispatching(api, ScriptedChannel("email")) as channel:
        yield channel


@pytest.fixture
async def telegram(api: Api) -> AsyncIterator[ScriptedChannel]:
    async with dispatching(api, ScriptedChannel("telegram")) as channel:
        yield channel


@pytest.fixture
async def mailed(api: Api, email: ScriptedChannel) -> Program:
    """A program whose events go out by e-mail."""
    return await api.sign_up("mailed@example.com", channels=["email"])


async def test_the_reply_tells_that_the_event_was_delivered(mailed: Program, email: ScriptedChannel) -> None:
    reply = await mailed.post(SALE, Prefer="wait=20")

    (delivery,) = reply.body["deliveries"]
    assert reply.status == 200
    assert reply.body["deliveryStatus"] == "DELIVERED"
    assert (delivery["channel"], delivery["status"], delivery["attempts"]) == ("email", "delivered", 1)
    assert (delivery["lastError"], delivery["nextAttemptAt"]) == (None, None)
    assert delivery["deliveredAt"] == "2026-11-23T12:00:00.000Z"
    assert reply.headers["Preference-Applied"] == "wait=20"
    assert [f"evt_{each.event_id.hex}" for each in email.sent] == [reply.body["eventId"]]


async def test_a_delivery_that_failed_for_good_is_an_error_of_a_stored_event(
    mailed: Program, email: ScriptedChannel
) -> None:
    email.failure = PermanentFailure("No such mailbox.")

    reply = await mailed.post(SALE, Prefer="wait=20")

    event = await mailed.get(f"/api/v1/events/{reply.body['eventId']}")
    assert reply.verdict == (500, "processing_failed")
    assert reply.body["deliveryStatus"] == "FAILED"
    assert reply.body["deliveries"][0]["lastError"] == "No such mailbox."
    assert "E-mail" in reply.body["message"]
    assert event.body["deliveries"] == reply.body["deliveries"]
    assert await mailed.charged_events() == 1


@ON_SQLITE
async def test_one_failed_channel_among_others_is_named(
    mailed: Program, email: ScriptedChannel, telegram: ScriptedChannel
) -> None:
    await mailed.link("telegram")
    telegram.failure = PermanentFailure("Forbidden")

    reply = await mailed.post(SALE, Prefer="wait=20")

    standing = [(each["channel"], each["status"]) for each in reply.body["deliveries"]]
    assert reply.verdict == (500, "processing_failed")
    assert standing == [("telegram", "failed"), ("email", "delivered")]
    assert "Telegram" in reply.body["message"]
    assert "E-mail" not in reply.body["message"]


@ON_SQLITE
async def test_the_reply_waits_for_the_slowest_channel(
    mailed: Program, email: ScriptedChannel, telegram: ScriptedChannel
) -> None:
    await mailed.link("telegram")
    telegram.gate.clear()
    posting = asyncio.create_task(mailed.post(SALE, Prefer="wait=20"))
    async with asyncio.timeout(10):
        await telegram.reached.wait()
    was_done = posting.done()

    telegram.gate.set()

    reply = await posting
    assert not was_done
    assert reply.body["deliveryStatus"] == "DELIVERED"


@ON_SQLITE
async def test_what_is_not_settled_in_time_is_pending(mailed: Program, email: ScriptedChannel) -> None:
    email.gate.clear()

    reply = await mailed.post(SALE, Prefer="wait=1")

    assert reply.status == 200
    assert reply.body["deliveryStatus"] == "PENDING"
    assert reply.body["deliveries"][0]["status"] == "sending"


@ON_SQLITE
async def test_a_delivery_that_is_tried_again_later_is_pending(
    mailed: Program, email: ScriptedChannel
) -> None:
    email.failure = TemporaryFailure("Try later.")

    reply = await mailed.post(SALE, Prefer="wait=1")

    (delivery,) = reply.body["deliveries"]
    assert reply.status == 200
    assert reply.body["deliveryStatus"] == "PENDING"
    assert (delivery["status"], delivery["attempts"], delivery["lastError"]) == ("pending", 1, "Try later.")
    assert delivery["nextAttemptAt"] > "2026-11-23T12:00:00.000Z"


@ON_SQLITE
async def test_a_stopping_daemon_lets_nobody_wait(mailed: Program, email: ScriptedChannel) -> None:
    email.gate.clear()
    posting = asyncio.create_task(mailed.post(SALE, Prefer="wait=30"))
    async with asyncio.timeout(10):
        await email.reached.wait()

    mailed.api.services.settlements.close()

    async with asyncio.timeout(10):
        reply = await posting
    assert reply.status == 200
    assert reply.body["deliveryStatus"] == "PENDING"


@ON_SQLITE
async def test_with_no_channel_switched_on_there_is_nothing_to_wait_for(shop: Program) -> None:
    reply = await shop.post(SALE, Prefer="wait=30")

    assert reply.status == 200
    assert (reply.body["deliveryStatus"], reply.body["deliveries"]) == ("NO_CHANNEL", [])


@ON_SQLITE
async def test_without_the_preference_the_reply_says_nothing_of_deliveries(
    mailed: Program, email: ScriptedChannel
) -> None:
    email.gate.clear()

    reply = await mailed.post()

    assert set(reply.body) == {"message", "eventId"}
    assert "Preference-Applied" not in reply.headers


@ON_SQLITE
async def test_a_repeat_may_wait_for_the_first_event(mailed: Program, email: ScriptedChannel) -> None:
    first = await mailed.post(SALE, Idempotency_Key="order-1", Prefer="wait=20")

    repeat = await mailed.post(SALE, Idempotency_Key="order-1", Prefer="wait=20")

    assert repeat.body == first.body
    assert repeat.headers["Idempotent-Replayed"] == "true"
    assert len(email.sent) == 1


@ON_SQLITE
@pytest.mark.parametrize(
    ("preference", "applied"),
    [
        ("wait=5", "wait=5"),
        ("Wait=5", "wait=5"),
        ('wait="5"', "wait=5"),
        ("wait = 5", "wait=5"),
        ("respond-async, wait=5", "wait=5"),
        ("wait=5, handling=lenient", "wait=5"),
        ("wait=30", "wait=30"),
        ("wait=31", "wait=30"),
        ("wait=999999999", "wait=30"),
    ],
)
async def test_a_wait_of_up_to_30_seconds_is_granted(shop: Program, preference: str, applied: str) -> None:
    reply = await shop.post(SALE, Prefer=preference)

    assert reply.headers["Preference-Applied"] == applied


@ON_SQLITE
@pytest.mark.parametrize(
    "preference",
    UNREADABLE,
)
async def test_a_preference_that_cannot_be_read_is_ignored(shop: Program, preference: str) -> None:
    reply = await shop.post(SALE, Prefer=preference)

    assert reply.status == 200
    assert reply.body["deliveryStatus"] == "NO_CHANNEL"
    assert "Preference-Applied" not in reply.headers
