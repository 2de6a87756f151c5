"""Leases: what a dead daemon was sending is sent by the next, and nothing is sent by two."""

from asyncio import timeout
from contextlib import AsyncExitStack
from datetime import timedelta

from models import Account
from pingpilot.channels import TELEGRAM
from pingpilot.delivery.claiming import LEASE, Claimer, Wish
from pingpilot.delivery.claims import Claim
from pingpilot.delivery.dispatcher import EXPIRY_CHECK, STRAYS_CHECK
from pingpilot.errors import DatabaseUnavailable
from tests.support.composition import running
from tests.support.waiting import until

from .scripted import Engine, delivery, history, outcomes


async def die_while_sending(engine: Engine, daemon_id: str) -> None:
    """Claim what is due as a daemon does that never comes to record what came of it."""
    claims = await Claimer().claim(Wish(TELEGRAM.name, daemon_id, 50, engine.clock.now()))
    assert claims


async def test_a_daemon_takes_back_at_once_what_its_predecessor_was_sending_when_it_died(
    engine: Engine, alice: Account
) -> None:
    await engine.post(alice, "one", "two")
    await die_while_sending(engine, "daemon-1")

    async with engine.running("daemon-2", predecessors=["daemon-0", "daemon-1"]):
        await engine.status_is("delivered", "delivered")

    assert engine.channel.delivered == ["one", "two"]
    assert await outcomes() == ["interrupted", "delivered"]
    assert (await history())[0].reason == (
        "The daemon stopped while this was being sent; it is sent again and may arrive twice."
    )
    assert (await delivery()).attempts == 1


async def test_another_daemon_waits_for_the_lease_to_run_out(engine: Engine, alice: Account) -> None:
    await engine.post(alice, "one", "two")
    await die_while_sending(engine, "daemon-1")

    async with engine.running("daemon-2"):
        engine.clock.advance(LEASE - timedelta(seconds=1))
        await engine.look_by()
        tried_too_early = "one" in engine.channel.tried
        engine.clock.advance(EXPIRY_CHECK)
        await engine.status_is("delivered", "delivered", "delivered")

    assert not tried_too_early
    assert await outcomes() == ["interrupted", "delivered"]
    assert engine.channel.delivered[1:] == ["one", "two"]


async def test_a_daemon_never_takes_back_what_it_is_sending_itself(engine: Engine) -> None:
    for name in ("ada", "bea", "cem"):  # the third waits for its turn longer than a lease
        account = await engine.account(name, chat="shared")
        await engine.post(account, account.email)
    engine.channel.hold()

    async with engine.running():
        await engine.channel.wait_for_tries(1)
        engine.clock.advance(LEASE + EXPIRY_CHECK)
        await engine.clock.wait_for_looks()
        engine.channel.release()
        await engine.status_is(*["delivered"] * 3)

    assert len(engine.channel.tried) == 3
    assert await outcomes() == ["delivered"]


class LateClaimer(Claimer):
    """Its first claim gets no answer in time, and is stored while the second is made, which finds nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    async def claim(self, wish: Wish) -> list[Claim]:
        self.asked += 1
        if self.asked == 1:
            raise DatabaseUnavailable("no answer to a commit")
        claims = await super().claim(wish)
        return [] if self.asked == 2 else claims


async def test_a_claim_that_is_stored_long_after_its_answer_was_given_up_goes_back_soon(
    engine: Engine, alice: Account
) -> None:
    await engine.post(alice, "one")
    claimer = LateClaimer()
    poll = timedelta(milliseconds=10)
    dispatcher = engine.composition.dispatcher(engine.channel, claimer=claimer, poll=poll)

    async with running(dispatcher):
        await until(lambda: claimer.asked > 2)
        assert (await delivery()).status == "sending"
        engine.clock.advance(STRAYS_CHECK)
        await engine.status_is("delivered")

    assert await outcomes() == ["delivered"]


async def test_two_daemons_never_send_a_delivery_twice(engine: Engine) -> None:
    texts = [f"number {number}" for number in range(20)]
    for name in ("ada", "bea", "cem", "dan", "eve"):
        await engine.post(await engine.account(name), *(f"{name} {text}" for text in texts))

    async with AsyncExitStack() as stack:
        for daemon in ("daemon-1", "daemon-2"):
            await stack.enter_async_context(engine.running(daemon, slots=3))
        async with timeout(30):
            await engine.status_is(*["delivered"] * 100)

    assert len(engine.channel.tried) == 100
    for name in ("ada", "bea", "cem", "dan", "eve"):
        own = [text for text in engine.channel.delivered if text.startswith(name)]
        assert own == [f"{name} {text}" for text in texts]
    assert engine.channel.crowds == set()
