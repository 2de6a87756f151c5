"""`/mute` and `/unmute`, on both platforms."""

from datetime import timedelta

import pytest

from models import Account, Destination
from pingpilot.accounts.quiet_hours import set_quiet_hours
from tests.support.accounts import new_account

from .bots import Bots, Person
from .test_linking_a_chat import linked


async def test_a_chat_is_muted_for_a_while_and_unmuted(person: Person, alice: Account, bots: Bots) -> None:
    await linked(alice, person, bots)

    muted = await person.ask("/mute 2h")
    until = (await Destination.get(account_id=alice.id, channel=person.channel)).muted_until
    unmuted = await person.ask("/unmute")

    row = await Destination.get(account_id=alice.id, channel=person.channel)
    assert (
        muted.splitlines()[0]
        == "🔕 Muted for 2h. Urgent categories still come through; everything else waits."
    )
    assert until == bots.clock.now() + timedelta(hours=2)
    assert unmuted == "🔔 Unmuted: notifications come through again."
    assert row.muted_until is None


async def test_where_quiet_hours_are_silent_so_is_being_muted(
    person: Person, alice: Account, bots: Bots
) -> None:
    await linked(alice, person, bots)
    await set_quiet_hours(alice, person.channel, "22:00-07:00", silently=True, now=bots.clock.now())

    muted = await person.ask("/mute 2h")

    assert muted.splitlines()[0].endswith("everything else arrives silently.")


async def test_of_several_accounts_some_may_be_silent(person: Person, alice: Account, bots: Bots) -> None:
    await linked(alice, person, bots)
    await linked(await new_account(bots.clock, "bob@example.com"), person, bots)
    await set_quiet_hours(alice, person.channel, "22:00-07:00", silently=True, now=bots.clock.now())

    muted = await person.ask("/mute 2h")

    assert muted.splitlines()[0].endswith(
        "everything else waits or arrives silently, depending on the account."
    )


@pytest.mark.parametrize("time", ["soon", "0h", "99d"])
async def test_what_is_no_time_is_answered_with_an_example(
    person: Person, alice: Account, bots: Bots, time: str
) -> None:
    await linked(alice, person, bots)

    reply = await person.ask(f"/mute {time}")

    assert reply == f"'{time}' is not a valid time to mute for: write it like 30m, 2h or 1d, up to 30d."


@pytest.mark.parametrize("command", ["/mute 2h", "/unmute"])
async def test_who_is_not_linked_is_told_how_to(person: Person, command: str) -> None:
    reply = await person.ask(command)

    assert reply.startswith("This chat is not linked to an account yet.")
