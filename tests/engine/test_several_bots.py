"""Several bots of a channel: each sends what was linked with it, and nothing of the others waits for it."""

import asyncio
from datetime import timedelta

import pytest

from models import Account, Bot, Delivery, DeliveryAttempt, DeliveryStatus, Destination, Event
from pingpilot.accounts.destinations import delete_destination
from pingpilot.accounts.linking import ChatUser, create_link_code, link
from pingpilot.channels import TELEGRAM, Window
from pingpilot.cluster.mandate import Always
from pingpilot.delivery.claiming import Claimer, Wish
from pingpilot.delivery.dispatcher import Dispatcher
from pingpilot.delivery.pacing import Sent
from pingpilot.delivery.queue import DeliveryQueue
from pingpilot.errors import PermanentFailure
from pingpilot.events.deliveries import Selection, retry_deliveries
from pingpilot.events.former_bots import LINKED_WITH_ANOTHER, look_after_former_bots, welcome_back
from tests.support.accounts import link_chat
from tests.support.composition import UNPACED, Pace, running
from tests.support.waiting import eventually, until

from .scripted import Engine, ScriptedChannel

FIRST, SECOND = "telegram:1", "telegram:2"


@pytest.fixture
async def bob(engine: Engine) -> Account:
    """An account whose chat was linked with the second bot."""
    account = await engine.account("bob")
    await link_chat(account, TELEGRAM.name, engine.clock, "bob", lane=1)
    return account


def dispatcher_of(engine: Engine, channel: ScriptedChannel, lane: int, pace: Pace = UNPACED) -> Dispatcher:
    return engine.composition.dispatcher(channel, lane=lane, poll=timedelta(milliseconds=10), pace=pace)


def wish(engine: Engine, lane: int) -> Wish:
    return Wish(TELEGRAM.name, "daemon-1", 50, engine.clock.now(), lane=lane)


async def link_with(account: Account, lane: int, engine: Engine) -> None:
    """Let the account's person send its code to the bot of a lane."""
    new = await create_link_code(account, engine.clock.now())
    user = ChatUser(TELEGRAM.name, "4711", None)
    await link(user, new.code, address="4711", now=engine.clock.now(), lane=lane)


async def lanes() -> list[int]:
    return [each.lane for each in await Delivery.filter(channel=TELEGRAM.name).order_by("id")]


async def test_each_bot_sends_what_was_linked_with_it_at_its_own_pace(
    engine: Engine, alice: Account, bob: Account
) -> None:
    first, second = ScriptedChannel(), ScriptedChannel()
    pace = (Window(most=4, seconds=60), None)
    for account in (alice, bob):
        await engine.post(account, *(f"{account.email} {number}" for number in range(6)))

    async with (
        running(dispatcher_of(engine, first, 0, pace)),
        running(dispatcher_of(engine, second, 1, pace)),
    ):
        await until(lambda: len(first.taken) == len(second.taken) == 2)  # half a window, at the start
        engine.clock.advance_seconds(60)
        await until(lambda: len(first.taken) == len(second.taken) == 6)
    await engine.composition.database.close()

    assert {each.recipient.address for each in first.tries} == {"alice"}
    assert {each.recipient.address for each in second.tries} == {"bob"}


async def test_bots_that_claim_together_each_get_their_own(
    engine: Engine, alice: Account, bob: Account
) -> None:
    for account in (alice, bob):
        await engine.post(account, account.email)
    claimer = Claimer()

    own, others = await asyncio.gather(*(claimer.claim(wish(engine, lane)) for lane in (0, 1)))

    assert [claim.account_id for claim in own] == [alice.id]
    assert [claim.account_id for claim in others] == [bob.id]


async def test_what_one_bot_sends_another_one_of_the_daemon_does_not_put_back(
    engine: Engine, bob: Account
) -> None:
    await engine.post(bob, "to bob")
    await Claimer().claim(wish(engine, 1))
    queue = DeliveryQueue(channel=TELEGRAM.name, mandate=Always("daemon-1"))

    await queue.put_back(sparing=[])

    assert await Delivery.filter(status=DeliveryStatus.SENDING).count() == 1


async def test_what_waits_goes_with_its_chat_to_the_bot_that_it_is_linked_with_now(
    engine: Engine, alice: Account
) -> None:
    await engine.post(alice, "one")

    await link_with(alice, 1, engine)

    await engine.post(alice, "two")
    assert await lanes() == [1, 1]
    assert not await Claimer().claim(wish(engine, 0))


async def test_what_was_put_to_a_former_bot_goes_over_when_it_is_looked_at(
    engine: Engine, bob: Account
) -> None:
    """As where an event was accepted just while its chat was linked anew."""
    await engine.post(bob, "one")
    await Delivery.all().update(lane=0)
    claimer = Claimer()

    before = await claimer.claim(wish(engine, 0))
    after = await claimer.claim(wish(engine, 1))

    assert (before, [claim.account_id for claim in after]) == ([], [bob.id])


async def test_what_the_former_bot_is_refused_does_not_suspend_the_new_link(
    engine: Engine, alice: Account
) -> None:
    engine.channel.hold()
    engine.channel.fail(PermanentFailure("bot was blocked by the user", recipient_gone=True))
    await link_with(alice, 0, engine)
    await engine.post(alice, "one")

    async with engine.running():
        await engine.channel.wait_for_tries(1)
        await link_with(alice, 1, engine)  # by the same person, in a chat of the same id
        engine.channel.release()
        await engine.status_is("failed")

    assert await Destination.usable(alice.id).filter(name=TELEGRAM.name, lane=1).exists()


async def test_what_failed_is_tried_again_by_the_bot_that_can_send_it(engine: Engine, alice: Account) -> None:
    await engine.post(alice, "one")
    await Delivery.all().update(status=DeliveryStatus.FAILED)
    await link_with(alice, 1, engine)

    await retry_deliveries(Selection(alice.id), engine.clock.now())

    assert await lanes() == [1]


async def test_who_takes_over_is_told_of_what_its_bot_was_answered_within_a_minute(
    engine: Engine, alice: Account, bob: Account
) -> None:
    for account in (alice, bob):
        await engine.post(account, "one")
    now = engine.clock.now()
    for seconds, took in ((61, 2), (70, 9)):
        for each in await Delivery.all():
            began = now - timedelta(seconds=seconds)
            await DeliveryAttempt.create(
                delivery=each, started_at=began, duration_ms=took * 1000, outcome="delivered"
            )
    queue = DeliveryQueue(channel=TELEGRAM.name, mandate=Always("daemon-1"), lane=1)

    assert await queue.sent_lately(now) == [Sent("bob", in_room=False, seconds_ago=59)]


async def test_what_a_dead_daemon_sent_by_a_bot_that_is_gone_is_taken_back(
    engine: Engine, bob: Account
) -> None:
    await engine.post(bob, "one")
    await Claimer().claim(wish(engine, 1))
    queue = DeliveryQueue(channel=TELEGRAM.name, mandate=Always("daemon-2"))

    assert await queue.recover(["daemon-1"], engine.clock.now()) == 1


async def test_what_a_bot_without_a_token_leads_to_says_so_and_waits(
    engine: Engine, alice: Account, bob: Account
) -> None:
    await Bot.register(TELEGRAM.name, [FIRST, SECOND])
    await engine.post(bob, "one")
    await Bot.register(TELEGRAM.name, [FIRST])

    for _ in range(2):  # it is told once
        await look_after_former_bots(TELEGRAM.name, engine.clock.now())

    async def reasons() -> list[str | None]:
        found = Destination.filter(channel=TELEGRAM.name).order_by("account_id")
        return [each.suspended_reason for each in await found]

    assert await reasons() == [None, LINKED_WITH_ANOTHER]
    assert [each.status for each in await Delivery.filter(account_id=bob.id, lane=1)] == ["pending"]
    await Bot.register(TELEGRAM.name, [SECOND, FIRST])  # the token is back
    await welcome_back(TELEGRAM.name)
    assert await reasons() == [None, None]
    [claim] = await Claimer().claim(wish(engine, 1))
    assert claim.recipient


async def test_the_owner_is_told_where_that_can_be(engine: Engine, bob: Account) -> None:
    await Bot.register(TELEGRAM.name, [FIRST, SECOND])
    mail = Destination.filter(account_id=bob.id, name="email")
    await mail.update(enabled=True, address="bob@example.com")
    await Bot.register(TELEGRAM.name, [FIRST])

    assert await look_after_former_bots(TELEGRAM.name, engine.clock.now()) == {"email"}

    [notice] = await Event.filter(notice=True)
    assert notice.description == f"Telegram is suspended for your account: {LINKED_WITH_ANOTHER}"


async def test_linking_again_with_another_bot_sends_what_waited(engine: Engine, bob: Account) -> None:
    await Bot.register(TELEGRAM.name, [FIRST, SECOND])
    await engine.post(bob, "one")
    await Bot.register(TELEGRAM.name, [FIRST])
    await look_after_former_bots(TELEGRAM.name, engine.clock.now())

    await link_with(bob, 0, engine)

    async with running(dispatcher_of(engine, engine.channel, 0)):
        await until(lambda: engine.channel.delivered == ["one"])
    await engine.composition.database.close()


async def test_what_nobody_can_be_sent_any_more_fails_without_its_bot_as_well(
    engine: Engine, bob: Account
) -> None:
    await Bot.register(TELEGRAM.name, [FIRST, SECOND])
    room = await Destination.create(
        account_id=bob.id, channel=TELEGRAM.name, kind="room", name="ops", enabled=True, address="-1", lane=1
    )
    await engine.post(bob, "one")
    await Bot.register(TELEGRAM.name, [FIRST])
    await delete_destination(room, engine.clock.now())

    assert await look_after_former_bots(TELEGRAM.name, engine.clock.now()) == {TELEGRAM.name}

    async def fates() -> dict[str, str]:
        return {each.destination: each.status for each in await Delivery.all()}

    async with running(dispatcher_of(engine, engine.channel, 0)):
        await eventually(fates, {"telegram": "pending", "ops": "failed"})
    await engine.composition.database.close()
