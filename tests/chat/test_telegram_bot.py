"""The Telegram bot in private chats: its menu, what it answers, and what it survives."""

import asyncio

import pytest
import structlog

from bots.commands import MENU
from models import Account, Destination, Fact
from pingpilot.accounts.keys import create_key
from pingpilot.accounts.linking import TELEGRAM_USERNAME, create_link_code
from pingpilot.channels import Window
from pingpilot.clock import SystemClock
from pingpilot.delivery.pacing import Pacer
from pingpilot.sandbox.faults import Fault
from pingpilot.sandbox.telegram import TelegramStandIn, TelegramUser
from pingpilot.telemetry.health import State
from tests.support.waiting import until

from .bots import Bots, OnTelegram


async def test_the_menu_lists_every_command(on_telegram: OnTelegram) -> None:
    assert on_telegram.stand_in.commands == [
        {"command": command.name, "description": command.description} for command in MENU
    ]


async def test_the_bots_name_is_kept_for_deep_links(on_telegram: OnTelegram) -> None:
    assert await Fact.read(TELEGRAM_USERNAME) == "pingpilot_bot"


@pytest.mark.parametrize(
    "text", ["hello", "/surprise", "<b>", "🎉", "transfer", "Attached", "K7QM2XN", "two words", "link", "()"]
)
async def test_anything_else_said_in_private_is_answered_with_help(
    on_telegram: OnTelegram, text: str
) -> None:
    reply = await on_telegram.ask(text)

    assert reply.startswith("I bring you notifications from your programs.")


@pytest.mark.parametrize(
    "form", ["{}", "<{}>", "[{}]", "({})", " “{}”. ", "`{}`", "**{}**", "link {}", "/Link: {}", "/link <{}>"]
)
@pytest.mark.parametrize("kind", ["code", "lower-case code", "key"])
async def test_a_code_or_key_alone_or_in_brackets_links(
    on_telegram: OnTelegram, alice: Account, bots: Bots, form: str, kind: str
) -> None:
    if kind == "key":
        _, code = await create_key(alice, "chat", bots.clock.now())
    else:
        code = (await create_link_code(alice, bots.clock.now())).code
    if kind == "lower-case code":
        while code.isalpha():  # one in eleven: in small letters, it may be a word
            code = (await create_link_code(alice, bots.clock.now())).code
        code = f"{code[:4]}-{code[4:]}".lower()

    reply = await on_telegram.ask(form.format(code))

    assert reply.startswith("✅ Linked to alice@example.com.")
    assert len(on_telegram.stand_in.deleted) == (kind == "key")  # it does not stay readable


@pytest.mark.parametrize("said", ["AAAAAAAA", "<aaaa-2222>", "pp_cutshort"])
async def test_a_wrong_code_alone_is_a_guess_like_any_other(on_telegram: OnTelegram, said: str) -> None:
    replies = [await on_telegram.ask(said) for _ in range(11)]

    assert replies[0] == "This code is not right. Check it, or get a new one."
    assert "too many wrong codes" in replies[-1]
    assert len(on_telegram.stand_in.deleted) == (11 if said.startswith("pp_") else 0)


async def test_an_answer_in_a_topic_of_a_private_chat_stays_there(on_telegram: OnTelegram) -> None:
    [reply] = await on_telegram.stand_in.say(on_telegram.user, "/help", topic=3)

    assert reply.topic == 3


UNREADABLE: list[object] = [
    {"message_id": 1, "text": "a secret"},
    {"message_id": 1, "date": "today", "chat": {"id": 5, "type": "private"}, "text": "a secret"},
    {"message_id": 1, "date": 1, "chat": "a secret"},
    "a secret",
    ["a secret"],
    7,
]


@pytest.mark.parametrize("content", UNREADABLE)
async def test_an_update_the_library_can_not_read_is_skipped_after_one_line(
    on_telegram: OnTelegram, bots: Bots, content: object, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("WARNING")

    with structlog.testing.capture_logs() as log:
        on_telegram.stand_in.send_update("message", content)
        reply = await on_telegram.ask("/help")
        on_telegram.stand_in.send_update("callback_query", {"id": 1})
        again = await on_telegram.ask("/help")

    assert reply == again
    assert [(each["event"], each["kind"]) for each in log] == [
        ("An update from Telegram can't be read and is skipped", "message"),
        ("An update from Telegram can't be read and is skipped", "callback_query"),
    ]
    assert caplog.text == ""
    assert "secret" not in str(log)
    assert bots.health.parts["telegram"].state is State.UP


NONSENSE: list[dict[str, object]] = [
    {"ok": True, "result": [{"message": {}}]},
    {"ok": True, "result": [{"update_id": 1e20}, {"update_id": 10**30}]},
    {"ok": True, "result": [["a secret"]]},
    {"ok": True, "result": None},
    {"ok": True, "result": {"a secret": 1}},
    {"ok": True, "result": [{"update_id": number} for number in range(101)]},
    {"ok": True},
]


@pytest.mark.parametrize("answer", NONSENSE, ids=lambda answer: str(answer)[:60])
async def test_an_answer_without_updates_is_no_busy_loop(
    on_telegram: OnTelegram, bots: Bots, answer: dict[str, object], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("WARNING")
    nonsense = Fault.status(200, body=answer)
    await on_telegram.stand_in.wait_polling()
    on_telegram.stand_in.faults.add(nonsense, route="getUpdates", times=2)
    await on_telegram.ask("/help")  # which ends the poll under way

    await bots.wait_until("telegram", State.RETRYING)
    reason = bots.health.parts["telegram"].reason
    await bots.wait_until("telegram", State.UP)

    assert reason in {
        "Telegram: It sent an update without an id.",
        "Telegram: It sent no list of up to 100 updates.",
        "Telegram: Its answer can't be read.",
    }
    assert caplog.text == ""
    assert (await on_telegram.ask("/help")).startswith("I bring you")


async def test_somebody_without_a_username_links_too(
    on_telegram: OnTelegram, alice: Account, bots: Bots
) -> None:
    code = (await create_link_code(alice, bots.clock.now())).code

    reply = await on_telegram.friend().ask(f"/link {code}")

    link = await Destination.get(account_id=alice.id, channel="telegram")
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


async def test_an_answer_waits_until_its_room_takes_another_message(
    storage: str, bots: Bots, telegram_stand_in: TelegramStandIn
) -> None:
    telegram_stand_in.room_limit = (1, 1.0)
    window = Window(most=1, seconds=1)
    pacer = Pacer(overall=None, per_recipient=None, room_window=window, clock=SystemClock())
    ada = TelegramUser(7_123_456_000, None, "Ada")
    room = telegram_stand_in.rooms.open("Ops", by=ada)

    async with bots.supervised(bots.telegram(telegram_stand_in, place=pacer.place)):
        for _ in range(2):
            await telegram_stand_in.rooms.write(room, "/help", by=ada, timeout=20)

    assert not telegram_stand_in.exceeded


async def test_answers_to_many_keep_to_the_bots_pace(
    storage: str, bots: Bots, telegram_stand_in: TelegramStandIn
) -> None:
    telegram_stand_in.global_limit = (10, 10)
    pacer = Pacer(overall=Window(most=10, seconds=1), per_recipient=None, clock=SystemClock())
    people = [TelegramUser(7_123_456_000 + each, None, "Ada") for each in range(25)]

    async with bots.supervised(bots.telegram(telegram_stand_in, place=pacer.place)):
        asked = (telegram_stand_in.say(each, "/help", timeout=20) for each in people)
        answers = await asyncio.gather(*asked)

    assert [len(each) for each in answers] == [1] * len(people)
    assert not telegram_stand_in.exceeded
