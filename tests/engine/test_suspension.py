"""Recipients that are gone, and channels that were taken away before a delivery could be sent."""

from datetime import timedelta

import pytest

from models import Account, Delivery, Destination, Event
from pingpilot.accounts.linking import unlink
from pingpilot.channels import DISCORD, EMAIL, TELEGRAM
from pingpilot.delivery import journal
from pingpilot.errors import PermanentFailure
from tests.support.accounts import link_chat
from tests.support.events import caller_for
from tests.support.waiting import eventually

from .scripted import Engine, deliveries, delivery, history

REASON = "The bot was blocked by the user."
GONE = PermanentFailure(REASON, recipient_gone=True)


async def telegram_of(account: Account) -> Destination:
    return await Destination.get(account_id=account.id, channel=TELEGRAM.name)


async def switch(account: Account, channel: str, *, on: bool) -> None:
    await Destination.filter(account_id=account.id, channel=channel).update(enabled=on)


async def test_a_recipient_that_is_gone_suspends_the_channel_at_once(engine: Engine, alice: Account) -> None:
    engine.channel.fail(GONE)
    await engine.post(alice, "one", "two", "three")

    async with engine.running():
        await engine.status_is("failed", "failed", "failed")

    assert engine.channel.tried == ["one"]
    assert (await telegram_of(alice)).suspended_reason == REASON
    assert [each.last_error for each in await deliveries()] == [REASON] * 3
    assert [each.next_attempt_at for each in await deliveries()] == [None] * 3


async def test_a_backlog_beyond_what_one_commit_takes_fails_all_the_same(
    engine: Engine, alice: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "MOST_FAILED_AT_ONCE", 2)
    engine.channel.fail(GONE)
    await engine.post(alice, *map(str, range(6)))

    async with engine.running():
        await engine.status_is(*["failed"] * 6)

    assert engine.channel.tried == ["0"]
    assert {each.last_error for each in await deliveries()} == {REASON}


async def test_who_waits_for_an_event_that_failed_with_the_channel_is_told(
    engine: Engine, alice: Account
) -> None:
    engine.channel.hold()
    engine.channel.fail(GONE)
    await engine.post(alice, "one", "two")
    second = (await deliveries())[1]
    event = await Event.get(id=second.event_id)

    async with engine.running():
        await engine.channel.wait_for_tries(1)
        engine.channel.release()
        await engine.settlements.wait(event.id, 10)

    assert [each.status for each in await deliveries()] == ["failed", "failed"]


async def test_later_events_skip_a_suspended_channel_until_it_is_linked_again(
    engine: Engine, alice: Account
) -> None:
    engine.channel.fail(GONE)
    await switch(alice, EMAIL.name, on=True)
    await engine.post(alice, "one")

    async with engine.running():
        await engine.status_is("failed")
        while_suspended = await engine.post(alice, "two")
        await link_chat(alice, TELEGRAM.name, engine.clock, "new chat")
        afterwards = await engine.post(alice, "three")
        await engine.status_is("failed", "delivered")

    assert [each.name for each in while_suspended.targets] == ["email"]
    assert while_suspended.unlinked == ()
    assert {each.name for each in afterwards.targets} == {"email", "telegram"}
    assert engine.channel.delivered == ["three"]
    assert engine.channel.tries[-1].recipient.address == "new chat"


async def test_the_owner_is_told_once_on_each_channel_that_still_works(
    engine: Engine, alice: Account, bob: Account
) -> None:
    await link_chat(alice, DISCORD.name, engine.clock, "81384788765712384")
    await switch(alice, EMAIL.name, on=True)
    await switch(bob, EMAIL.name, on=True)
    engine.channel.fail(GONE)
    await engine.post(alice, "one", "two")

    async with engine.running():
        await engine.status_is("failed", "failed")

    [notice] = await Event.filter(notice=True)
    told = await Delivery.filter(event_id=notice.id).order_by("channel")
    assert notice.account_id == alice.id
    assert notice.description == (
        f"Telegram is suspended for your account: {REASON} Link or switch it on again to go on."
    )
    assert [(each.channel, each.status) for each in told] == [("discord", "pending"), ("email", "pending")]


async def test_a_platforms_words_become_a_sentence(engine: Engine, alice: Account) -> None:
    await link_chat(alice, DISCORD.name, engine.clock, "81384788765712384")
    engine.channel.fail(PermanentFailure("bot was blocked by the user", recipient_gone=True))
    await engine.post(alice, "one")

    async with engine.running():
        await engine.status_is("failed")

    [notice] = await Event.filter(notice=True)
    assert "blocked by the user. Link or switch it on" in notice.description


async def test_a_notice_costs_nothing_and_looks_like_one(engine: Engine, alice: Account) -> None:
    await link_chat(alice, DISCORD.name, engine.clock, "81384788765712384")
    engine.channel.fail(GONE)
    await engine.post(alice, "one")
    before = (await caller_for(alice, engine.clock)).events_used

    async with engine.running():
        await engine.status_is("failed")
    engine.channel.name = DISCORD.name  # from here on, it stands for Discord
    async with engine.running():
        await eventually(lambda: Delivery.filter(channel=DISCORD.name, status="delivered").count(), 2)

    _, shown = engine.channel.taken
    assert shown.title == "🔔 PingPilot"
    assert (await caller_for(alice, engine.clock)).events_used == before == 1


async def test_nobody_is_told_where_no_channel_works(engine: Engine, alice: Account) -> None:
    await switch(alice, EMAIL.name, on=False)
    engine.channel.fail(GONE)
    await engine.post(alice, "one")

    async with engine.running():
        await engine.status_is("failed")

    assert await Event.filter(notice=True).count() == 0


async def test_a_chat_linked_meanwhile_is_not_suspended_for_the_old_one(
    engine: Engine, alice: Account
) -> None:
    engine.channel.hold()
    engine.channel.fail(GONE)
    await engine.post(alice, "one", "two")

    async with engine.running():
        await engine.channel.wait_for_tries(1)
        await link_chat(alice, TELEGRAM.name, engine.clock, "new chat")
        engine.channel.release()
        await engine.status_is("failed", "delivered")

    assert (await telegram_of(alice)).suspended_reason is None
    assert await Event.filter(notice=True).count() == 0


async def test_a_chat_that_serves_two_accounts_is_suspended_for_the_one_it_failed_for(
    engine: Engine,
) -> None:
    ada, bea = await engine.account("ada", chat="shared"), await engine.account("bea", chat="shared")
    engine.channel.fail(GONE)
    await engine.post(ada, "to ada")

    async with engine.running():
        await engine.status_is("failed")

    assert (await telegram_of(ada)).suspended_reason == REASON
    assert (await telegram_of(bea)).suspended_reason is None


@pytest.mark.parametrize(
    ("back_on", "reason"),
    [
        (False, "Telegram was switched off before this could be sent."),
        (True, "Telegram was unlinked before this could be sent."),
    ],
)
async def test_a_delivery_whose_chat_was_unlinked_meanwhile_says_so(
    engine: Engine, alice: Account, back_on: bool, reason: str
) -> None:
    await engine.post(alice, "one", "two")
    await unlink(alice, TELEGRAM.name, engine.clock.now())
    await switch(alice, TELEGRAM.name, on=back_on)

    async with engine.running():
        await engine.status_is("failed", "failed")

    assert engine.channel.tries == []
    assert [each.last_error for each in await deliveries()] == [reason] * 2
    assert [(each.outcome, each.reason) for each in await history(await delivery())] == [("failed", reason)]


REFUSED = PermanentFailure("The mail server refused: 550 No.", recipient_refused=True)


async def refuse_on_days(engine: Engine, account: Account, days: int) -> None:
    """Let one event a day be refused."""
    engine.channel.fail(*[REFUSED] * days)
    async with engine.running():
        for day in range(days):
            await engine.post(account, f"day {day}")
            await eventually(lambda: Delivery.filter(status="pending").count(), 0)
            await eventually(lambda: Delivery.filter(status="sending").count(), 0)
            engine.clock.advance(timedelta(days=1))


async def test_a_recipient_refused_on_three_days_is_gone(engine: Engine, alice: Account) -> None:
    await refuse_on_days(engine, alice, 3)

    assert (await telegram_of(alice)).suspended_reason == "The mail server refused: 550 No."


async def test_refusals_of_two_days_are_no_end(engine: Engine, alice: Account) -> None:
    engine.channel.fail(REFUSED, REFUSED)
    await engine.post(alice, "one", "two")
    async with engine.running():
        await engine.status_is("failed", "failed")
        engine.clock.advance(timedelta(days=1))

    await refuse_on_days(engine, alice, 1)

    assert (await telegram_of(alice)).suspended_reason is None


async def test_what_is_delivered_in_between_has_refusals_forgotten(engine: Engine, alice: Account) -> None:
    await refuse_on_days(engine, alice, 2)
    await engine.post(alice, "taken")
    async with engine.running():
        await engine.status_is("failed", "failed", "delivered")
        engine.clock.advance(timedelta(days=1))

    await refuse_on_days(engine, alice, 1)

    assert (await telegram_of(alice)).suspended_reason is None
