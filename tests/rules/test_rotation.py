"""Rotating a key: the new one takes over, the old one works for the overlap and no longer."""

import asyncio
from datetime import timedelta

import pytest

from models import Account, ApiKey, KeyScope
from pingpilot.accounts.callers import Authenticator
from pingpilot.accounts.keys import (
    MOST_KEYS,
    AlreadyRotated,
    KeyRights,
    Rotation,
    TooManyKeys,
    create_key,
    list_keys,
    parse_overlap,
    revoke_key,
    rotate_key,
)
from pingpilot.accounts.quota import PlanLimits
from pingpilot.errors import AlreadyExists, InvalidInput, NotFound
from tests.support.accounts import new_account
from tests.support.clock import ManualClock

HOUR = timedelta(hours=1)
RIGHTS = KeyRights(KeyScope.SEND, ["sale", "bug"])


async def is_accepted(key: str, clock: ManualClock) -> bool:
    return await Authenticator(limits=PlanLimits(), clock=clock).caller_of(key) is not None


async def rotate_default(account: Account, overlap: timedelta, clock: ManualClock) -> Rotation:
    return await rotate_key(account, (await list_keys(account))[0].id, overlap, clock.now())


async def test_both_keys_work_until_the_overlap_ends(database: str, clock: ManualClock) -> None:
    account = await new_account(clock)
    row, old = await create_key(account, "shop", clock.now())

    new = (await rotate_key(account, row.id, HOUR, clock.now())).key

    at_once = [await is_accepted(key, clock) for key in (old, new)]
    clock.advance(HOUR - timedelta(microseconds=1))
    at_last = [await is_accepted(key, clock) for key in (old, new)]
    clock.advance(timedelta(microseconds=1))
    afterwards = [await is_accepted(key, clock) for key in (old, new)]
    assert (at_once, at_last, afterwards) == ([True, True], [True, True], [False, True])


async def test_without_an_overlap_the_old_key_is_revoked_at_once(database: str, clock: ManualClock) -> None:
    account = await new_account(clock)
    row, old = await create_key(account, "shop", clock.now())

    rotation = await rotate_key(account, row.id, timedelta(), clock.now())

    assert not await is_accepted(old, clock)
    assert await is_accepted(rotation.key, clock)
    assert (await ApiKey.get(id=row.id)).revoked_at == rotation.old.revoked_at == clock.now()


async def test_the_new_key_takes_over_name_scope_and_categories(database: str, clock: ManualClock) -> None:
    account = await new_account(clock)
    row, _ = await create_key(account, "shop", clock.now(), RIGHTS)

    new = (await rotate_key(account, row.id, HOUR, clock.now())).row

    assert (new.name, new.scope, new.category_names) == ("shop", "send", ("sale", "bug"))
    assert (new.expires_at, new.last_used_at) == (None, None)
    assert new.prefix != row.prefix


async def test_a_key_is_rotated_once(sqlite: str, clock: ManualClock) -> None:
    account = await new_account(clock)
    first = await rotate_default(account, HOUR, clock)

    with pytest.raises(AlreadyRotated, match="the one that replaced it"):
        await rotate_default(account, HOUR, clock)
    await rotate_key(account, first.row.id, HOUR, clock.now())

    assert [each.expires_at is None for each in await list_keys(account)] == [False, False, True]


@pytest.mark.parametrize(
    ("overlap", "refusal"), [(HOUR, AlreadyRotated), (timedelta(), NotFound)], ids=["overlap", "none"]
)
async def test_of_many_rotations_of_a_key_at_once_one_succeeds(
    database: str, clock: ManualClock, overlap: timedelta, refusal: type[Exception]
) -> None:
    account = await new_account(clock)

    done = await asyncio.gather(
        *(rotate_default(account, overlap, clock) for _ in range(5)), return_exceptions=True
    )

    assert sorted(type(each).__name__ for each in done) == sorted(["Rotation", *[refusal.__name__] * 4])
    assert len(await list_keys(account)) == 2


async def test_what_is_revoked_expired_or_of_another_account_is_not_rotated(
    sqlite: str, clock: ManualClock
) -> None:
    account, other = await new_account(clock), await new_account(clock, "bob@example.com")
    revoked, _ = await create_key(account, "revoked", clock.now())
    await revoke_key(account, "revoked", clock.now())
    expired = (await rotate_default(account, HOUR, clock)).old
    clock.advance(HOUR)

    for key in (revoked, expired, (await list_keys(other))[0]):
        with pytest.raises(NotFound):
            await rotate_key(account, key.id, HOUR, clock.now())


async def test_the_name_is_free_again_once_both_have_ended(sqlite: str, clock: ManualClock) -> None:
    account = await new_account(clock)
    row, _ = await create_key(account, "shop", clock.now())
    new = (await rotate_key(account, row.id, HOUR, clock.now())).row
    await revoke_key(account, str(new.id), clock.now())

    with pytest.raises(AlreadyExists):
        await create_key(account, "shop", clock.now())
    clock.advance(HOUR)
    again, _ = await create_key(account, "shop", clock.now())

    assert again.name == "shop"


async def test_rotating_adds_no_key_over_the_limit(sqlite: str, clock: ManualClock) -> None:
    account = await new_account(clock)
    for number in range(MOST_KEYS - 1):
        await create_key(account, f"key {number}", clock.now())

    with pytest.raises(TooManyKeys):
        await rotate_default(account, HOUR, clock)
    kept = (await list_keys(account))[0].expires_at
    rotation = await rotate_default(account, timedelta(), clock)

    assert kept is None
    assert rotation.row.name == "default"


@pytest.mark.parametrize("overlap", [timedelta(seconds=-1), timedelta(days=30, seconds=1)])
async def test_an_overlap_is_bounded(sqlite: str, clock: ManualClock, overlap: timedelta) -> None:
    account = await new_account(clock)

    with pytest.raises(InvalidInput, match="0 to 30 days"):
        await rotate_default(account, overlap, clock)


@pytest.mark.parametrize(
    ("text", "hours"), [("0", 0), ("0m", 0), ("30m", 0.5), ("24h", 24), (" 7D ", 168), ("30d", 720)]
)
def test_an_overlap_is_read_as_people_write_it(text: str, hours: float) -> None:
    assert parse_overlap(text) == timedelta(hours=hours)


@pytest.mark.parametrize("text", ["", "24", "-1h", "31d", "1w", "1.5h", "h"])
def test_another_overlap_is_told_how_to_be_written(text: str) -> None:
    with pytest.raises(InvalidInput, match="30m, 24h or 7d"):
        parse_overlap(text)
