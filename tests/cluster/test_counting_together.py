"""Several daemons that accept events of one account at once: each is judged by what all have stored."""

import asyncio
from collections import Counter

import asyncpg
import pytest

from models import Account, CategoryUsage, Delivery, Event, MonthlyUsage, Plan
from pingpilot.accounts.callers import Caller
from pingpilot.accounts.quota import month_of
from pingpilot.events.intake import Intake
from pingpilot.events.submission import Acceptance, QuotaExceeded, Submission
from tests.support.accounts import new_account
from tests.support.clock import ManualClock
from tests.support.composition import Composition
from tests.support.events import accept, caller_for
from tests.support.waiting import eventually

DAEMONS = 3
ACCOUNTS = 20
LIMIT = 2
KEYS = 60


def events(caller: Caller, keys: list[str | None]) -> list[Submission]:
    return [
        Submission(caller, "sale", "Sold", "{}", idempotency_key=key, body_hash="same", numbers=(("n", 1.0),))
        for key in keys
    ]


async def posted(daemons: list[Intake], submissions: list[Submission]) -> list[Acceptance | BaseException]:
    """Hand each to all daemons, at the same time; each daemon takes one after the other."""

    async def post_all(daemon: Intake) -> list[Acceptance | BaseException]:
        return [
            outcome
            for each in submissions
            for outcome in await asyncio.gather(daemon.submit(each), return_exceptions=True)
        ]

    found = await asyncio.gather(*(post_all(each) for each in daemons))
    return [outcome for outcomes in found for outcome in outcomes]


@pytest.mark.usefixtures("postgres")
async def test_a_limit_is_kept_by_all_together(clock: ManualClock) -> None:
    accounts = [
        await new_account(clock, f"{number}@example.com", plan=Plan.ENTERPRISE, monthly_events=LIMIT)
        for number in range(ACCOUNTS)
    ]
    submissions = [
        submission
        for account in accounts
        for submission in events(await caller_for(account, clock), [None] * LIMIT)
    ]

    outcomes = await posted([Composition(clock=clock).intake for _ in range(DAEMONS)], submissions)

    assert Counter(type(each) for each in outcomes) == {
        Acceptance: ACCOUNTS * LIMIT,
        QuotaExceeded: ACCOUNTS * LIMIT * (DAEMONS - 1),
    }
    assert {await counts_of(account) for account in accounts} == {(LIMIT, LIMIT, LIMIT)}


@pytest.mark.usefixtures("postgres")
async def test_an_idempotency_key_names_one_event_whichever_daemons_are_asked(clock: ManualClock) -> None:
    account = await new_account(clock, plan=Plan.ENTERPRISE)
    keys: list[str | None] = [f"order-{number}" for number in range(KEYS)]

    outcomes = await posted(
        [Composition(clock=clock).intake for _ in range(DAEMONS)],
        events(await caller_for(account, clock), keys),
    )

    accepted = [each for each in outcomes if isinstance(each, Acceptance)]
    assert len(accepted) == len(outcomes)
    assert len({each.event_id for each in accepted}) == KEYS
    assert sum(not each.replayed for each in accepted) == KEYS
    assert await counts_of(account) == (KEYS, KEYS, KEYS)


@pytest.mark.parametrize("used", [0, 3])
async def test_who_finds_a_counter_in_other_hands_waits_for_it(
    postgres: str, clock: ManualClock, used: int
) -> None:
    account = await new_account(clock, plan=Plan.ENTERPRISE, monthly_events=used + 2)
    await accept(account, clock, *["sale"] * used)
    intake, caller = Composition(clock=clock).intake, await caller_for(account, clock)
    other = await asyncpg.connect(postgres)
    try:
        transaction = other.transaction()
        await transaction.start()
        await other.execute(ANOTHER_EVENT, account.id, month_of(clock.now()))
        waiting = asyncio.gather(
            *(intake.submit(each) for each in events(caller, [None, None])), return_exceptions=True
        )

        async def is_waited_for() -> bool:
            return bool(await other.fetchval(WAITING))

        await eventually(is_waited_for, True)
        await transaction.commit()
        outcomes = await waiting
    finally:
        await other.close()

    assert [type(each) for each in outcomes] == [Acceptance, QuotaExceeded]
    [usage] = await MonthlyUsage.filter(account_id=account.id)
    assert (usage.events, await Event.filter(account_id=account.id).count()) == (used + 2, used + 1)


async def test_what_is_undone_for_a_migrations_sake_is_stored_all_the_same(
    postgres: str, clock: ManualClock
) -> None:
    account = await new_account(clock, plan=Plan.ENTERPRISE, channels=["email"])
    intake, caller = Composition(clock=clock).intake, await caller_for(account, clock)
    other = await asyncpg.connect(postgres)
    try:
        await other.execute("SET deadlock_timeout = '1min'")  # it is the event that is undone
        async with other.transaction():
            await other.execute("LOCK TABLE deliveries IN ACCESS EXCLUSIVE MODE")
            waiting = asyncio.gather(*(intake.submit(each) for each in events(caller, [None])))

            async def is_waited_for() -> bool:
                return bool(await other.fetchval(WAITING))

            await eventually(is_waited_for, True)
            await other.execute("LOCK TABLE events IN ACCESS EXCLUSIVE MODE")
        [outcome] = await waiting
    finally:
        await other.close()

    assert await Event.filter(id=outcome.event_id).count() == 1
    assert await counts_of(account) == (1, 1, 1)


async def counts_of(account: Account) -> tuple[int, int, int]:
    """Return what was charged, what was counted, and what is stored."""
    charged = await MonthlyUsage.get(account_id=account.id)
    counted = await CategoryUsage.get(account_id=account.id)
    stored = await Event.filter(account_id=account.id).count()
    assert await Delivery.filter(account_id=account.id).count() in (0, stored)
    return charged.events, counted.events, stored


ANOTHER_EVENT = """
INSERT INTO monthly_usage (account_id, month, events) VALUES ($1, $2, 1)
ON CONFLICT (account_id, month) DO UPDATE SET events = monthly_usage.events + 1
"""
WAITING = """
SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
"""
