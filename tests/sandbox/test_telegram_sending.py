"""Messages to the Telegram stand-in, sent by python-telegram-bot."""

import pytest
import telegram
from telegram import Bot
from telegram.constants import ParseMode
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Forbidden,
    InvalidToken,
    NetworkError,
    RetryAfter,
    TimedOut,
)

from pingpilot.sandbox.faults import Fault
from pingpilot.sandbox.telegram import TelegramStandIn


async def test_a_bot_learns_who_it_is(telegram_bot: Bot) -> None:
    me = await telegram_bot.get_me()

    assert (me.id, me.username, me.is_bot) == (7_000_000_042, "pingpilot_bot", True)


async def test_html_is_shown_as_text_with_entities(
    telegram_stand_in: TelegramStandIn, telegram_bot: Bot, chat: int
) -> None:
    seen: list[str] = []
    telegram_stand_in.on_message.append(lambda message: seen.append(message.text))

    sent = await telegram_bot.send_message(
        chat,
        '🎉 <b>Sale &amp; <i>more</i></b> <a href="https://example.org/?a=1&amp;b=2">here</a>\n',
        parse_mode=ParseMode.HTML,
        disable_notification=True,
        link_preview_options=telegram.LinkPreviewOptions(is_disabled=True),
    )

    [message] = await telegram_stand_in.wait_for_messages(1)
    assert message.text == sent.text == seen[0] == "🎉 Sale & more here"
    assert [(e.type, e.offset, e.length) for e in sent.entities] == [
        ("bold", 3, 11),
        ("italic", 10, 4),
        ("text_link", 15, 4),
    ]
    assert message.silent
    assert message.previews_disabled
    assert sent.chat.id == chat == 7_123_456_789


async def test_a_migrated_group_names_its_new_id(
    telegram_stand_in: TelegramStandIn, telegram_bot: Bot
) -> None:
    telegram_stand_in.migrate(-5, new_id=-100_123)

    with pytest.raises(ChatMigrated) as moved:
        await telegram_bot.send_message(-5, "hello")
    await telegram_bot.send_message(moved.value.new_chat_id, "hello")

    assert telegram_stand_in.messages[0].chat_id == -100_123


async def test_a_chat_takes_one_message_a_second_after_a_burst(
    telegram_stand_in: TelegramStandIn, telegram_bot: Bot, chat: int
) -> None:
    telegram_stand_in.chat_limit = (0.2, 2)

    for _ in range(2):
        await telegram_bot.send_message(chat, "hello")
    with pytest.raises(RetryAfter, match="Flood control exceeded"):
        await telegram_bot.send_message(chat, "hello")
    telegram_stand_in.chat_limit = None
    await telegram_bot.send_message(chat, "hello")

    assert telegram_stand_in.throttled == 1
    assert len(telegram_stand_in.messages) == 3


async def test_a_message_is_deleted_once(
    telegram_stand_in: TelegramStandIn, telegram_bot: Bot, chat: int
) -> None:
    sent = await telegram_bot.send_message(chat, "secret")

    await telegram_bot.delete_message(chat, sent.message_id)

    assert telegram_stand_in.deleted == [(chat, sent.message_id)]
    with pytest.raises(BadRequest, match="Message to delete not found"):
        await telegram_bot.delete_message(chat, sent.message_id)


async def test_unknown_methods_are_not_found(telegram_bot: Bot, chat: int) -> None:
    with pytest.raises(InvalidToken, match="Not Found"):  # what python-telegram-bot makes of a 404
        await telegram_bot.send_dice(chat)


async def test_commands_are_registered_and_listed(
    telegram_stand_in: TelegramStandIn, telegram_bot: Bot
) -> None:
    await telegram_bot.set_my_commands([("link", "Link your account")])

    assert telegram_stand_in.commands == [{"command": "link", "description": "Link your account"}]
    assert (await telegram_bot.get_my_commands())[0].command == "link"
    with pytest.raises(BadRequest, match=r"(?i)bot_command_invalid"):
        await telegram_bot.set_my_commands([("Link-Me", "Link your account")])


@pytest.mark.parametrize(
    ("html", "complaint"),
    [
        ("<b>open", "Can't parse entities: can't find end tag"),
        ("<b><i>crossed</b></i>", "unmatched end tag at byte offset 13"),
        ("<h1>Title</h1>", 'unsupported start tag "h1"'),
        ("<span>plain</span>", 'unsupported start tag "span"'),
        ("no tag</b>", "unexpected end tag"),
        ("1 < 2", "unclosed start tag"),
        ("<b> </b>", "Message text is empty"),
        ("x" * 4097, "Message is too long"),
        ("🎉" * 2049, "Message is too long"),
    ],
)
async def test_text_that_telegram_would_not_take_is_refused(
    telegram_stand_in: TelegramStandIn, telegram_bot: Bot, chat: int, html: str, complaint: str
) -> None:
    with pytest.raises(BadRequest) as refusal:
        await telegram_bot.send_message(chat, html, parse_mode=ParseMode.HTML)

    assert complaint.lower() in refusal.value.message.lower()
    assert telegram_stand_in.messages == []


async def test_markup_does_not_count_towards_the_length(telegram_bot: Bot, chat: int) -> None:
    sent = await telegram_bot.send_message(chat, "<b>" + "&lt;" * 4096 + "</b>", parse_mode=ParseMode.HTML)

    assert sent.text == "<" * 4096


async def test_entities_beyond_one_hundred_are_dropped(telegram_bot: Bot, chat: int) -> None:
    sent = await telegram_bot.send_message(chat, "<b>a</b> " * 120, parse_mode=ParseMode.HTML)

    assert len(sent.entities) == 100


async def test_a_chat_that_never_wrote_to_the_bot_is_not_found(telegram_bot: Bot) -> None:
    with pytest.raises(BadRequest, match="Chat not found"):
        await telegram_bot.send_message(1, "hello")


async def test_people_who_are_out_of_reach(
    telegram_stand_in: TelegramStandIn, telegram_bot: Bot, chat: int
) -> None:
    telegram_stand_in.block(chat)
    with pytest.raises(Forbidden, match="blocked by the user"):
        await telegram_bot.send_message(chat, "hello")

    telegram_stand_in.unblock(chat)
    await telegram_bot.send_message(chat, "hello")

    telegram_stand_in.deactivate(chat)
    with pytest.raises(Forbidden, match="deactivated"):
        await telegram_bot.send_message(chat, "hello")


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault.status(429, retry_after=7), RetryAfter),
        (Fault.status(502), NetworkError),
        (Fault.error(403, "Forbidden: bot was kicked from the group chat"), Forbidden),
        (Fault.drop(), NetworkError),
        (Fault.cut(), NetworkError),
        (Fault.page(403), Forbidden),
        (Fault.hang(), TimedOut),
    ],
)
async def test_a_fault_strikes_once_and_nothing_is_taken(
    telegram_stand_in: TelegramStandIn, telegram_bot: Bot, chat: int, fault: Fault, error: type[Exception]
) -> None:
    telegram_stand_in.faults.add(fault, route="sendMessage")

    with pytest.raises(error):
        await telegram_bot.send_message(chat, "lost", read_timeout=0.2)
    await telegram_bot.send_message(chat, "taken")

    assert [message.text for message in telegram_stand_in.messages] == ["taken"]


@pytest.mark.parametrize("fault", [Fault.drop(after_accepting=True), Fault.hang(after_accepting=True)])
async def test_a_message_may_be_taken_though_the_answer_is_lost(
    telegram_stand_in: TelegramStandIn, telegram_bot: Bot, chat: int, fault: Fault
) -> None:
    telegram_stand_in.faults.add(fault)
    await telegram_bot.get_me()

    with pytest.raises(NetworkError):
        await telegram_bot.send_message(chat, "taken", read_timeout=0.2)

    assert [message.text for message in await telegram_stand_in.wait_for_messages(1)] == ["taken"]


async def test_a_revoked_token_is_refused(telegram_stand_in: TelegramStandIn, telegram_bot: Bot) -> None:
    telegram_stand_in.token = "7000000042:another"

    with pytest.raises(InvalidToken):
        await telegram_bot.get_me()
