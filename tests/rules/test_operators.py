"""Operators: the first account of an installation is one, and who is made one."""

import asyncio

from models import Account
from pingpilot.accounts.accounts import has_operator, set_operator, suspend_account
from tests.support.accounts import new_account
from tests.support.clock import ManualClock


async def test_of_accounts_made_at_once_the_first_is_the_operator(database: str, clock: ManualClock) -> None:
    await asyncio.gather(*(new_account(clock, f"{name}@example.com") for name in "abc"))

    assert await Account.filter(is_operator=True).count() == 1


async def test_one_who_is_suspended_is_no_operator(sqlite: str, clock: ManualClock) -> None:
    first, second = [await new_account(clock, f"{name}@example.com") for name in "ab"]

    assert await has_operator()
    assert await suspend_account(first, clock.now())
    assert not await has_operator()
    assert await set_operator(second, is_operator=True)
