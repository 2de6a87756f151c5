"""What is said in a room, and what its account's owner hears of it, on any platform."""

import pytest

from bots.replies import Link, Reply
from models import Account, Delivery, Destination, Event
from pingpilot.accounts.keys import create_key
from pingpilot.accounts.linking import ChatUser, create_link_code
from pingpilot.accounts.rooms import Room

from .bots import Bots

GRACE = ChatUser("telegram", "42", "grace")
OPS = Room("telegram", "-1001234", "Ops\n\x1b[31m & Alerts")


def read(reply: Reply) -> str:
    return "\n".join(
        "".join(span if isinstance(span, str) else span.text for span in line) for line in reply.lines
    )


async def told() -> list[str]:
    """Return what was said to the owner and to the room, in order."""
    return [event.description for event in await Event.filter(notice=True).order_by("id")]


async def link(bots: Bots, account: Account, *, name: str | None = "ops") -> Reply:
    code = await create_link_code(account, bots.clock.now(), room=name)
    return await bots.commands.rooms.link(GRACE, OPS, code.code)


async def test_a_linked_room_hears_its_name_and_the_owner_who_did_it(bots: Bots, mailed: Account) -> None:
    reply = await link(bots, mailed)

    in_room, to_owner = await told()
    assert read(reply).startswith("✅ This room is linked as ops.\nA test notification is on its way.")
    assert in_room == "This room is linked as 'ops'. Notifications for it arrive here from now on."
    assert to_owner == (
        "The Telegram room \"Ops & Alerts\" is linked to alice@example.com as 'ops', by @grace. "
        "If that was not you, remove it: pingpilot destination remove ops --account alice@example.com"
    )
    assert "alice" not in read(reply) + in_room
    assert set(bots.woken) == {"telegram", "email"}


async def test_the_test_notification_goes_to_the_room_alone(bots: Bots, mailed: Account) -> None:
    await link(bots, mailed)

    first = await Event.filter(notice=True).order_by("id").first()
    assert first is not None
    assert [each.destination for each in await Delivery.filter(event_id=first.id)] == ["ops"]


async def test_a_long_title_is_cut_for_the_owner(bots: Bots, mailed: Account) -> None:
    code = await create_link_code(mailed, bots.clock.now(), room="ops")

    await bots.commands.rooms.link(GRACE, Room("telegram", "-1", "x" * 200), code.code)

    assert f'"{"x" * 59}…"' in (await told())[-1]


@pytest.mark.parametrize("said", ["", "  ", "<>"])
async def test_without_a_code_it_says_where_one_comes_from(bots: Bots, storage: str, said: str) -> None:
    reply = read(await bots.commands.rooms.link(GRACE, OPS, said))

    assert reply == (
        "Please add the code: /link CODE\nThe account's owner gets one with pingpilot link-code --room NAME."
    )


async def test_a_refusal_says_why(bots: Bots, mailed: Account) -> None:
    _, key = await create_key(mailed, "chat", bots.clock.now())

    wrong = read(await bots.commands.rooms.link(GRACE, OPS, "K7QM2XNP"))
    with_key = read(await bots.commands.rooms.link(GRACE, OPS, key))

    assert wrong == "This code is not right. Check it, or get a new one."
    assert with_key.startswith("An API key is not for a room, where others read it: revoke this one")
    assert await told() == []


async def test_an_unlinked_room_is_told_to_the_owner_with_the_categories_that_name_it(
    bots: Bots, mailed: Account
) -> None:
    await link(bots, mailed)

    reply = await bots.commands.rooms.unlink(ChatUser("telegram", "43", None), OPS)
    again = await bots.commands.rooms.unlink(GRACE, OPS)

    assert read(reply) == "This room is unlinked. No more notifications come here."
    assert read(again) == "This room is not linked."
    assert (await told())[-1] == (
        "The Telegram room \"Ops & Alerts\" ('ops') was unlinked, in the room, by the user 43."
    )
    assert not await Destination.exists(name="ops")


async def test_help_says_what_works_and_whether_the_room_is_linked(bots: Bots, mailed: Account) -> None:
    rooms = bots.commands.rooms

    before = read(await rooms.help(OPS, who_may="administrators"))
    await link(bots, mailed)
    linked = read(await rooms.help(OPS, who_may="administrators"))
    await Destination.filter(name="ops").update(enabled=False)
    off = read(await rooms.help(OPS, who_may="administrators"))
    await Destination.filter(name="ops").update(enabled=True, suspended_reason="Gone.")
    suspended = read(await rooms.help(OPS, who_may="administrators"))

    assert before.splitlines() == [
        "I bring notifications from programs into this room. It is not linked.",
        "/link CODE – links it (administrators only)",
        "/unlink – stops its notifications (administrators only)",
        "Everything else I answer in our private chat, where nobody else reads along.",
    ]
    assert linked.splitlines()[0].endswith("It is linked.")
    assert off.splitlines()[0].endswith("It is linked, but switched off.")
    assert suspended.splitlines()[0].endswith("It is linked, but suspended.")


async def test_what_is_about_an_account_is_for_the_private_chat(bots: Bots) -> None:
    reply = bots.commands.rooms.elsewhere("quota", "https://t.me/pingpilot_bot")

    assert read(reply) == "Others read along here: send me /quota in our private chat."
    assert reply.links == (Link("Open our private chat", "https://t.me/pingpilot_bot"),)
    assert bots.commands.rooms.elsewhere("quota").links == ()


async def test_a_room_that_is_lost_is_suspended_and_its_owner_told_once(bots: Bots, mailed: Account) -> None:
    await link(bots, mailed)
    rooms = bots.commands.rooms

    for _ in range(2):
        await rooms.suspend("telegram", OPS.address, "The bot was removed from the group.")

    row = await Destination.get(name="ops")
    assert row.suspended_reason == "The bot was removed from the group."
    assert (await told())[2:] == [
        (
            "The destination 'ops' (Telegram) is suspended: The bot was removed from the group. "
            "To go on, let the bot write there again, then switch it on or link it again."
        )
    ]
