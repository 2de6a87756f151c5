"""Two daemons that claim at the same time: no destination has two messages in flight."""

import asyncio
from datetime import timedelta

import asyncpg
import pytest

from models import Delivery
from pingpilot.channels import TELEGRAM
from pingpilot.delivery.claiming import Claimer, Wish
from pingpilot.delivery.claims import Claim
from tests.engine.scripted import Engine


async def claimed(engine: Engine, name: str) -> list[Claim]:
    return await Claimer().claim(Wish(TELEGRAM.name, name, 50, engine.clock.now()))


@pytest.mark.parametrize("is_committed", [False, True])
async def test_what_another_daemon_is_just_leasing_keeps_its_destination_busy(
    postgres: str, is_committed: bool
) -> None:
    """It has made an older delivery due, which nobody else sees yet."""
    engine = Engine()
    account = await engine.account()
    await engine.post(account, "held", "waiting")
    [held, waiting] = await Delivery.all().order_by("id")
    later = engine.clock.now() + timedelta(hours=1)
    await Delivery.filter(id=held.id).update(status="held", next_attempt_at=later)
    other = await asyncpg.connect(postgres)
    try:
        transaction = other.transaction()
        await transaction.start()
        await other.execute("UPDATE deliveries SET status = 'pending' WHERE id = $1", held.id)
        [row] = await other.fetch(LOCKED, [held.id])
        await other.execute(LEASED, row["id"])
        if is_committed:
            await transaction.commit()
        meanwhile = await claimed(engine, "second#1")
        if not is_committed:
            await transaction.commit()
    finally:
        await other.close()
    afterwards = await claimed(engine, "second#1")

    assert (meanwhile, afterwards) == ([], [])
    await Delivery.filter(id=held.id).update(status="delivered", leased_by=None, lease_until=None)
    assert [claim.delivery_id for claim in await claimed(engine, "second#1")] == [waiting.id]


async def test_each_is_leased_by_the_name_of_its_own_channel(postgres: str) -> None:
    engine = Engine()
    account = await engine.account()
    await engine.post(account, "one")
    [delivery] = await Delivery.all()
    await Delivery.create(
        event_id=delivery.event_id,
        account_id=account.id,
        channel="email",
        destination="email",
        status="pending",
        next_attempt_at=delivery.next_attempt_at,
    )
    claimer, now = Claimer(), engine.clock.now()

    both = await asyncio.gather(
        claimer.claim(Wish("telegram", "me#7", 9, now)), claimer.claim(Wish("email", "me#1", 9, now))
    )

    rows = {row.channel: row.leased_by for row in await Delivery.all()}
    assert rows == {"telegram": "me#7", "email": "me#1"}
    assert {claim.channel: claim.leased_by for claims in both for claim in claims} == rows


# As a claim locks and leases
LOCKED = """
SELECT d.id FROM deliveries d WHERE d.id = ANY($1) AND pg_try_advisory_xact_lock(
    hashtextextended(d.channel || ' ' || d.account_id || ' ' || d.destination, 0)
) FOR UPDATE OF d SKIP LOCKED
"""
LEASED = """
UPDATE deliveries SET status = 'sending', leased_by = 'first#1', lease_until = now() WHERE id = $1
"""
