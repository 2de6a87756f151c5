"""Rooms: groups and servers' channels, linked by somebody who may say what goes there."""

import asyncio
from datetime import timedelta

import pytest

from models import Account, Destination, LinkCode, LinkGuess
from pingpilot.accounts.destinations import MOST_DESTINATIONS, destinations_of
from pingpilot.accounts.keys import KEY_PREFIX
from pingpilot.accounts.linking import ChatUser, create_link_code, link
from pingpilot.accounts.rooms import LinkedRoom, Room, link_room, suspend_rooms, unlink_room
from pingpilot.errors import AlreadyExists, InvalidInput, LinkRefused, TooMany
from tests.support.accounts import new_account
from tests.support.clock import ManualClock

pytestmark = pytest.mark.usefixtures("database")

ADMIN = ChatUser("telegram", "42", "grace")
OPS = Room("telegram", "-1001234", "Ops & Alerts 🚨")


async def linked(account: Account, room: Room, clock: ManualClock, name: str | None = None) -> LinkedRoom:
    code = await create_link_code(account, clock.now(), room=name)
    return await link_room(ADMIN, room, code.code, now=clock.now())


async def test_a_room_is_called_after_its_title(clock: ManualClock) -> None:
    account = await new_account(clock)

    named = (await linked(account, OPS, clock)).destination

    row = await Destination.get(name=named)
    assert named == "ops-alerts"
    assert (row.kind, row.address, row.topic, row.title) == ("room", "-1001234", None, "Ops & Alerts 🚨")
    assert [each.name for each in await destinations_of(account)][-1] == "ops-alerts"


@pytest.mark.parametrize(
    ("title", "name"),
    [("Ops", "ops-2"), ("日本", "room"), ("Telegram", "telegram-room"), ("é" * 200, "e" * 28)],
)
async def test_any_title_gives_a_name_that_is_free(title: str, name: str, clock: ManualClock) -> None:
    account = await new_account(clock)
    await linked(account, Room("telegram", "-1", "ops"), clock)

    assert (await linked(account, Room("telegram", "-2", title), clock)).destination == name


async def test_a_code_made_for_a_room_fixes_its_name(clock: ManualClock) -> None:
    account = await new_account(clock)
    topic = Room("telegram", "-1001234", "Ops / deploys", topic="7")

    assert (await linked(account, topic, clock, name="deploys")).destination == "deploys"
    assert (await linked(account, OPS, clock, name="ops")).destination == "ops"  # beside its topic

    row = await Destination.get(name="deploys")
    assert (row.kind, row.topic) == ("topic", "7")


async def test_a_code_for_a_room_links_no_chat_and_stays_good(clock: ManualClock) -> None:
    account = await new_account(clock)
    code = await create_link_code(account, clock.now(), room="ops")

    with pytest.raises(LinkRefused, match="for a room, to be called 'ops'"):
        await link(ADMIN, code.code, address="42", now=clock.now())

    assert (await link_room(ADMIN, OPS, code.code, now=clock.now())).destination == "ops"


async def test_a_room_is_linked_once(clock: ManualClock) -> None:
    alice, bob = await new_account(clock), await new_account(clock, "bob@example.com")
    await linked(alice, OPS, clock)

    with pytest.raises(LinkRefused, match="linked already, as 'ops-alerts'"):
        await linked(alice, OPS, clock)
    with pytest.raises(LinkRefused, match="another account") as refused:
        await linked(bob, OPS, clock)

    assert "alice" not in str(refused.value)
    assert await Destination.filter(address=OPS.address).count() == 1


async def test_of_two_who_link_a_room_at_once_one_gets_it(clock: ManualClock) -> None:
    accounts = [await new_account(clock, f"user{number}@example.com") for number in range(4)]
    codes = [(await create_link_code(each, clock.now())).code for each in accounts]
    people = [ChatUser("telegram", str(number), None) for number in range(4)]

    ends = await asyncio.gather(
        *(link_room(who, OPS, code, now=clock.now()) for who, code in zip(people, codes, strict=True)),
        return_exceptions=True,
    )

    assert sum(isinstance(end, LinkedRoom) for end in ends) == 1
    assert await Destination.filter(address=OPS.address).count() == 1


async def test_a_room_that_was_suspended_is_used_again(clock: ManualClock) -> None:
    account = await new_account(clock)
    name = (await linked(account, OPS, clock)).destination
    told = await suspend_rooms("telegram", OPS.address, "The bot was removed.")
    told_again = await suspend_rooms("telegram", OPS.address, "The bot was removed.")

    again = await linked(account, OPS, clock)

    assert ([each.name for each in told], told_again) == ([name], [])
    assert again == LinkedRoom(account, name, again=True)
    assert (await Destination.get(name=name)).suspended_reason is None


async def test_a_key_is_not_for_a_room(clock: ManualClock) -> None:
    await new_account(clock)

    with pytest.raises(LinkRefused, match="revoke"):
        await link_room(ADMIN, OPS, KEY_PREFIX + "a" * 43, now=clock.now())


async def test_wrong_codes_in_a_room_count_as_guesses(clock: ManualClock) -> None:
    await new_account(clock)
    for _ in range(10):
        with pytest.raises(LinkRefused, match="not right"):
            await link_room(ADMIN, OPS, "ABCDEFGH", now=clock.now())

    with pytest.raises(LinkRefused, match="too many"):
        await link_room(ADMIN, OPS, "ABCDEFGH", now=clock.now())
    assert await LinkGuess.all().count() == 10


async def test_right_codes_that_are_refused_are_no_guesses(clock: ManualClock) -> None:
    alice, bob = await new_account(clock), await new_account(clock, "bob@example.com")
    await linked(alice, OPS, clock)
    code = (await create_link_code(bob, clock.now(), room="ops")).code

    for _ in range(11):
        with pytest.raises(LinkRefused, match="another account"):
            await link_room(ADMIN, OPS, code, now=clock.now())
        with pytest.raises(LinkRefused, match="for a room"):
            await link(ADMIN, code, address="42", now=clock.now())

    assert await LinkGuess.all().count() == 0
    await unlink_room(OPS, clock.now())
    assert (await link_room(ADMIN, OPS, code, now=clock.now())).destination == "ops"


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("Ops room", InvalidInput),
        ("x" * 33, InvalidInput),
        ("all", AlreadyExists),
        ("none", AlreadyExists),
        ("telegram", AlreadyExists),
        ("ops", AlreadyExists),
    ],
)
async def test_no_code_is_made_for_a_name_that_can_not_be(
    name: str, error: type[Exception], clock: ManualClock
) -> None:
    account = await new_account(clock)
    await linked(account, OPS, clock, name="ops")

    with pytest.raises(error):
        await create_link_code(account, clock.now(), room=name)

    assert await LinkCode.all().count() == 1


async def test_a_name_taken_since_the_code_was_made_is_told_and_the_code_stays_good(
    clock: ManualClock,
) -> None:
    account = await new_account(clock)
    code = await create_link_code(account, clock.now(), room="ops")
    await linked(account, OPS, clock, name="ops")
    other = Room("telegram", "-2", "Other")

    with pytest.raises(LinkRefused, match="There is a destination 'ops' already"):
        await link_room(ADMIN, other, code.code, now=clock.now())
    await unlink_room(OPS, clock.now())

    assert (await link_room(ADMIN, other, code.code, now=clock.now())).destination == "ops"


async def test_an_account_has_so_many_destinations_at_most(clock: ManualClock) -> None:
    account = await new_account(clock)
    direct = len(await destinations_of(account))
    for number in range(MOST_DESTINATIONS - direct):
        clock.advance(timedelta(minutes=2))
        await linked(account, Room("telegram", str(-number), "ops"), clock)

    with pytest.raises(LinkRefused, match=f"up to {MOST_DESTINATIONS} destinations"):
        await linked(account, OPS, clock)
    with pytest.raises(TooMany, match="remove one first"):
        await create_link_code(account, clock.now(), room="another")
    assert len(await destinations_of(account)) == MOST_DESTINATIONS
