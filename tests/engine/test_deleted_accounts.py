"""Accounts that are deleted while something is being sent to them."""

import asyncio
from datetime import timedelta

from models import Account, DeliveryAttempt
from pingpilot.accounts import delete_account
from pingpilot.channels import TELEGRAM
from pingpilot.delivery.journal import Attempt, Journal
from pingpilot.delivery.queue import DeliveryQueue
from pingpilot.delivery.retry import DELIVERED

from .scripted import Engine, delivery, statuses


async def test_an_account_deleted_in_mid_send_keeps_no_outcome_from_being_recorded(
    engine: Engine, alice: Account, bob: Account
) -> None:
    await engine.post(alice, "to alice")
    await engine.post(bob, "to bob")
    claims = await DeliveryQueue(channel=TELEGRAM.name, daemon_id="daemon-1").claim(2, engine.clock.now())
    journal = Journal(channel=TELEGRAM.name, daemon_id="daemon-1")
    attempts = [Attempt(claim, DELIVERED, engine.clock.now(), timedelta()) for claim in claims]

    await delete_account(alice, engine.clock.now())
    await asyncio.gather(*(journal.record(attempt) for attempt in attempts))

    assert len(claims) == 2
    assert await statuses() == ["delivered"]
    assert [each.delivery_id for each in await DeliveryAttempt.all()] == [(await delivery()).id]
