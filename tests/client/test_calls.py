"""The clients against the API itself."""

import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from pingpilot.client import (
    CategoryNotFound,
    DeliveryFailed,
    DiscordIdNotSet,
    IdempotencyKeyReused,
    InvalidApiKey,
    NotFound,
    PayloadTooLarge,
    QuotaExceeded,
    TelegramUsernameNotSet,
    ValidationError,
)
from pingpilot.client.errors import FieldError
from pingpilot.errors import PermanentFailure
from tests.http.api import Api, Program
from tests.http.channels import ScriptedChannel, dispatching

from .conftest import Caller, Connect


@pytest.fixture
def caller(connect: Connect, api: Api, shop: Program) -> Caller:
    """A client with the shop's key."""
    return connect(api.url, shop.key)


@pytest.fixture
async def email(api: Api) -> AsyncIterator[ScriptedChannel]:
    async with dispatching(api, ScriptedChannel("email")) as channel:
        yield channel


@pytest.fixture
async def mailed(connect: Connect, api: Api, email: ScriptedChannel) -> Caller:
    """A client whose events go out by e-mail."""
    program = await api.sign_up("mailed@example.com", channels=["email"])
    return connect(api.url, program.key)


async def test_an_event_is_stored_as_it_was_sent(caller: Caller) -> None:
    fields = {"amount": 99.99, "count": 3, "paid": True, "to": "Zoë 💡"}

    sent = await caller.send("sale", "Somebody bought a lamp", fields=fields)

    event = await caller("event", sent.event_id)
    assert (sent.replayed, sent.delivery_status, sent.deliveries) == (False, "NO_CHANNEL", ())
    assert "goes nowhere" in (sent.warning or "")
    assert (event.id, event.category) == (sent.event_id, "sale")
    assert (event.description, event.fields) == ("Somebody bought a lamp", fields)
    assert list(event.fields) == list(fields)
    assert event.created_at == datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
    assert (event.delivery_status, event.deliveries) == ("NO_CHANNEL", ())


async def test_an_event_has_a_title_that_leads_somewhere(caller: Caller) -> None:
    sent = await caller.send(title="Order 1042", url="https://shop.example/orders/1042")
    plain = await caller.send()

    event, other = await caller("event", sent.event_id), await caller("event", plain.event_id)
    assert (event.title, event.url) == ("Order 1042", "https://shop.example/orders/1042")
    assert (other.title, other.url) == (None, None)


async def test_the_same_idempotency_key_is_the_same_event(caller: Caller, shop: Program) -> None:
    first = await caller.send(idempotency_key="order-1")

    second = await caller.send(idempotency_key="order-1")

    assert (first.replayed, second.replayed) == (False, True)
    assert first.event_id == second.event_id
    assert await shop.stored_events() == 1


async def test_two_events_without_a_key_are_two_events(caller: Caller, shop: Program) -> None:
    first = await caller.send()

    second = await caller.send()

    assert first.event_id != second.event_id
    assert await shop.stored_events() == 2


async def test_waiting_tells_how_the_deliveries_went(mailed: Caller) -> None:
    sent = await mailed.send(wait=20)

    (delivery,) = sent.deliveries
    assert sent.delivery_status == "DELIVERED"
    assert (delivery.destination, delivery.channel) == ("email", "email")
    assert (delivery.status, delivery.attempts) == ("delivered", 1)
    assert (delivery.last_error, delivery.next_attempt_at) == (None, None)
    assert delivery.delivered_at == datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


async def test_a_delivery_that_failed_for_good_is_an_error_with_the_event_and_is_not_sent_again(
    mailed: Caller, email: ScriptedChannel
) -> None:
    email.failure = PermanentFailure("No such mailbox.")

    with pytest.raises(DeliveryFailed, match="E-mail") as failure:
        await mailed.send(wait=20)

    result = failure.value.result
    assert (failure.value.status, failure.value.code) == (500, "processing_failed")
    assert result.delivery_status == "FAILED"
    assert result.deliveries[0].last_error == "No such mailbox."
    assert (await mailed("event", result.event_id)).deliveries == result.deliveries
    assert (await mailed("quota")).events_used == 1


async def test_a_failed_delivery_is_tried_again_on_request(mailed: Caller, email: ScriptedChannel) -> None:
    email.failure = PermanentFailure("No such mailbox.")
    with pytest.raises(DeliveryFailed) as failure:
        await mailed.send(wait=20)
    email.failure = None

    event = await mailed("retry", failure.value.result.event_id)

    assert event.id == failure.value.result.event_id
    assert event.delivery_status in {"PENDING", "DELIVERED"}


async def test_the_quota_is_told(caller: Caller) -> None:
    await caller.send()

    quota = await caller("quota")

    assert (quota.plan, quota.events_used, quota.events_limit, quota.events_remaining) == ("free", 1, 100, 99)
    assert quota.reset_date == datetime(2026, 12, 1, tzinfo=UTC)
    assert quota.categories_used == 3


async def test_a_refusal_is_the_error_of_its_code(caller: Caller, connect: Connect, api: Api) -> None:
    stranger = connect(api.url, "pp_wrong")
    await caller.send(idempotency_key="order-1")

    with pytest.raises(InvalidApiKey) as wrong_key:
        await stranger.send()
    with pytest.raises(CategoryNotFound, match="did you mean 'sale'"):
        await caller.send("sales")
    with pytest.raises(IdempotencyKeyReused):
        await caller.send("bug", idempotency_key="order-1")
    with pytest.raises(PayloadTooLarge):
        await caller.send(fields={str(number): "x" * 4000 for number in range(20)})
    with pytest.raises(NotFound):
        await caller("event", "evt_unknown")
    with pytest.raises(NotFound):
        await caller("retry", "../quota")

    assert (wrong_key.value.status, wrong_key.value.code) == (401, "invalid_api_key")
    assert len(wrong_key.value.request_id or "") == 32


async def test_every_fault_of_an_event_is_named(caller: Caller) -> None:
    with pytest.raises(ValidationError, match=r"fields\.amount") as refusal:
        await caller.send("Sale", fields={"amount": None, "name": "\ud800"})

    assert [fault.field for fault in refusal.value.errors] == ["category", "fields.amount", "fields.name"]
    assert refusal.value.errors[1] == FieldError(
        "fields.amount", "must be a text, a finite number, true or false."
    )


async def test_an_unlinked_channel_is_the_error_of_its_channel(connect: Connect, api: Api) -> None:
    discord = await api.sign_up("discord@example.com", channels=["discord"])
    telegram = await api.sign_up("telegram@example.com", channels=["telegram"])

    with pytest.raises(DiscordIdNotSet):
        await connect(api.url, discord.key).send()
    with pytest.raises(TelegramUsernameNotSet):
        await connect(api.url, telegram.key).send()


async def test_a_used_up_quota_tells_limit_and_reset_at_once(connect: Connect, api: Api) -> None:
    program = await api.sign_up("small@example.com", monthly_events=1)
    caller = connect(api.url, program.key)
    await caller.send()

    with pytest.raises(QuotaExceeded) as refusal:
        await caller.send()

    assert (refusal.value.limit, refusal.value.retry_after) == (1, 7.5 * 86400)
    assert refusal.value.reset_date == datetime(2026, 12, 1, tzinfo=UTC)


async def test_address_and_key_come_from_the_environment(
    connect: Connect, api: Api, shop: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(os.environ, "PINGPILOT_URL", f"{api.url}/\n")
    monkeypatch.setitem(os.environ, "PINGPILOT_API_KEY", f"{shop.key}\n")

    await connect().send()

    assert await shop.stored_events() == 1
