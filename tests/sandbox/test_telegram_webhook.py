"""The Telegram stand-in's webhook, and what it counts of several clients."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web
from telegram import Bot
from telegram.error import BadRequest, Conflict, RetryAfter

from pingpilot.sandbox.server import Takeover
from pingpilot.sandbox.telegram import TelegramStandIn, TelegramUser
from pingpilot.sandbox.telegram.webhook import SECRET_HEADER
from tests.support.waiting import until

from .conftest import TOKEN


class Taker:
    """A program that updates are posted to; it answers with `status`."""

    def __init__(self) -> None:
        self.status = 200
        self.posts: list[tuple[int, str]] = []
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        update = await request.json()
        self.posts.append((update["update_id"], request.headers.get(SECRET_HEADER, "")))
        return web.Response(status=self.status)


@asynccontextmanager
async def a_taker() -> AsyncIterator[Taker]:
    taker, app = Taker(), web.Application()
    app.router.add_post("/hook", taker.take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    taker.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield taker
    finally:
        await runner.cleanup()


async def test_updates_are_posted_until_they_are_taken(
    telegram_stand_in: TelegramStandIn, telegram_bot: Bot
) -> None:
    telegram_stand_in.webhook.retry_seconds = 0.01
    async with a_taker() as taker:
        taker.status = 500
        await telegram_bot.set_webhook(f"{taker.url}/hook", secret_token="a-secret")
        telegram_stand_in.send_update("message", {"chat": {"id": 1}})
        await until(lambda: len(taker.posts) > 1)
        failing = await telegram_bot.get_webhook_info()
        taker.status = 200
        await until(lambda: telegram_stand_in.webhook.answers[200] == 1)
        taken = await telegram_bot.get_webhook_info()
        with pytest.raises(Conflict, match="webhook is active"):
            await telegram_bot.get_updates()
        await telegram_bot.delete_webhook()
        telegram_stand_in.send_update("message", {"chat": {"id": 1}})

        assert len(set(taker.posts)) == 1
        assert taker.posts[0][1] == "a-secret"
        assert (failing.url, failing.pending_update_count) == (f"{taker.url}/hook", 1)
        assert failing.last_error_message == "Wrong response from the webhook: 500 Internal Server Error"
        assert taken.pending_update_count == 0
        assert telegram_stand_in.refused_polls == 1


async def test_posts_are_spread_as_by_a_proxy(telegram_stand_in: TelegramStandIn, telegram_bot: Bot) -> None:
    async with a_taker() as one, a_taker() as other:
        telegram_stand_in.webhook.spread_over = [one.url, other.url]
        await telegram_bot.set_webhook("http://shop.example.com/hook")

        for chat in range(4):
            telegram_stand_in.send_update("message", {"chat": {"id": chat}})
        await until(lambda: telegram_stand_in.webhook.answers[200] == 4)

        assert len(one.posts) == len(other.posts) == 2


async def test_a_webhook_ends_a_poll_and_a_bad_one_is_refused(
    telegram_stand_in: TelegramStandIn, telegram_bot: Bot
) -> None:
    poll = asyncio.create_task(telegram_bot.get_updates(timeout=20))
    await telegram_stand_in.wait_polling()

    with pytest.raises(BadRequest, match="https url must be provided"):
        await telegram_bot.set_webhook("shop.example.com")
    with pytest.raises(BadRequest, match="ecret token contains unallowed characters"):
        await telegram_bot.set_webhook("https://127.0.0.1:9/hook", secret_token="a secret")
    await telegram_bot.set_webhook("https://127.0.0.1:9/hook")

    with pytest.raises(Conflict, match="terminated by setWebhook request"):
        await poll


async def test_other_processes_are_told_of_two_pollers_and_of_limits(grace: TelegramUser) -> None:
    async with TelegramStandIn(token=TOKEN, host="0.0.0.0") as stand_in:  # noqa: S104
        stand_in.start_chat(grace)
        stand_in.chat_limit = (0.01, 1)
        hosts = [f"127.0.0.{each}:{stand_in.port}" for each in (2, 3)]
        one, other = (Bot(TOKEN, base_url=f"http://{host}/bot") for host in hosts)
        async with one, other:
            poll = asyncio.create_task(one.get_updates(timeout=20))
            await stand_in.wait_polling()
            await other.get_updates(timeout=0)
            with pytest.raises(Conflict):
                await poll
            await other.send_message(grace.id, "one")
            with pytest.raises(RetryAfter):
                await other.send_message(grace.id, "two")

        async with aiohttp.ClientSession() as http, http.get(f"http://{hosts[0]}/counts") as answer:
            counts = await answer.json()

    assert [(each.former, each.later) for each in stand_in.conflicts] == [tuple(hosts)]
    assert isinstance(stand_in.conflicts[0], Takeover)
    assert counts["conflicts"][0]["later"] == hosts[1]
    assert counts["exceeded"] == {"messages to a chat": 1}
    assert counts["calls"]["sendMessage"] == 2
    assert stand_in.messages[0].via == hosts[1]
