"""Updates from the Telegram stand-in, fetched by python-telegram-bot's long polling."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from telegram import Bot, InlineKeyboardButton, InlineKeyboardMarkup, Update
from telegram.constants import ParseMode
from telegram.error import Conflict, InvalidToken, NetworkError

from pingpilot.sandbox.telegram import TelegramStandIn, TelegramUser

from .conftest import make_bot

Serve = Callable[[Callable[[Update], Awaitable[object]]], None]


@pytest.fixture
async def serve(telegram_bot: Bot) -> AsyncIterator[Serve]:
    """Start a poll loop that gives each update to a handler."""
    tasks: list[asyncio.Task[None]] = []

    async def poll(handle: Callable[[Update], Awaitable[object]]) -> None:
        offset = 0
        while True:
            for update in await telegram_bot.get_updates(offset=offset, timeout=20):
                offset = update.update_id + 1
                await handle(update)

    yield lambda handle: tasks.append(asyncio.create_task(poll(handle)))
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_what_people_say_reaches_a_long_poll_and_the_reply_comes_back(
    telegram_stand_in: TelegramStandIn,
    telegram_bot: Bot,
    grace: TelegramUser,
    serve: Serve,
) -> None:
    async def handle(update: Update) -> None:
        assert update.message is not None
        [command] = update.message.parse_entities(["bot_command"]).values()
        await update.message.reply_text(f"{command} by {update.message.from_user}")
        await update.message.delete()

    def bound(update: Update) -> Awaitable[object]:
        update.set_bot(telegram_bot)
        return handle(update)

    serve(bound)
    await telegram_stand_in.wait_polling()

    [reply] = await telegram_stand_in.say(grace, "/start@pingpilot_bot K7QM2XNP")

    assert reply.text.startswith("/start@pingpilot_bot by User(first_name='Grace', id=7123456789")
    assert reply.chat_id == grace.id


async def test_confirmed_updates_do_not_come_again(
    telegram_stand_in: TelegramStandIn, telegram_bot: Bot, grace: TelegramUser
) -> None:
    with pytest.raises(TimeoutError, match="reply"):
        await telegram_stand_in.say(grace, "hello", timeout=0.01)
    [first] = await telegram_bot.get_updates(limit=1)
    [again] = await telegram_bot.get_updates()

    rest = await telegram_bot.get_updates(offset=again.update_id + 1)

    assert first == again
    assert rest == ()


async def test_updates_that_nobody_asked_for_are_not_kept(
    telegram_stand_in: TelegramStandIn, telegram_bot: Bot, chat: int
) -> None:
    await telegram_bot.get_updates(allowed_updates=["message"])

    telegram_stand_in.block(chat)

    assert await telegram_bot.get_updates() == ()


async def test_a_second_poller_ends_the_first(telegram_stand_in: TelegramStandIn, telegram_bot: Bot) -> None:
    first = asyncio.create_task(telegram_bot.get_updates(timeout=20))
    await telegram_stand_in.wait_polling()

    async with make_bot(telegram_stand_in) as other:
        second = await other.get_updates(timeout=0)

    assert second == ()
    with pytest.raises(Conflict, match="terminated by other getUpdates request"):
        await first


async def test_a_button_is_pressed_and_its_message_edited(
    telegram_stand_in: TelegramStandIn,
    telegram_bot: Bot,
    chat: int,
    grace: TelegramUser,
    serve: Serve,
) -> None:
    async def handle(update: Update) -> None:
        assert update.callback_query is not None
        await telegram_bot.answer_callback_query(update.callback_query.id, "Done")
        await telegram_bot.edit_message_text(
            "Muted <b>sales</b>", chat, sent.message_id, parse_mode=ParseMode.HTML
        )

    keyboard = InlineKeyboardMarkup([[InlineKeyboardButton("Mute", callback_data="mute:sales")]])
    sent = await telegram_bot.send_message(chat, "A sale", reply_markup=keyboard)
    serve(handle)

    [edited] = await telegram_stand_in.press(grace, "mute:sales", telegram_stand_in.messages[0])

    assert (edited.text, edited.edited, edited.reply_markup) == ("Muted sales", True, None)
    assert telegram_stand_in.messages == [edited]
    assert [answer.text for answer in telegram_stand_in.answers] == ["Done"]


async def test_stop_ends_long_polls_and_start_brings_the_platform_back(
    telegram_stand_in: TelegramStandIn, telegram_bot: Bot, chat: int
) -> None:
    poll = asyncio.create_task(telegram_bot.get_updates(timeout=20))
    await telegram_stand_in.wait_polling()

    async with asyncio.timeout(10):
        await telegram_stand_in.stop()
    with pytest.raises(NetworkError):
        await poll
    with pytest.raises(NetworkError):
        await telegram_bot.send_message(chat, "lost")
    await telegram_stand_in.start()
    await telegram_bot.send_message(chat, "taken")

    assert [message.text for message in telegram_stand_in.messages] == ["taken"]
    assert telegram_stand_in.calls["sendMessage"] == 1


async def test_a_block_is_an_update(telegram_stand_in: TelegramStandIn, telegram_bot: Bot, chat: int) -> None:
    telegram_stand_in.block(chat)

    [update] = await telegram_bot.get_updates()

    assert update.my_chat_member is not None
    assert update.my_chat_member.new_chat_member.status == "kicked"
    assert update.my_chat_member.chat.id == chat


async def test_a_revoked_token_ends_a_long_poll(
    telegram_stand_in: TelegramStandIn, telegram_bot: Bot
) -> None:
    poll = asyncio.create_task(telegram_bot.get_updates(timeout=20))
    await telegram_stand_in.wait_polling()

    telegram_stand_in.revoke_token()

    with pytest.raises(InvalidToken):
        await poll
