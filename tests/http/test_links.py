"""`POST /api/v1/link-codes` and `DELETE /api/v1/links/{channel}`."""

import asyncio
from collections import Counter
from datetime import timedelta

import pytest

from models import Delivery, Destination, Event, Fact, LinkCode
from pingpilot.accounts.linking import MOST_CODES, TELEGRAM_USERNAME, ChatUser, link

from .api import ON_SQLITE, Api, Program

CODES = "/api/v1/link-codes"
ALICE = ChatUser("telegram", "5550001111", "alice")


async def test_a_code_links_a_chat_to_the_account_of_the_key(shop: Program) -> None:
    reply = await shop.ask("POST", CODES)

    body, code = reply.body, reply.body["code"]
    linked = await link(ALICE, code, address="5550001111", now=shop.api.clock.now())
    assert reply.status == 201
    assert reply.headers["Cache-Control"] == "no-store"
    assert body == {
        "message": f"Within 10 minutes, send `/link {code}` to the Discord or Telegram bot: it works once.",
        "code": code,
        "expiresAt": "2026-11-23T12:10:00.000Z",
        "telegramUrl": None,
    }
    assert linked.account.id == shop.account.id


@ON_SQLITE
async def test_the_deep_link_comes_along_once_the_bot_is_known(shop: Program) -> None:
    await Fact.keep(TELEGRAM_USERNAME, "pingpilot_bot")

    body = (await shop.ask("POST", CODES)).body

    assert body["telegramUrl"] == f"https://t.me/pingpilot_bot?start={body['code']}"
    assert "telegramUrl" in body["message"]


@ON_SQLITE
@pytest.mark.parametrize(("bot", "command"), [(None, "/link"), ("pingpilot_bot", "/link@pingpilot_bot")])
async def test_a_code_for_a_room_is_told_with_what_to_write_there(
    shop: Program, bot: str | None, command: str
) -> None:
    if bot:
        await Fact.keep(TELEGRAM_USERNAME, bot)

    body = (await shop.ask("POST", CODES, {"room": "ops"})).body

    in_discord, tap = (
        f"/link code: {body['code']} where: This channel",
        ", or open telegramUrl" if bot else "",
    )
    assert body["message"] == (
        f"Within 10 minutes, send `{command} {body['code']}` in the Telegram group, topic or channel that is "
        f"to be 'ops', or `{in_discord}` in the Discord channel{tap}: it works once."
    )


async def test_an_account_gets_so_many_codes_even_when_it_asks_at_once(api: Api, shop: Program) -> None:
    bakery = await api.sign_up("bakery@example.com")

    replies = await asyncio.gather(*(shop.ask("POST", CODES) for _ in range(30)))

    statuses = Counter(reply.status for reply in replies)
    assert statuses == {201: MOST_CODES, 429: 30 - MOST_CODES}
    assert await LinkCode.all().count() == MOST_CODES
    assert (await bakery.ask("POST", CODES)).status == 201


@ON_SQLITE
async def test_the_wait_for_another_code_is_told_and_true(shop: Program) -> None:
    await shop.ask("POST", CODES)
    shop.api.clock.advance(timedelta(minutes=4))
    for _ in range(MOST_CODES - 1):
        await shop.ask("POST", CODES)

    refused = await shop.ask("POST", CODES)
    wait = timedelta(seconds=int(refused.headers["Retry-After"]))
    shop.api.clock.advance(wait - timedelta(seconds=1))
    early = await shop.ask("POST", CODES)
    shop.api.clock.advance(timedelta(seconds=1))
    later = await shop.ask("POST", CODES)

    assert wait == timedelta(minutes=6)
    assert (refused.status, early.status, later.status) == (429, 429, 201)


@ON_SQLITE
async def test_a_used_code_still_counts(shop: Program) -> None:
    for _ in range(MOST_CODES):
        code = (await shop.ask("POST", CODES)).body["code"]
        await link(ALICE, code, address="5550001111", now=shop.api.clock.now())

    reply = await shop.ask("POST", CODES)

    assert reply.verdict == (429, "too_many_requests")


@pytest.mark.parametrize("channel", ["discord", "telegram"])
async def test_a_chat_is_unlinked_and_its_channel_switched_off(api: Api, shop: Program, channel: str) -> None:
    bakery = await api.sign_up("bakery@example.com")
    for program in (shop, bakery):
        await program.link(channel)

    reply = await shop.ask("DELETE", f"/api/v1/links/{channel}")

    again = await shop.ask("DELETE", f"/api/v1/links/{channel}")
    row = await Destination.get(account_id=shop.account.id, channel=channel)
    other = await Destination.get(account_id=bakery.account.id, channel=channel)
    assert reply.status == 200
    assert reply.body["channel"] == channel
    assert "switched off" in reply.body["message"]
    assert (row.enabled, row.address, row.user_id) == (False, None, None)
    assert (other.enabled, other.address) == (True, "4711")
    assert again.verdict == (404, "not_found")
    assert not await Event.filter(notice=True).exists()  # no other channel could be told


@ON_SQLITE
async def test_the_other_channels_are_told_that_a_chat_was_unlinked(api: Api) -> None:
    shop = await api.sign_up(channels=["email"])
    await shop.link("telegram")

    await shop.ask("DELETE", "/api/v1/links/telegram")

    [notice] = await Event.filter(notice=True)
    assert notice.description == "Telegram was unlinked from shop@example.com, with an API key."
    assert [each.channel for each in await Delivery.all()] == ["email"]


@ON_SQLITE
async def test_email_is_not_unlinked_but_switched_off(api: Api) -> None:
    shop = await api.sign_up(channels=["email"])

    reply = await shop.ask("DELETE", "/api/v1/links/email")

    assert reply.verdict == (422, "validation_error")
    assert reply.faults == ["channel"]
    assert "PATCH /api/v1/account" in reply.body["message"]
    assert (await Destination.get(account_id=shop.account.id, channel="email")).enabled


@ON_SQLITE
@pytest.mark.parametrize("channel", ["pigeon", "Telegram", "%00", "%FF", "💰", "telegram%0A"])
async def test_an_unknown_channel_is_not_found(shop: Program, channel: str) -> None:
    reply = await shop.ask("DELETE", f"/api/v1/links/{channel}")

    assert reply.verdict == (404, "not_found")
    assert "discord, telegram" in reply.body["message"]


@ON_SQLITE
async def test_a_webhook_has_no_link_to_take_off(shop: Program) -> None:
    reply = await shop.ask("DELETE", "/api/v1/links/webhook")

    assert (reply.status, reply.body["code"]) == (404, "not_found")
    assert "discord, telegram" in reply.body["message"]
