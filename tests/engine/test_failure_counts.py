"""Failures by reason: counted for the operator, without a word of anybody's events."""

from datetime import timedelta

import pytest

from models import Account, FailureCount
from pingpilot.delivery.failure_counts import MOST_REASONS, OTHER, RecentFailures, recent_failures
from pingpilot.errors import PermanentFailure, TemporaryFailure
from tests.support.waiting import eventually

from .scripted import Engine, statuses


async def counted(engine: Engine) -> list[RecentFailures]:
    return await recent_failures(engine.clock.now(), 50)


async def test_failures_are_counted_by_reason_what_was_given_up_first(
    engine: Engine, alice: Account, bob: Account
) -> None:
    full = PermanentFailure("552 5.2.2 Mailbox full")
    engine.channel.fail(TemporaryFailure("No answer."), full, full)

    async with engine.running():
        await engine.post(alice, "first")
        await eventually(lambda: counted(engine), [RecentFailures("telegram", "No answer.", 1, False)])
        await engine.post(bob, "second", "third")
        await engine.status_is("pending", "failed", "failed")

    assert await counted(engine) == [
        RecentFailures("telegram", "552 5.2.2 Mailbox full", 2, True),
        RecentFailures("telegram", "No answer.", 1, False),
    ]
    engine.clock.advance(timedelta(days=1, hours=1))
    assert await counted(engine) == []


async def test_a_recipient_that_is_gone_counts_with_all_that_waited(engine: Engine, alice: Account) -> None:
    engine.channel.hold()
    engine.channel.fail(PermanentFailure("Forbidden: bot was blocked by the user", recipient_gone=True))

    async with engine.running():
        await engine.post(alice, "first", "second", "third")
        await engine.channel.wait_for_tries(1)
        engine.channel.release()
        await engine.status_is("failed", "failed", "failed")

    assert await counted(engine) == [
        RecentFailures("telegram", "Forbidden: bot was blocked by the user", 3, True)
    ]


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("550 <alice> alice: no such user", "550 … [recipient]: no such user"),
        ("550 5.1.1 alice@example.com is not here", "550 5.1.1 … is not here"),
        ("Could not parse 'Lamp for Grace' at https://shop.example/4711", "Could not parse … at …"),
        ('Rejected: "word" and “word” and `word` as spam', "Rejected: … and … and … as spam"),
        ("Content has hunter2 near Hopper, 99.95", "Content has … near …"),
        ("554 queued as 4F3A1234567", "554 queued as …"),
        ("Postfach überfüllt", "Postfach …"),
        ("It can't be sent, isn't it", "It can't be sent, isn't it"),
        ("x" * 500, "x" * 159 + "…"),
    ],
)
async def test_what_a_platform_quotes_is_left_out(engine: Engine, reason: str, told: str) -> None:
    alice = await engine.account("alice")
    engine.channel.fail(PermanentFailure(reason))

    async with engine.running():
        await engine.post(alice, "Bought by Hopper", fields={"password": "hunter2", "amount": 99.95})
        await eventually(statuses, ["failed"])

    assert [each.reason for each in await counted(engine)] == [told]


async def test_ever_new_reasons_are_counted_together(engine: Engine) -> None:
    account = await engine.account("alice")
    names = [f"{letter}{other}" for letter in "abcdefghijk" for other in "abcdefghijk"]
    engine.channel.fail(*(PermanentFailure(f"Refused by {name}") for name in names))

    async with engine.running():
        await engine.post(account, *(["x"] * len(names)))
        await eventually(statuses, ["failed"] * len(names))

    assert await FailureCount.all().count() == MOST_REASONS + 1
    assert (await FailureCount.get(reason=OTHER)).failures == len(names) - MOST_REASONS
