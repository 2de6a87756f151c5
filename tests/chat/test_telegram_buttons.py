"""The buttons of `/failed` on Telegram: in groups, on old messages, under flood control."""

from typing import Literal

import pytest
import structlog

from models import Account, Delivery
from pingpilot.sandbox.faults import Fault
from pingpilot.sandbox.telegram import TelegramUser
from tests.support.failures import failed_deliveries
from tests.support.waiting import until

from .bots import Bots, OnTelegram
from .test_linking_a_chat import linked
from .test_retry_buttons import RETRIED

ONLY_PRIVATE = "My buttons work in our private chat, where nobody else can read along."


async def test_on_telegram_a_press_is_answered_with_what_came_of_it(
    on_telegram: OnTelegram, mailed: Account, bots: Bots
) -> None:
    await linked(mailed, on_telegram, bots)
    await failed_deliveries(mailed, bots.clock, "sale")
    await on_telegram.ask("/failed")

    await on_telegram.press("Retry 1")

    [answer] = on_telegram.stand_in.answers
    assert (answer.text, answer.show_alert) == (RETRIED, False)


async def test_on_telegram_a_press_that_changes_nothing_is_answered_all_the_same(
    on_telegram: OnTelegram, mailed: Account, bots: Bots
) -> None:
    await linked(mailed, on_telegram, bots)
    [failed] = await failed_deliveries(mailed, bots.clock, "sale")
    await on_telegram.ask("/failed")
    button = on_telegram.buttons["Retry 1"]
    await on_telegram.press("Retry 1")
    await on_telegram.forge(button)
    before = len(on_telegram.stand_in.messages)

    third = await on_telegram.stand_in.press(on_telegram.user, button, on_telegram.latest)

    assert third == []
    assert [each.text for each in on_telegram.stand_in.answers[1:]] == [
        "Already on its way: sale on E-mail."
    ] * 2
    assert len(on_telegram.stand_in.messages) == before
    assert (await Delivery.get(id=failed)).status == "pending"


@pytest.mark.parametrize("chat_type", ["group", "supergroup"])
async def test_on_telegram_a_press_in_a_group_shows_and_changes_nothing(
    on_telegram: OnTelegram, mailed: Account, bots: Bots, chat_type: Literal["group", "supergroup"]
) -> None:
    stand_in = on_telegram.stand_in
    await linked(mailed, on_telegram, bots)
    [failed] = await failed_deliveries(mailed, bots.clock, "sale")
    [in_group] = await stand_in.say(on_telegram.user, "/failed", chat_type=chat_type)

    shown = await stand_in.press(on_telegram.user, f"retry:{failed}", in_group)

    assert shown == []
    assert [(each.text, each.show_alert) for each in stand_in.answers] == [(ONLY_PRIVATE, True)]
    assert (await Delivery.get(id=failed)).status == "failed"


async def test_on_telegram_nobody_presses_in_the_chat_of_another(
    on_telegram: OnTelegram, mailed: Account, bots: Bots
) -> None:
    stand_in = on_telegram.stand_in
    await linked(mailed, on_telegram, bots)
    await failed_deliveries(mailed, bots.clock, "sale")
    await on_telegram.ask("/failed")

    shown = await stand_in.press(TelegramUser(5, "eve", "Eve"), "retry:all", on_telegram.latest)

    assert shown == []
    assert stand_in.answers[-1].text == ONLY_PRIVATE
    assert bots.woken == [on_telegram.channel]  # by linking


async def test_on_telegram_a_list_that_was_deleted_meanwhile_is_sent_anew(
    on_telegram: OnTelegram, mailed: Account, bots: Bots
) -> None:
    stand_in = on_telegram.stand_in
    await linked(mailed, on_telegram, bots)
    await failed_deliveries(mailed, bots.clock, "bug", "sale")
    await on_telegram.ask("/failed")
    old = on_telegram.latest

    [new] = await stand_in.press(on_telegram.user, on_telegram.buttons["Retry 1"], old, deleted=True)

    assert (new.edited, new.text.splitlines()[0]) == (False, RETRIED)
    assert new.message_id != old.message_id
    assert list(on_telegram.buttons) == ["Retry 1"]


async def test_on_telegram_a_press_that_is_answered_too_late_is_shown(
    on_telegram: OnTelegram, mailed: Account, bots: Bots
) -> None:
    await linked(mailed, on_telegram, bots)
    await failed_deliveries(mailed, bots.clock, "sale")
    await on_telegram.ask("/failed")
    too_old = Fault.error(400, "Bad Request: query is too old and response timeout expired")
    on_telegram.stand_in.faults.add(too_old, route="answerCallbackQuery")

    with structlog.testing.capture_logs() as log:
        shown = await on_telegram.press("Retry 1")

    assert shown.startswith(RETRIED)
    assert [each["event"] for each in log] == ["A pressed button could not be answered"]


async def test_on_telegram_flood_control_delays_the_list_and_loses_nothing(
    on_telegram: OnTelegram, mailed: Account, bots: Bots
) -> None:
    await linked(mailed, on_telegram, bots)
    await failed_deliveries(mailed, bots.clock, "sale")
    await on_telegram.ask("/failed")
    stand_in = on_telegram.stand_in
    stand_in.faults.add(Fault.status(429, retry_after=1), route="editMessageText")

    await stand_in.press(on_telegram.user, on_telegram.buttons["Retry 1"], on_telegram.latest)
    await until(lambda: on_telegram.latest.edited)

    assert on_telegram.latest.text.startswith(RETRIED)


async def test_on_telegram_no_link_becomes_a_preview(
    on_telegram: OnTelegram, mailed: Account, bots: Bots
) -> None:
    await linked(mailed, on_telegram, bots)
    await failed_deliveries(mailed, bots.clock, "bug", "sale", description="https://evil.example")

    await on_telegram.ask("/failed")
    listed = on_telegram.latest
    await on_telegram.press("Retry 1")

    assert (listed.previews_disabled, on_telegram.latest.previews_disabled) == (True, True)
