"""`POST /api/v1/events/{eventId}/retry`: what failed goes out again, with its history."""

import pytest

from models import Delivery, DeliveryAttempt
from pingpilot.errors import PermanentFailure, TemporaryFailure
from tests.support.waiting import comes_true

from .api import ON_SQLITE, SALE, Api, Program
from .channels import ScriptedChannel, dispatching


async def test_a_failed_delivery_goes_out_again_and_keeps_its_history(api: Api) -> None:
    program = await api.sign_up("mailed@example.com", channels=["email"])
    async with dispatching(api, ScriptedChannel("email")) as email:
        email.failure = PermanentFailure("Mailbox full.")
        event_id = (await program.post(SALE, Prefer="wait=20")).body["eventId"]

        email.failure = None
        retried = await program.call("POST", f"/api/v1/events/{event_id}/retry")
        await _settled(program, event_id, email)

    shown = (await program.get(f"/api/v1/events/{event_id}")).body
    history = await DeliveryAttempt.all().order_by("id")
    assert retried.status == 200
    assert retried.body["id"] == event_id
    assert shown["deliveryStatus"] == "DELIVERED"
    assert [each.outcome for each in history] == ["failed", "delivered"]
    assert [each.description for each in email.sent] == ["A new sale event has occurred!"]


async def test_a_retried_delivery_has_a_whole_round_of_attempts(api: Api) -> None:
    program = await api.sign_up("mailed@example.com", channels=["email"])
    async with dispatching(api, ScriptedChannel("email")) as email:
        email.failure = TemporaryFailure("Busy.")
        event_id = (await program.post(SALE)).body["eventId"]
        for attempt in range(1, 10):
            await _attempted(attempt, email)
            api.clock.advance_days(1)
        failed = await Delivery.get()

        await program.call("POST", f"/api/v1/events/{event_id}/retry")
        await _attempted(10, email)
        retried = await Delivery.get()

    assert (failed.status, failed.attempts) == ("failed", 9)
    assert (retried.status, retried.attempts) == ("pending", 10)


@ON_SQLITE
async def test_nothing_is_charged_and_what_was_delivered_is_not_sent_again(api: Api) -> None:
    program = await api.sign_up("mailed@example.com", channels=["email"])
    async with dispatching(api, ScriptedChannel("email")) as email:
        event_id = (await program.post(SALE, Prefer="wait=20")).body["eventId"]

        retried = await program.call("POST", f"/api/v1/events/{event_id}/retry")

    assert retried.body["deliveryStatus"] == "DELIVERED"
    assert len(email.sent) == 1
    assert await program.charged_events() == 1


@ON_SQLITE
@pytest.mark.parametrize("event_id", ["evt_00000000000000000000000000000000", "nonsense"])
async def test_an_event_that_is_not_there_is_not_found(shop: Program, event_id: str) -> None:
    reply = await shop.call("POST", f"/api/v1/events/{event_id}/retry")

    assert reply.verdict == (404, "not_found")


@ON_SQLITE
async def test_another_accounts_event_is_not_found_and_not_touched(api: Api, shop: Program) -> None:
    program = await api.sign_up("mailed@example.com", channels=["email"])
    async with dispatching(api, ScriptedChannel("email")) as email:
        email.failure = PermanentFailure("Mailbox full.")
        event_id = (await program.post(SALE, Prefer="wait=20")).body["eventId"]

        reply = await shop.call("POST", f"/api/v1/events/{event_id}/retry")

    assert reply.verdict == (404, "not_found")
    assert (await Delivery.get()).status == "failed"


@ON_SQLITE
async def test_without_a_key_nothing_is_retried(api: Api) -> None:
    reply = await api.call("POST", "/api/v1/events/evt_00000000000000000000000000000000/retry")

    assert reply.verdict == (401, "missing_authorization")


async def _settled(program: Program, event_id: str, channel: ScriptedChannel) -> None:
    async def done() -> bool:
        shown = await program.get(f"/api/v1/events/{event_id}")
        return bool(shown.body["deliveryStatus"] != "PENDING")

    await comes_true(done, f"{channel.name} to settle")


async def _attempted(count: int, channel: ScriptedChannel) -> None:
    async def done() -> bool:
        return (await Delivery.get()).attempts >= count

    await comes_true(done, f"attempt {count} on {channel.name}")
