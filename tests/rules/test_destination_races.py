"""Destinations that several people change at the same moment: limits, names and changes hold."""

import asyncio

import pytest

from models import Account, Destination
from pingpilot.accounts.destinations import (
    MOST_DESTINATIONS,
    DestinationChange,
    add_destination,
    change_destination,
    remove_destination,
)
from pingpilot.channels import WEBHOOK, direct_channels
from pingpilot.errors import AlreadyExists, NotFound, TooMany
from tests.support.accounts import new_account
from tests.support.clock import ManualClock


@pytest.fixture
async def alice(database: str, clock: ManualClock) -> Account:
    return await new_account(clock, "alice@example.com")


async def add(account: Account, name: str, clock: ManualClock) -> object:
    return await add_destination(account, name, WEBHOOK, "https://hooks.example.com/", clock.now())


async def test_the_limit_holds_for_those_added_at_once(alice: Account, clock: ManualClock) -> None:
    tries = [add(alice, f"hook-{number}", clock) for number in range(MOST_DESTINATIONS + 5)]

    ends = await asyncio.gather(*tries, return_exceptions=True)

    room = MOST_DESTINATIONS - len(direct_channels())
    assert await Destination.filter(channel="webhook").count() == room
    assert [type(each) for each in ends if isinstance(each, Exception)] == [TooMany] * (len(tries) - room)


async def test_a_name_is_taken_once(alice: Account, clock: ManualClock) -> None:
    ends = await asyncio.gather(*(add(alice, "hook", clock) for _ in range(5)), return_exceptions=True)

    assert sum(isinstance(each, AlreadyExists) for each in ends) == 4
    assert await Destination.filter(name="hook").count() == 1


async def test_changes_and_a_removal_at_once_leave_nothing_half(alice: Account, clock: ManualClock) -> None:
    await add(alice, "hook", clock)
    quiet = DestinationChange(quiet_hours="22:00-07:00")

    ends = await asyncio.gather(
        change_destination(alice, "hook", DestinationChange(enabled=False), clock.now()),
        change_destination(alice, "hook", quiet, clock.now()),
        remove_destination(alice, "hook", clock.now()),
        change_destination(alice, "hook", DestinationChange(enabled=True), clock.now()),
        return_exceptions=True,
    )

    assert {type(each) for each in ends if isinstance(each, Exception)} <= {NotFound}
    assert not await Destination.exists(name="hook")
