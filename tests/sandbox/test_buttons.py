"""Buttons as the stand-ins take them, within the platforms' limits."""

from typing import Any

import aiohttp
import pytest
from telegram import Bot, InlineKeyboardButton, InlineKeyboardMarkup
from telegram.error import BadRequest

from pingpilot.sandbox.discord import DiscordStandIn, DiscordUser
from pingpilot.sandbox.telegram import TelegramStandIn, TelegramUser
from tests.channels.standins import open_conversation


def button(label: str, custom_id: str) -> dict[str, Any]:
    return {"type": 2, "style": 2, "label": label, "custom_id": custom_id}


def link(url: str) -> dict[str, Any]:
    return {"type": 2, "style": 5, "label": "x", "url": url}


def row(*buttons: dict[str, Any]) -> dict[str, Any]:
    return {"type": 1, "components": list(buttons)}


def five(of_row: int) -> dict[str, Any]:
    return row(*(button("x", f"{of_row}:{number}") for number in range(5)))


@pytest.mark.parametrize(
    ("components", "code"),
    [
        ([row(button("x" * 81, "a"))], "BASE_TYPE_BAD_LENGTH"),
        ([row(button("", "a"))], "BASE_TYPE_BAD_LENGTH"),
        ([row(button("x", "a" * 101))], "BASE_TYPE_BAD_LENGTH"),
        ([row(button("x", ""))], "BASE_TYPE_BAD_LENGTH"),
        ([row()], "BASE_TYPE_BAD_LENGTH"),
        ([row(*(button("x", str(number)) for number in range(6)))], "BASE_TYPE_BAD_LENGTH"),
        ([five(number) for number in range(6)], "BASE_TYPE_BAD_LENGTH"),
        ([row(link("https://example.com/" + "x" * 500))], "BASE_TYPE_BAD_LENGTH"),
        ([row(link("https://example.com") | {"custom_id": "a"})], "BASE_TYPE_BAD_LENGTH"),
        ([row(link("ftp://example.com"))], "URL_TYPE_INVALID_SCHEME"),
        ([row(link(""))], "URL_TYPE_INVALID_SCHEME"),
        ([row(button("x", "a")), row(button("y", "a"))], "COMPONENT_CUSTOM_ID_DUPLICATED"),
    ],
)
async def test_buttons_beyond_discords_limits_are_refused(
    discord_stand_in: DiscordStandIn, ada: DiscordUser, components: list[Any], code: str
) -> None:
    status, answer = await post_components(discord_stand_in, ada, components)

    assert (status, answer["code"]) == (400, 50035)
    assert code in str(answer["errors"]["components"])
    assert discord_stand_in.messages == []


async def test_buttons_at_discords_limits_are_taken(
    discord_stand_in: DiscordStandIn, ada: DiscordUser
) -> None:
    full = [
        row(button("x" * 80, "a" * 100), link("https://example.com/")),
        *(five(number) for number in range(4)),
    ]

    status, answer = await post_components(discord_stand_in, ada, full)

    assert (status, answer["components"]) == (200, full)


@pytest.mark.parametrize("data", ["x" * 65, "é" * 33])
async def test_data_beyond_telegrams_limit_is_refused(telegram_bot: Bot, chat: int, data: str) -> None:
    fits = await telegram_bot.send_message(chat, "A list", reply_markup=keyboard("é" * 32))

    with pytest.raises(BadRequest, match=r"(?i)button_data_invalid"):
        await telegram_bot.send_message(chat, "A list", reply_markup=keyboard(data))
    with pytest.raises(BadRequest, match=r"(?i)button_data_invalid"):
        await fits.edit_text("Another list", reply_markup=keyboard(data))


async def test_a_long_answer_to_a_press_is_refused(
    telegram_stand_in: TelegramStandIn, telegram_bot: Bot, chat: int, grace: TelegramUser
) -> None:
    await telegram_bot.send_message(chat, "A list", reply_markup=keyboard("retry:1"))
    with pytest.raises(TimeoutError, match="reaction"):
        await telegram_stand_in.press(grace, "retry:1", telegram_stand_in.messages[0], timeout=0.01)
    [update] = await telegram_bot.get_updates()
    query = update.callback_query
    assert query is not None

    with pytest.raises(BadRequest, match=r"(?i)message_too_long"):
        await query.answer("x" * 201)

    assert await query.answer("x" * 200)


async def test_a_deleted_message_can_not_be_edited(
    telegram_stand_in: TelegramStandIn, telegram_bot: Bot, chat: int, grace: TelegramUser
) -> None:
    sent = await telegram_bot.send_message(chat, "A list", reply_markup=keyboard("retry:1"))
    shown = telegram_stand_in.messages[0]
    with pytest.raises(TimeoutError, match="reaction"):
        await telegram_stand_in.press(grace, "retry:1", shown, deleted=True, timeout=0.01)
    [update] = await telegram_bot.get_updates()
    query = update.callback_query
    assert query is not None
    assert query.message is not None

    with pytest.raises(BadRequest, match=r"(?i)message to edit not found"):
        await sent.edit_text("Another list")

    assert not query.message.is_accessible


def keyboard(data: str) -> InlineKeyboardMarkup:
    return InlineKeyboardMarkup([[InlineKeyboardButton("Retry 1", callback_data=data)]])


async def post_components(
    stand_in: DiscordStandIn, user: DiscordUser, components: list[Any]
) -> tuple[int, Any]:
    """Send a message with these components; return status and body of the answer."""
    conversation = await open_conversation(stand_in, user)
    url, headers = (
        f"{stand_in.url}/channels/{conversation}/messages",
        {"Authorization": f"Bot {stand_in.token}"},
    )
    body = {"content": "A list", "components": components}
    async with aiohttp.request("POST", url, json=body, headers=headers) as answer:
        return answer.status, await answer.json()
