"""An account's export, and its deletion."""

import json
from typing import Any

import pytest
from tortoise import Tortoise

from models import (
    Account,
    ApiKey,
    CategoryActivity,
    Delivery,
    DeliveryActivity,
    DeliveryAttempt,
    Event,
    MonthlyUsage,
    NumberTotals,
)
from pingpilot.accounts import exporting
from pingpilot.accounts.deleting import delete_account
from pingpilot.accounts.exporting import SECTIONS, export_account
from pingpilot.accounts.keys import create_key
from pingpilot.accounts.linking import create_link_code
from pingpilot.channels import EMAIL
from pingpilot.events.submission import Submission
from tests.support.accounts import new_account
from tests.support.clock import ManualClock
from tests.support.composition import Composition
from tests.support.events import accept, caller_for


@pytest.fixture
async def alice(database: str, clock: ManualClock) -> Account:
    return await new_account(clock, channels=[EMAIL.name])


async def exported(account: Account) -> Any:
    return json.loads("".join([piece async for piece in export_account(account)]))


async def test_an_export_has_every_model_of_an_account(database: str) -> None:
    owned = {
        model
        for model in Tortoise.apps.get_models_iterable()
        if "account_id" in model._meta.fields_map or model is Account
    }

    counting_others = {CategoryActivity, DeliveryActivity, NumberTotals}
    assert owned == {Account, Event, Delivery, *SECTIONS.values(), *counting_others}


async def test_an_export_has_the_events_with_all_their_deliveries_and_attempts(
    alice: Account, clock: ManualClock
) -> None:
    (acceptance,) = await accept(alice, clock, "sale")
    delivery = await Delivery.get(event_id=acceptance.event_id)
    await DeliveryAttempt.create(
        delivery_id=delivery.id, started_at=clock.now(), duration_ms=12, outcome="retry", reason="busy"
    )

    document = await exported(alice)

    assert document["account"]["email"] == alice.email
    (event,) = document["events"]
    assert event["id"].startswith("evt_")
    assert (event["category"], event["fields"]) == ("sale", {})
    assert event["deliveries"][0]["channel"] == "email"
    assert event["deliveries"][0]["history"][0]["reason"] == "busy"
    assert event["createdAt"].endswith("Z")


async def test_an_export_has_an_events_title_and_where_it_leads(alice: Account, clock: ManualClock) -> None:
    caller = await caller_for(alice, clock)
    url = "https://shop.example/orders/1042"
    await Composition(clock=clock).intake.submit(
        Submission(caller, "sale", "Paid", "{}", title="Order 1042", url=url)
    )
    await accept(alice, clock, "sale")

    titled, plain = (await exported(alice))["events"]

    assert (titled["title"], titled["url"]) == ("Order 1042", url)
    assert (plain["title"], plain["url"]) == (None, None)


async def test_an_export_holds_no_secret(alice: Account, clock: ManualClock) -> None:
    row, key = await create_key(alice, "ci", clock.now())
    code = await create_link_code(alice, clock.now())

    text = json.dumps(await exported(alice))

    assert row.prefix in text
    assert key not in text
    assert row.hash not in text
    assert code.code not in text


async def test_an_export_of_many_pages_has_each_event_once(
    alice: Account, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "PAGE", 2)
    accepted = await accept(alice, clock, "sale", "bug", "sale", "bug", "question")

    document = await exported(alice)

    assert [event["category"] for event in document["events"]] == ["sale", "bug", "sale", "bug", "question"]
    assert len({event["id"] for event in document["events"]}) == len(accepted)


async def test_a_deleted_account_leaves_nothing_and_takes_nothing_of_another(
    alice: Account, clock: ManualClock
) -> None:
    bob = await new_account(clock, "bob@example.com", channels=[EMAIL.name])
    await accept(alice, clock, "sale", "bug")
    await accept(bob, clock, "sale")

    removed = await delete_account(alice, clock.now())

    assert removed == 2
    assert [each.email for each in await Account.all()] == ["bob@example.com"]
    for model in (Event, Delivery, ApiKey, MonthlyUsage):
        assert set(await model.all().values_list("account_id", flat=True)) == {bob.id}
