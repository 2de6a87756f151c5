"""Accounts that are deleted while something is being sent to them."""

import asyncio
from datetime import timedelta

from models import Account, DeliveryAttempt, Event
from pingpilot.accounts.deleting import delete_account
from pingpilot.channels import TELEGRAM
from pingpilot.delivery.attempts import DELIVERED, Attempt
from pingpilot.delivery.claiming import Claimer, Wish
from pingpilot.delivery.journal import Journal
from pingpilot.events.submission import Acceptance, NotStored, Submission
from tests.support.events import caller_for

from .scripted import Engine, delivery, statuses


async def test_an_account_deleted_in_mid_send_keeps_no_outcome_from_being_recorded(
    engine: Engine, alice: Account, bob: Account
) -> None:
    await engine.post(alice, "to alice")
    await engine.post(bob, "to bob")
    claims = await Claimer().claim(Wish(TELEGRAM.name, "daemon-1", 2, engine.clock.now()))
    journal = Journal()
    attempts = [Attempt(claim, DELIVERED, engine.clock.now(), timedelta()) for claim in claims]

    await delete_account(alice, engine.clock.now())
    await asyncio.gather(*(journal.record(attempt) for attempt in attempts))

    assert len(claims) == 2
    assert await statuses() == ["delivered"]
    assert [each.delivery_id for each in await DeliveryAttempt.all()] == [(await delivery()).id]


async def test_an_event_of_a_deleted_account_fails_none_that_is_stored_with_it(
    engine: Engine, alice: Account, bob: Account
) -> None:
    callers = [await caller_for(account, engine.clock) for account in (alice, bob)]
    of_alice, of_bob = [Submission(caller, "sale", "Sold", "{}") for caller in callers]
    await delete_account(alice, engine.clock.now())

    verdicts = await asyncio.gather(
        *(engine.intake.submit(each) for each in (of_bob, of_alice, of_bob, of_bob, of_alice)),
        return_exceptions=True,
    )

    assert [type(each) for each in verdicts] == [Acceptance, NotStored, Acceptance, Acceptance, NotStored]
    assert await Event.filter(account_id=bob.id).count() == 3
