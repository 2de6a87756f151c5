"""What a clock wrote that was ahead is believed no further than it can mean."""

from datetime import timedelta

import pytest

from models import Account, ApiKey, Destination, Event
from models.api_key import LONGEST_OVERLAP
from models.link_code import CODE_LIFETIME
from pingpilot.accounts.callers import Authenticator
from pingpilot.accounts.keys import create_key, rotate_key
from pingpilot.accounts.linking import (
    MOST_CODES,
    MOST_WRONG_GUESSES,
    ChatUser,
    create_link_code,
    link,
)
from pingpilot.accounts.quota import PlanLimits
from pingpilot.accounts.sessions import begin_session, session_behind
from pingpilot.errors import LinkRefused
from pingpilot.events.notices import MOST_TESTS, post_notice_once, post_test
from pingpilot.events.submission import Submission
from tests.support.accounts import new_account
from tests.support.clock import ManualClock
from tests.support.composition import Composition
from tests.support.events import caller_for

AHEAD = timedelta(days=1)
ADA = ChatUser("telegram", "1", "ada")


@pytest.fixture
async def account(database: str, clock: ManualClock) -> Account:
    return await new_account(clock, "ada@example.com")


async def test_a_link_code_does_not_live_longer_than_ten_minutes(
    account: Account, clock: ManualClock
) -> None:
    new = await create_link_code(account, clock.now() + AHEAD)

    with pytest.raises(LinkRefused, match="has expired"):
        await link(ADA, new.code, address="1", now=clock.now())


async def test_a_link_code_from_a_clock_that_differs_by_seconds_works(
    account: Account, clock: ManualClock
) -> None:
    new = await create_link_code(account, clock.now() + timedelta(seconds=30))

    assert (await link(ADA, new.code, address="1", now=clock.now())).account.id == account.id


async def test_codes_of_tomorrow_are_not_counted_today(account: Account, clock: ManualClock) -> None:
    for _ in range(MOST_CODES):
        await create_link_code(account, clock.now() + AHEAD)

    assert (await create_link_code(account, clock.now())).expires_at == clock.now() + CODE_LIFETIME


async def test_wrong_codes_of_tomorrow_lock_nobody_out_today(account: Account, clock: ManualClock) -> None:
    for _ in range(MOST_WRONG_GUESSES):
        with pytest.raises(LinkRefused):
            await link(ADA, "WRONG234", address="1", now=clock.now() + AHEAD)
    new = await create_link_code(account, clock.now())

    assert (await link(ADA, new.code, address="1", now=clock.now())).account.id == account.id


async def test_a_rotated_key_is_not_accepted_for_longer_than_it_can_be(
    account: Account, clock: ManualClock
) -> None:
    authenticator = Authenticator(limits=PlanLimits(), clock=clock)
    row, key = await create_key(account, "ci", clock.now())
    await rotate_key(account, row.id, LONGEST_OVERLAP, clock.now() + AHEAD)

    refused = await authenticator.caller_of(key)
    clock.set_by(AHEAD)
    accepted = await authenticator.caller_of(key)

    assert refused is None
    assert accepted


async def test_when_a_key_was_used_is_noted_again(account: Account, clock: ManualClock) -> None:
    authenticator = Authenticator(limits=PlanLimits(), clock=clock)
    row, key = await create_key(account, "ci", clock.now())
    clock.set_by(AHEAD)
    await authenticator.caller_of(key)

    clock.set_by(-AHEAD)
    await authenticator.caller_of(key)

    assert (await ApiKey.get(id=row.id)).last_used_at == clock.now()


@pytest.mark.parametrize(("ahead", "events"), [(timedelta(hours=23), 1), (timedelta(days=400), 2)])
async def test_an_idempotency_key_is_remembered_and_not_for_years(
    account: Account, clock: ManualClock, ahead: timedelta, events: int
) -> None:
    intake = Composition(clock=clock).intake
    caller = await caller_for(account, clock)
    submission = Submission(caller, "sale", "text", "{}", "order-1", "hash")
    clock.set_by(ahead)
    await intake.submit(submission)

    clock.set_by(-ahead)
    await intake.submit(submission)

    assert await Event.all().count() == events


async def test_notices_of_tomorrow_keep_back_none_of_today(database: str, clock: ManualClock) -> None:
    account = await new_account(clock, channels=["email"])
    destination = await Destination.get(account_id=account.id, name="email")
    for _ in range(MOST_TESTS):
        await post_test(destination, clock.now() + AHEAD)
    a_day = timedelta(days=1)
    await post_notice_once(account.id, "It went nowhere.", within=a_day, now=clock.now() + AHEAD)

    await post_test(destination, clock.now())
    told = await post_notice_once(account.id, "It went nowhere.", within=a_day, now=clock.now())

    assert told == {"email"}


async def test_a_session_of_tomorrow_is_none_today(account: Account, clock: ManualClock) -> None:
    token = await begin_session(account, browser="", address="", now=clock.now() + AHEAD)

    assert await session_behind(token, clock.now()) is None
    assert await session_behind(token, clock.now() + AHEAD)
