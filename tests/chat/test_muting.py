"""`/mute` and `/unmute`, on both platforms."""

from datetime import timedelta

import pytest

from models import Account, AccountChannel

from .bots import Bots, Person
from .test_linking_a_chat import linked


async def test_a_chat_is_muted_for_a_while_and_unmuted(person: Person, alice: Account, bots: Bots) -> None:
    await linked(alice, person, bots)

    muted = await person.ask("/mute 2h")
    until = (await AccountChannel.get(account_id=alice.id, channel=person.channel)).muted_until
    unmuted = await person.ask("/unmute")

    row = await AccountChannel.get(account_id=alice.id, channel=person.channel)
    assert muted.splitlines()[0] == "🔕 Muted for 2h. Urgent categories still come, the rest waits."
    assert until == bots.clock.now() + timedelta(hours=2)
    assert unmuted == "🔔 Notifications come again."
    assert row.muted_until is None


@pytest.mark.parametrize("time", ["soon", "0h", "99d"])
async def test_what_is_no_time_is_answered_with_an_example(
    person: Person, alice: Account, bots: Bots, time: str
) -> None:
    await linked(alice, person, bots)

    reply = await person.ask(f"/mute {time}")

    assert reply == f"'{time}' is no time to be muted for: write it like 30m, 2h or 1d, up to 30d."


@pytest.mark.parametrize("command", ["/mute 2h", "/unmute"])
async def test_who_is_not_linked_is_told_how_to(person: Person, command: str) -> None:
    reply = await person.ask(command)

    assert reply.startswith("This chat is not linked to an account yet.")
