"""A delivery's way through the dispatcher: sent, tried again, given up, each try on record."""

from datetime import timedelta
from urllib.parse import urlsplit

import pytest
import structlog

from models import Account, Category, DeliveryStatus
from models.database import connection, open_database
from pingpilot.channels import TELEGRAM
from pingpilot.delivery.attempts import RETRY_DELAYS
from pingpilot.delivery.claiming import Claimer, Wish
from pingpilot.errors import PermanentFailure, TemporaryFailure
from tests.support.waiting import eventually, until

from .scripted import Engine, deliveries, delivery, history, outcomes, statuses

AWAY = TemporaryFailure("The platform is away.")


async def test_a_pending_delivery_is_sent_and_its_attempt_recorded(engine: Engine, alice: Account) -> None:
    engine.channel.hold()
    await engine.post(alice, "Sold!")
    started = engine.clock.now()

    async with engine.running():
        await engine.channel.wait_for_tries(1)
        engine.clock.advance(timedelta(milliseconds=1500))
        engine.channel.release()
        await engine.status_is("delivered")

    sent, [attempt] = await delivery(), await history()
    assert sent.attempts == 1
    assert sent.last_error is None
    assert sent.next_attempt_at is None
    assert sent.leased_by is None
    assert sent.lease_until is None
    assert sent.delivered_at == started + timedelta(milliseconds=1500)
    assert (attempt.outcome, attempt.duration_ms) == ("delivered", 1500)
    assert attempt.reason is None
    assert attempt.started_at == started


async def test_the_channel_is_given_the_event_and_the_linked_chat(engine: Engine, alice: Account) -> None:
    fields = {"zulu": "last letter", "alpha": 1.5, "paid": True}
    await engine.post(alice, "Sold!", fields=fields)

    async with engine.running():
        await engine.channel.wait_for_tries(1)

    [first], sent = engine.channel.tries, await delivery()
    shown = first.notification
    assert (first.recipient.account_id, first.recipient.address) == (alice.id, "alice")
    assert (str(shown.event_id), shown.delivery_id) == (str(sent.event_id), sent.id)
    assert (shown.title, shown.color, shown.description) == ("💰 Sale", 0xFFEB3B, "Sold!")
    assert shown.fields == tuple(fields.items())
    assert shown.created_at == engine.clock.now()


async def test_an_event_outlives_its_category(engine: Engine, alice: Account) -> None:
    await engine.post(alice, "Sold!")
    await Category.filter(account_id=alice.id).delete()

    async with engine.running():
        await engine.status_is("delivered")

    [shown] = engine.channel.taken
    assert (shown.title, shown.emoji) == ("Sale", None)


async def test_a_temporary_failure_is_tried_again_in_its_time(engine: Engine, alice: Account) -> None:
    engine.channel.fail(AWAY)
    await engine.post(alice, "Sold!")

    async with engine.running():
        await eventually(outcomes, ["retry"])
        waiting = await delivery()
        await engine.look_by()
        tried_too_early = engine.channel.tried.count("Sold!") > 1
        engine.clock.advance(timedelta(seconds=6))
        await engine.status_is("delivered", "delivered")

    assert not tried_too_early
    assert (waiting.status, waiting.attempts, waiting.last_error) == ("pending", 1, AWAY.reason)
    assert [(each.outcome, each.reason) for each in await history()] == [
        ("retry", AWAY.reason),
        ("delivered", None),
    ]
    assert (await delivery()).attempts == 2


async def test_the_wait_a_platform_asks_for_is_obeyed(engine: Engine, alice: Account) -> None:
    engine.channel.fail(TemporaryFailure("Busy", retry_after=timedelta(minutes=10)))
    await engine.post(alice, "Sold!")

    async with engine.running():
        await eventually(outcomes, ["retry"])
        engine.clock.advance(timedelta(minutes=9, seconds=59))
        await engine.look_by()
        tried_too_early = engine.channel.tried.count("Sold!") > 1
        engine.clock.advance(timedelta(seconds=1))
        await engine.status_is("delivered", "delivered")

    assert not tried_too_early


async def test_a_delivery_is_given_up_after_the_ninth_attempt(engine: Engine, alice: Account) -> None:
    engine.channel.fail_always(AWAY)
    await engine.post(alice, "Sold!")

    async with engine.running():
        for tries in range(1, len(RETRY_DELAYS) + 1):
            await eventually(outcomes, ["retry"] * tries)
            engine.clock.advance(RETRY_DELAYS[tries - 1] * 1.2)
        await engine.status_is("failed")

    given_up = await delivery()
    assert (given_up.attempts, given_up.next_attempt_at) == (9, None)
    assert given_up.last_error == "Given up after 9 attempts: The platform is away."
    assert await outcomes() == [*["retry"] * 8, "failed"]


async def test_a_permanent_failure_is_final_for_its_delivery_alone(engine: Engine, alice: Account) -> None:
    engine.channel.fail(PermanentFailure("The message is too long."))
    await engine.post(alice, "one", "two")

    async with engine.running():
        await engine.status_is("failed", "delivered")

    assert (await delivery()).last_error == "The message is too long."
    assert [(each.outcome, each.reason) for each in await history()] == [
        ("failed", "The message is too long.")
    ]


async def test_an_unknown_error_is_logged_and_tried_again(engine: Engine, alice: Account) -> None:
    engine.channel.fail(KeyError("surprise"))
    await engine.post(alice, "Sold!")

    with structlog.testing.capture_logs() as log:
        async with engine.running():
            await eventually(outcomes, ["retry"])
            engine.clock.advance(timedelta(seconds=6))
            await engine.status_is("delivered")

    assert (await history())[0].reason == "Unexpected KeyError: 'surprise'"
    assert [(each["log_level"], each["event"]) for each in log if each.get("exc_info")] == [
        ("error", "A send failed unexpectedly")
    ]


async def test_a_send_that_hangs_is_ended(engine: Engine, alice: Account) -> None:
    engine.channel.hold()
    await engine.post(alice, "Sold!")

    async with engine.running(send_timeout=timedelta(milliseconds=500)):
        await eventually(outcomes, ["retry"])
        engine.channel.release()
        engine.clock.advance(timedelta(seconds=6))
        await engine.status_is("delivered")

    assert (await history())[0].reason == "No answer within 0.5 seconds."
    assert engine.channel.delivered == ["Sold!"]


async def test_a_dispatcher_sends_so_many_at_once_and_no_more(engine: Engine) -> None:
    engine.channel.hold()
    for number in range(5):
        await engine.post(await engine.account(f"user-{number}"), f"{number}")

    async with engine.running(slots=3):
        await engine.channel.wait_for_tries(3)
        engine.channel.release()
        await engine.status_is(*["delivered"] * 5)

    assert engine.channel.most_at_once == 3


async def test_a_wake_up_spares_the_wait_for_the_next_look(engine: Engine, alice: Account) -> None:
    async with engine.running(poll=timedelta(hours=1)) as dispatcher:
        await engine.clock.wait_for_looks(1)
        await engine.post(alice, "Sold!")
        dispatcher.wake()
        await engine.status_is("delivered")

    assert engine.channel.delivered == ["Sold!"]


async def test_what_other_processes_queue_is_found_without_a_wake_up(engine: Engine, alice: Account) -> None:
    async with engine.running():
        await engine.look_by()
        await engine.post(alice, "Sold!")
        await engine.status_is("delivered", "delivered")

    assert engine.channel.delivered[1] == "Sold!"


async def test_who_waits_for_the_event_is_told(engine: Engine, alice: Account) -> None:
    engine.channel.hold()
    await engine.post(alice, "Sold!")

    async with engine.running():
        await engine.channel.wait_for_tries(1)
        engine.channel.release()
        await engine.settlements.wait(engine.channel.tries[0].notification.event_id, 10)
        [settled] = await deliveries()

    assert settled.status == DeliveryStatus.DELIVERED


async def test_an_outcome_is_recorded_once_the_database_takes_it(engine: Engine, alice: Account) -> None:
    engine.channel.hold()
    await engine.post(alice, "Sold!")

    with structlog.testing.capture_logs() as log:
        async with engine.running():
            await engine.channel.wait_for_tries(1)
            await rename("delivery_attempts", "elsewhere")
            engine.channel.release()
            await until(lambda: any("can't be stored yet" in each["event"] for each in log))
            await rename("elsewhere", "delivery_attempts")
            await engine.status_is("delivered")

    assert engine.channel.tried == ["Sold!"]
    assert await outcomes() == ["delivered"]


async def test_the_queue_is_read_again_once_the_database_is_back(engine: Engine, alice: Account) -> None:
    await rename("delivery_attempts", "elsewhere_attempts")
    await rename("deliveries", "elsewhere")

    with structlog.testing.capture_logs() as log:
        async with engine.running():
            # PostgreSQL is asked for every table that events need, and counts as away without one
            told = ("The queue can't be read", "The database is away or full")
            await until(lambda: any(each["event"] in told for each in log))
            await rename("elsewhere", "deliveries")
            await rename("elsewhere_attempts", "delivery_attempts")
            await engine.post(alice, "Sold!")
            await engine.status_is("delivered")

    assert engine.channel.delivered == ["Sold!"]


async def test_what_was_claimed_as_the_database_went_away_is_sent_once_it_is_back(
    engine: Engine, alice: Account, bob: Account
) -> None:
    await engine.post(alice, "Sold!")
    # It is stored, and the answer never came
    assert await Claimer().claim(Wish(TELEGRAM.name, "daemon-1", 50, engine.clock.now()))
    await engine.post(bob, "Sold, too!")
    await rename("categories", "elsewhere")

    with structlog.testing.capture_logs() as log:
        async with engine.running("daemon-1"):
            told = ("The queue can't be read", "The database is away or full")
            await until(lambda: any(each["event"] in told for each in log))
            status_of_what_cannot_be_read = (await statuses())[1]
            await rename("elsewhere", "categories")
            await engine.status_is("delivered", "delivered")

    assert status_of_what_cannot_be_read == "pending"
    assert sorted(engine.channel.tried) == ["Sold!", "Sold, too!"]
    assert await outcomes() == ["delivered"]


async def rename(table: str, name: str) -> None:
    """Take a table away, or bring it back: the database answers, but not as it should."""
    await connection().execute_script(f"ALTER TABLE {table} RENAME TO {name}")


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_slots_hold_whatever_plan_postgresql_chooses(database_url: str) -> None:
    name = urlsplit(database_url).path.strip("/")
    async with open_database(database_url):
        for way in ("hashjoin", "mergejoin", "material", "memoize", "hashagg", "sort"):
            await connection().execute_script(f"ALTER DATABASE {name} SET enable_{way} = off")
    async with open_database(database_url):
        engine = Engine()
        engine.channel.hold()
        for number in range(5):
            await engine.post(await engine.account(f"user-{number}"), f"{number}")

        async with engine.running(slots=3):
            await engine.channel.wait_for_tries(3)
            engine.channel.release()
            await engine.status_is(*["delivered"] * 5)

    assert engine.channel.most_at_once == 3
