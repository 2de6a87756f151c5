"""What a daemon claims: for each channel its own, in turn, and without looking more often than it has to."""

import asyncio
from collections import Counter
from datetime import timedelta

from models import Account, Delivery, Event
from models.database import connection
from models.sql import insert_rows
from pingpilot.accounts.accounts import set_combine
from pingpilot.channels import DISCORD, TELEGRAM, direct_channels
from pingpilot.delivery.claiming import MOST_SEEN, Claimer, Wish
from tests.support.accounts import link_chat
from tests.support.waiting import until

from .scripted import Engine

NEVER = timedelta(hours=1)


async def let_wait(engine: Engine, account: Account, destinations: int) -> None:
    """Let something wait for so many more destinations of the account."""
    await engine.post(account, "to all")
    event = await Event.get(account_id=account.id)
    columns = ("event_id", "account_id", "channel", "destination", "status", "next_attempt_at")
    rows = [
        (event.id, account.id, TELEGRAM.name, f"room-{number}", "pending", engine.clock.now())
        for number in range(1, destinations)
        for _ in range(2)
    ]
    await insert_rows(connection(), "deliveries", columns, rows)


async def test_channels_that_ask_together_each_get_their_own(engine: Engine, alice: Account) -> None:
    await link_chat(alice, DISCORD.name, engine.clock)
    await engine.post(alice, "one")
    claimer = Claimer()

    claims = await asyncio.gather(
        *(claimer.claim(Wish(name, "daemon-1", 50, engine.clock.now())) for name in direct_channels())
    )

    channels = [[claim.channel for claim in some] for some in claims]
    assert dict(zip(direct_channels(), channels, strict=True)) == {
        "discord": ["discord"],
        "telegram": ["telegram"],
        "email": [],
    }


async def test_an_account_with_very_many_destinations_hides_no_other(
    engine: Engine, alice: Account, bob: Account
) -> None:
    await let_wait(engine, alice, MOST_SEEN + 1)
    await engine.post(bob, "to bob")

    claims = await Claimer().claim(Wish(TELEGRAM.name, "daemon-1", 2, engine.clock.now()))

    assert {claim.account_id for claim in claims} == {alice.id, bob.id}


async def test_however_much_waits_all_accounts_come_in_turn(engine: Engine) -> None:
    """More than one look finds: the next goes on behind it, and begins anew at the end."""
    accounts = [await engine.account(name) for name in ("ada", "bea", "cem", "dan", "eve")]
    for account in accounts:
        await let_wait(engine, account, 40)
    claimer, served = Claimer(), Counter[int]()

    for _ in range(4):
        claims = await claimer.claim(Wish(TELEGRAM.name, "daemon-1", 25, engine.clock.now()))
        served += Counter(claim.account_id for claim in claims)
        sent = [claim.delivery_id for claim in claims]
        await Delivery.filter(id__in=sent).update(status="delivered")  # and more waits behind each

    assert sum(served.values()) == 100
    assert min(served[account.id] for account in accounts) >= 10


async def test_what_waits_for_its_turn_goes_out_without_another_look(engine: Engine, alice: Account) -> None:
    texts = [f"number {number}" for number in range(5)]
    await engine.post(alice, *texts)

    async with engine.running(poll=NEVER):
        await engine.status_is(*["delivered"] * 5)

    assert engine.channel.delivered == texts


async def test_what_waits_for_a_slot_goes_out_without_another_look(engine: Engine) -> None:
    for name in ("ada", "bea", "cem"):
        await engine.post(await engine.account(name), name)

    async with engine.running(slots=1, poll=NEVER):
        await engine.status_is(*["delivered"] * 3)

    assert engine.channel.delivered == ["ada", "bea", "cem"]


async def test_what_comes_while_its_recipient_is_being_sent_to_is_not_forgotten(
    engine: Engine, alice: Account
) -> None:
    await set_combine(alice, False)
    engine.channel.hold()

    async with engine.running(poll=NEVER) as dispatcher:
        engine.composition.listeners.append(dispatcher)
        await engine.post(alice, "one")
        await until(lambda: engine.channel.tried == ["one"])
        await engine.post(alice, "two")
        engine.channel.release()
        await engine.status_is("delivered", "delivered")

    assert engine.channel.delivered == ["one", "two"]
