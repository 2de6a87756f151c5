"""Linking a chat and unlinking it, on each platform."""

from datetime import timedelta

import pytest

from models import Account, Delivery, Destination, Event
from pingpilot.accounts.keys import create_key, new_key
from pingpilot.accounts.linking import create_link_code
from pingpilot.channels import CHANNELS
from pingpilot.sandbox.faults import Fault
from tests.support.accounts import new_account
from tests.support.waiting import until

from .bots import Bots, OnDiscord, OnTelegram, Person

SUSPENDED = (
    "⚠️ Suspended, nothing is sent here: Blocked by <you>. "
    "To resume, get a new code (pingpilot link-code) and send me /link CODE."
)
NOT_LINKED = "This chat is not linked to an account yet."


async def code_for(account: Account, bots: Bots) -> str:
    return (await create_link_code(account, bots.clock.now())).code


async def link_of(account: Account, person: Person) -> Destination:
    return await Destination.get(account_id=account.id, channel=person.channel)


async def linked(account: Account, person: Person, bots: Bots) -> None:
    """Link the person to the account."""
    reply = await person.ask(f"/link {await code_for(account, bots)}")
    assert reply.startswith("✅")


async def test_a_code_links_the_chat_and_the_account_is_named(
    person: Person, alice: Account, bots: Bots
) -> None:
    reply = await person.ask(f"/link {await code_for(alice, bots)}")

    link = await link_of(alice, person)
    assert reply.startswith("✅ Linked to alice@example.com.\nA test notification is on its way.")
    assert (link.enabled, link.user_id, link.username) == (True, person.user_id, "ada")
    assert link.address


async def test_one_test_notification_is_queued_for_the_linked_chat(
    person: Person, alice: Account, bots: Bots
) -> None:
    await linked(alice, person, bots)

    [queued], [event] = await Delivery.all(), await Event.all()
    assert (queued.channel, queued.status) == (person.channel, "pending")
    assert event.notice
    assert event.description == (
        f"{CHANNELS[person.channel].label} is linked to alice@example.com. "
        "Your notifications arrive here from now on."
    )
    assert bots.woken == [person.channel]


async def test_the_other_channels_and_the_old_chat_are_told_that_a_link_moved(
    person: Person, bots: Bots
) -> None:
    account = await new_account(bots.clock, "carol@example.com", channels=["email"])
    friend = person.friend()
    await linked(account, person, bots)
    old_chat = (await link_of(account, person)).address
    await Event.all().delete()

    await linked(account, friend, bots)

    label = CHANNELS[person.channel].label
    notices = {
        each.channel: (await each.event).description
        for each in await Delivery.all().prefetch_related("event")
    }
    await until(lambda: bool(bots.told))
    [(told, text)] = bots.told
    assert notices.keys() == {person.channel, "email"}
    assert notices["email"].startswith(f"{label} of carol@example.com goes to a chat with ")
    assert "revoke your API keys" in notices["email"]
    assert told == old_chat
    assert text.startswith("The notifications of carol@example.com no longer come here, but to another chat.")


async def test_linking_the_same_chat_again_tells_nobody_else(person: Person, bots: Bots) -> None:
    account = await new_account(bots.clock, "carol@example.com", channels=["email"])
    await linked(account, person, bots)
    await Event.all().delete()

    await linked(account, person, bots)

    assert [each.channel for each in await Delivery.all()] == [person.channel]
    assert bots.told == []


async def test_a_wrong_a_used_and_an_expired_code_are_told_apart(
    person: Person, alice: Account, bots: Bots
) -> None:
    used, expired = await code_for(alice, bots), await code_for(alice, bots)
    await person.ask(f"/link {used}")

    replies = [await person.ask("/link AAAAAAAA"), await person.ask(f"/link {used}")]
    bots.clock.advance(timedelta(minutes=10))
    replies.append(await person.ask(f"/link {expired}"))

    assert replies == [
        "This code is not right. Check it, or get a new one.",
        "This code was used already. Get a new one.",
        "This code has expired: it is valid for 10 minutes. Get a new one.",
    ]
    assert await Event.all().count() == 1


async def test_an_api_key_links_too(person: Person, alice: Account, bots: Bots) -> None:
    _, key = await create_key(alice, "chat", bots.clock.now())

    reply = await person.ask(f"/link {key}")

    assert reply.startswith("✅ Linked to alice@example.com.")
    assert key not in reply


async def test_an_unknown_api_key_is_refused(person: Person, alice: Account) -> None:
    reply = await person.ask(f"/link {new_key()}")

    assert reply == "This API key is not valid. Check it, or use a link code instead."
    assert (await link_of(alice, person)).address is None


async def test_ten_wrong_guesses_an_hour_are_all_a_chat_user_gets(
    person: Person, alice: Account, bots: Bots
) -> None:
    for _ in range(10):
        assert "not right" in await person.ask("/link AAAAAAAA")

    refused = await person.ask(f"/link {await code_for(alice, bots)}")
    of_a_friend = await person.friend().ask("/link AAAAAAAA")
    bots.clock.advance(timedelta(minutes=61))
    an_hour_later = await person.ask(f"/link {await code_for(alice, bots)}")

    assert refused == "There were too many wrong codes. Wait an hour, then try again with a new code."
    assert "not right" in of_a_friend
    assert an_hour_later.startswith("✅")


@pytest.mark.parametrize("command", ["/quota", "/categories", "/unlink", "/help"])
async def test_who_is_not_linked_is_told_how(person: Person, command: str) -> None:
    reply = await person.ask(command)

    assert NOT_LINKED in reply
    assert "pingpilot link-code" in reply
    assert "/link CODE" in reply


async def test_a_chat_may_serve_two_accounts_and_names_them(
    person: Person, alice: Account, bots: Bots
) -> None:
    bea = await new_account(bots.clock, "bea@example.com")
    await linked(alice, person, bots)
    await linked(bea, person, bots)

    quota, which = await person.ask("/quota"), await person.ask("/unlink")
    unlinked = await person.ask("/unlink Bea@example.com")

    assert [line for line in quota.splitlines() if "@" in line] == ["alice@example.com", "bea@example.com"]
    assert which.splitlines()[1:] == ["/unlink alice@example.com", "/unlink bea@example.com"]
    assert unlinked == "Unlinked from bea@example.com. Nothing more will be sent here."
    assert (await link_of(alice, person)).enabled
    assert (await link_of(bea, person)).address is None


async def test_a_chat_linked_to_one_account_is_unlinked_at_once(
    person: Person, alice: Account, bots: Bots
) -> None:
    await linked(alice, person, bots)

    reply = await person.ask("/unlink")

    link = await link_of(alice, person)
    assert reply == "Unlinked from alice@example.com. Nothing more will be sent here."
    assert (link.enabled, link.address, link.user_id) == (False, None, None)
    assert NOT_LINKED in await person.ask("/unlink")


async def test_nobody_unlinks_the_account_of_another(person: Person, alice: Account, bots: Bots) -> None:
    await linked(alice, person, bots)

    reply = await person.friend().ask("/unlink alice@example.com")

    assert reply == "This chat is not linked to alice@example.com."
    assert (await link_of(alice, person)).enabled


async def test_linking_again_lifts_a_suspension(person: Person, alice: Account, bots: Bots) -> None:
    await linked(alice, person, bots)
    await Destination.filter(account_id=alice.id).update(suspended_reason="Blocked by <you>.")

    suspended = await person.ask("/quota")
    await linked(alice, person, bots)
    lifted = await person.ask("/quota")

    assert SUSPENDED in suspended
    assert "Suspended" not in lifted


@pytest.mark.parametrize("command", ["/help", "/categories"])
async def test_a_suspension_is_told_wherever_the_account_is(
    person: Person, alice: Account, bots: Bots, command: str
) -> None:
    await linked(alice, person, bots)
    await Destination.filter(account_id=alice.id).update(suspended_reason="Blocked by <you>.")

    reply = await person.ask(command)

    assert SUSPENDED in reply.splitlines()


async def test_who_has_blocked_the_bot_and_starts_it_again_is_told_how_to_resume(
    on_telegram: OnTelegram, alice: Account, bots: Bots
) -> None:
    await linked(alice, on_telegram, bots)
    on_telegram.stand_in.block(on_telegram.user.id)
    await Destination.filter(account_id=alice.id).update(suspended_reason="Blocked by <you>.")
    on_telegram.stand_in.unblock(on_telegram.user.id)

    reply = await on_telegram.ask("/start")
    await linked(alice, on_telegram, bots)

    assert reply.endswith(f"Linked to alice@example.com.\n{SUSPENDED}")
    assert (await link_of(alice, on_telegram)).suspended_reason is None


@pytest.mark.parametrize("command", ["/link", "/link   ", "/link <>", "/link CODE"])
async def test_link_without_a_code_says_what_to_add(on_telegram: OnTelegram, command: str) -> None:
    reply = await on_telegram.ask(command)

    assert reply.splitlines() == [
        "Please add the code: /link CODE",
        "Your account's owner gets one with pingpilot link-code.",
    ]


@pytest.mark.parametrize("form", ["<{}>", "[{}]", "“{}”", "/link {}", "{}.", "Code: {}"])
async def test_a_code_in_brackets_links(person: Person, alice: Account, bots: Bots, form: str) -> None:
    reply = await person.ask(f"/link {form.format(await code_for(alice, bots))}")

    assert reply.startswith("✅")


async def test_discord_messages_go_to_the_direct_messages_wherever_linking_was_asked_for(
    on_discord: OnDiscord, alice: Account, bots: Bots
) -> None:
    code = await code_for(alice, bots)

    await on_discord.stand_in.command(on_discord.user, f"/link {code}", where="guild")

    again = await code_for(alice, bots)
    in_guild = (await link_of(alice, on_discord)).address
    await on_discord.stand_in.command(on_discord.user, f"/link {again}", where="dm")
    assert in_guild == (await link_of(alice, on_discord)).address
    assert on_discord.stand_in.messages == []


async def test_a_deep_link_links_at_the_first_touch(
    on_telegram: OnTelegram, alice: Account, bots: Bots
) -> None:
    new = await create_link_code(alice, bots.clock.now())

    reply = await on_telegram.ask(f"/start {new.code}")

    assert new.telegram_url == f"https://t.me/pingpilot_bot?start={new.code}"
    assert reply.startswith("✅ Linked to alice@example.com.")
    assert (await link_of(alice, on_telegram)).address == on_telegram.user_id


async def test_start_alone_says_what_the_bot_can_do(on_telegram: OnTelegram) -> None:
    reply = await on_telegram.ask("/start")

    assert reply == await on_telegram.ask("/help")
    assert reply.startswith("I bring you notifications from your programs.")


async def test_link_alone_asks_for_the_code(on_telegram: OnTelegram) -> None:
    reply = await on_telegram.ask("/link")

    assert reply.startswith("Please add the code: /link CODE")


@pytest.mark.parametrize("command", ["/link", "/start"])
async def test_telegrams_bot_deletes_a_message_with_a_key(
    on_telegram: OnTelegram, alice: Account, bots: Bots, command: str
) -> None:
    _, key = await create_key(alice, "chat", bots.clock.now())

    await on_telegram.ask(f"{command} {key}")
    await on_telegram.ask(f"{command} AAAAAAAA")

    assert on_telegram.stand_in.deleted == [(on_telegram.user.id, 1)]


async def test_a_key_links_even_where_its_message_cannot_be_deleted(
    on_telegram: OnTelegram, alice: Account, bots: Bots
) -> None:
    _, key = await create_key(alice, "chat", bots.clock.now())
    on_telegram.stand_in.faults.add(Fault.status(400), route="deleteMessage")

    reply = await on_telegram.ask(f"/link {key}")

    assert reply.startswith("✅")
