"""An account's export, and its deletion."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import pairwise
from typing import Any

import pytest
from tortoise import Tortoise

from models import (
    Account,
    ApiKey,
    Category,
    CategoryActivity,
    Delivery,
    DeliveryActivity,
    DeliveryAttempt,
    Event,
    IdempotencyKey,
    MonthlyUsage,
    NumberTotals,
)
from models.activity import slot_of
from models.database import write_aside
from models.ids import event_id_text
from pingpilot.accounts import deleting, exporting
from pingpilot.accounts.deleting import delete_account
from pingpilot.accounts.exporting import SECTIONS, export_account
from pingpilot.accounts.keys import create_key
from pingpilot.accounts.linking import create_link_code
from pingpilot.accounts.pieces import Pieces
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


async def test_an_export_says_everything_as_it_is_stored(alice: Account, clock: ManualClock) -> None:
    text = 'She said "no\\yes"\n\t\x01\x7f\u2028 ’🐛'
    fields = '{"z":123456789012345678901234567890,"huge":1e400,"a":{"b":[1.50,null]},"c":"\\u00e9é"}'
    even, odd = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), datetime(2026, 1, 2, 3, 4, 5, 60, tzinfo=UTC)
    event = await Event.create(
        account_id=alice.id,
        category="a,b",
        title=text,
        description=text,
        fields_json=fields,
        notice=True,
        created_at=even,
    )
    rows = list[Delivery]()
    for name in ("telegram", "discord"):
        row = await Delivery.create(
            event_id=event.id,
            account_id=alice.id,
            channel=name,
            destination=name,
            status="failed",
            attempts=2,
            last_error=text,
            fallback_for=rows[0].id if rows else None,
            next_attempt_at=odd,
        )
        rows.append(row)
        for reason in (None, text):
            await DeliveryAttempt.create(
                delivery_id=row.id, started_at=odd, duration_ms=3, outcome="failed", reason=reason
            )
    await Category.filter(account_id=alice.id, name="sale").update(channels="telegram,ops", urgent=True)
    await Category.filter(account_id=alice.id, name="bug").update(channels="")

    whole = "".join([piece async for piece in export_account(alice)])

    document = json.loads(whole)
    assert f'"fields": {fields}' in whole
    [shown] = document["events"]
    attempt = {"startedAt": "2026-01-02T03:04:05.000060Z", "durationMs": 3, "outcome": "failed"}
    delivery = {
        "status": "failed",
        "attempts": 2,
        "forgiven": 0,
        "nextAttemptAt": "2026-01-02T03:04:05.000060Z",
        "leasedBy": None,
        "leaseUntil": None,
        "lastError": text,
        "deliveredAt": None,
        "eventId": event_id_text(event.id),
    }
    assert {**shown, "fields": None} == {
        "id": event_id_text(event.id),
        "category": "a,b",
        "title": text,
        "url": None,
        "description": text,
        "fields": None,
        "notice": True,
        "goesNowhere": False,
        "createdAt": "2026-01-02T03:04:05Z",
        "deliveries": [
            {
                **delivery,
                "id": row.id,
                "channel": row.channel,
                "destination": row.channel,
                "standsInFor": row.fallback_for,
                "history": [
                    {**attempt, "id": each.id, "reason": each.reason, "deliveryId": row.id}
                    for each in await DeliveryAttempt.filter(delivery_id=row.id).order_by("id")
                ],
            }
            for row in rows
        ],
    }
    assert {each["name"]: (each["channels"], each["urgent"]) for each in document["categories"]} == {
        "bug": ([], False),
        "question": (None, False),
        "sale": (["telegram", "ops"], True),
    }


async def test_an_export_holds_a_page_at_a_time(
    alice: Account, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "PAGE", 3)
    accepted = await accept(alice, clock, *["sale"] * 8)
    for number, each in enumerate(accepted):
        await IdempotencyKey.create(
            account_id=alice.id,
            key=f"{number}",
            body_hash="",
            event_id=each.event_id,
            created_at=clock.now(),
        )

    counts = {
        row: [count async for text in export_account(alice) if (count := text.count(f'"{row}": '))]
        for row in ("deliveries", "key")
    }
    monkeypatch.setattr(exporting, "LONG", 1)
    large = [text.count('"deliveries": ') async for text in export_account(alice)]

    assert [sum(each) for each in counts.values()] == [8, 8]
    assert max(map(max, counts.values())) <= 3
    assert [count for count in large if count] == [1] * 8  # the other sections' pages were long, too


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


async def test_others_events_are_stored_between_the_pieces_of_a_deletion(
    alice: Account, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    bob = await new_account(clock, "bob@example.com", channels=[EMAIL.name])
    await accept(alice, clock, *["sale"] * 5)
    for field in "abc":
        await NumberTotals.create(
            account_id=alice.id,
            category="sale",
            field=field,
            slot=slot_of(clock.now()),
            events=1,
            total=1,
            smallest=1,
            largest=1,
        )
    left = list[int]()

    async def piece(sql: str, values: Sequence[Any]) -> float:
        took = await write_aside(sql, values)
        await accept(bob, clock, "sale")
        of_alice = [await each.filter(account_id=alice.id).count() for each in (Event, NumberTotals)]
        left.append(sum(of_alice))
        return took

    for name in ("_ON_SQLITE", "_ON_POSTGRES"):
        monkeypatch.setattr(deleting, name, partial(Pieces, share=0.5, most=2))
    monkeypatch.setattr(deleting, "_CHECKPOINT", 3)
    monkeypatch.setattr(deleting, "write_aside", piece)
    removed = await delete_account(alice, clock.now())

    assert removed == 5
    assert all(0 <= before - after <= 2 for before, after in pairwise([8, *left]))
    assert left[-1] == 0
    assert await Event.filter(account_id=bob.id).count() == len(left)
