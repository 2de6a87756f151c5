"""The Telegram bot: its menu, whom it answers where, and what it survives."""

from typing import Literal

import pytest
import structlog

from bots.commands import MENU
from models import Account, AccountChannel, Fact
from pingpilot.accounts.linking import TELEGRAM_USERNAME, create_link_code
from pingpilot.sandbox.faults import Fault
from pingpilot.sandbox.telegram import TelegramUser
from tests.support.waiting import until

from .bots import Bots, OnTelegram

ONLY_PRIVATE = "I only answer in private chats, where nobody else can read along. Please write to me there."


async def test_the_menu_lists_every_command(on_telegram: OnTelegram) -> None:
    assert on_telegram.stand_in.commands == [
        {"command": command.name, "description": command.description} for command in MENU
    ]


async def test_the_bots_name_is_kept_for_deep_links(on_telegram: OnTelegram) -> None:
    assert await Fact.read(TELEGRAM_USERNAME) == "pingpilot_bot"


@pytest.mark.parametrize("chat_type", ["group", "supergroup"])
@pytest.mark.parametrize("command", ["/quota", "/quota@pingpilot_bot", "/help", "/start", "/unlink"])
async def test_in_a_group_the_bot_only_says_that_it_talks_in_private(
    on_telegram: OnTelegram, chat_type: Literal["group", "supergroup"], command: str
) -> None:
    [reply] = await on_telegram.stand_in.say(on_telegram.user, command, chat_type=chat_type)

    assert reply.text == ONLY_PRIVATE


async def test_a_code_typed_in_a_group_links_nothing_and_stays_valid(
    on_telegram: OnTelegram, alice: Account, bots: Bots
) -> None:
    code = (await create_link_code(alice, bots.clock.now())).code

    [in_group] = await on_telegram.stand_in.say(on_telegram.user, f"/link {code}", chat_type="group")
    in_private = await on_telegram.ask(f"/link {code}")

    assert in_group.text == ONLY_PRIVATE
    assert in_private.startswith("✅")
    link = await AccountChannel.get(account_id=alice.id, channel="telegram")
    assert link.address == on_telegram.user_id


@pytest.mark.parametrize("text", ["hello", "/surprise", "K7QM2XNP", "<b>", "🎉"])
async def test_anything_else_said_in_private_is_answered_with_help(
    on_telegram: OnTelegram, text: str
) -> None:
    reply = await on_telegram.ask(text)

    assert reply.startswith("I bring you notifications from your programs.")


async def test_what_people_say_to_each_other_in_a_group_is_left_alone(on_telegram: OnTelegram) -> None:
    with pytest.raises(TimeoutError):
        await on_telegram.stand_in.say(on_telegram.user, "hello", chat_type="group", timeout=0.2)

    assert (await on_telegram.ask("/help")).startswith("I bring you")
    assert len(on_telegram.stand_in.messages) == 1


async def test_somebody_without_a_username_links_too(
    on_telegram: OnTelegram, alice: Account, bots: Bots
) -> None:
    code = (await create_link_code(alice, bots.clock.now())).code

    reply = await on_telegram.friend().ask(f"/link {code}")

    link = await AccountChannel.get(account_id=alice.id, channel="telegram")
    assert reply.startswith("✅")
    assert (link.username, link.user_id) == (None, on_telegram.friend().user_id)


async def test_a_reply_that_telegram_does_not_take_is_logged_and_the_next_one_works(
    on_telegram: OnTelegram,
) -> None:
    on_telegram.stand_in.faults.add(Fault.status(500), route="sendMessage")

    with structlog.testing.capture_logs() as log:
        with pytest.raises(TimeoutError):
            await on_telegram.stand_in.say(on_telegram.user, "/help", timeout=0.2)
        await until(lambda: bool(log))
    again = await on_telegram.ask("/help")

    assert [(each["event"], each["log_level"]) for each in log] == [("A reply on Telegram failed", "error")]
    assert again.startswith("I bring you")


async def test_a_reply_that_hangs_delays_no_other_and_no_stop(on_telegram: OnTelegram) -> None:
    stand_in = on_telegram.stand_in
    stand_in.faults.add(Fault.hang(), route="sendMessage")
    with pytest.raises(TimeoutError):
        await stand_in.say(on_telegram.user, "/help", timeout=0.2)
    await until(lambda: not stand_in.faults)  # it struck this reply, and will not strike the next

    [reply] = await stand_in.say(TelegramUser(5, "eve", "Eve"), "/help")

    assert reply.chat_id == 5
