"""Telegram's webhook: any daemon is posted to, the leader answers."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from pydantic import SecretStr
from telegram import Bot

from bots.telegram.sealing import Seal
from bots.telegram.webhook import MOST_WAITING, SECRET_HEADER, Webhook
from models import IncomingUpdate
from pingpilot.sandbox.faults import Fault
from pingpilot.sandbox.telegram import TelegramStandIn
from pingpilot.telemetry.health import State
from tests.channels.standins import TOKEN
from tests.support.waiting import until

from .bots import ADA_ON_TELEGRAM, ON_BOTH_DATABASES, Bots, OnTelegram

HELP = "/link"


class Door:
    """Where a daemon is posted to; it begins to listen before the daemon's end of the webhook is made."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.webhook: Webhook | None = None
        self.taken: list[bytes] = []

    async def take(self, request: web.Request) -> web.Response:
        assert self.webhook is not None
        if not await self.webhook.vouches_for(request.headers):
            return web.Response(status=404)
        self.taken.append(await request.read())
        await self.webhook.receive(self.taken[-1])
        return web.Response()


@asynccontextmanager
async def a_door() -> AsyncIterator[Door]:
    door, app = Door(""), web.Application()
    app.router.add_post("/incoming/telegram", door.take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    door.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield door
    finally:
        await runner.cleanup()


def update(number: int, text: str = "/help") -> bytes:
    person = ADA_ON_TELEGRAM
    message = {
        "message_id": number,
        "from": person.as_json(),
        "chat": person.private_chat(),
        "date": 1,
        "text": text,
        "entities": [{"type": "bot_command", "offset": 0, "length": len(text)}],
    }
    return json.dumps({"update_id": number, "message": message}).encode()


async def test_each_of_several_bots_has_an_address_and_a_secret_of_its_own(storage: str, bots: Bots) -> None:
    first, second = (
        Webhook(
            token=SecretStr(token),
            bot=f"telegram:{token[:2]}",
            base_url="https://ping.example.com",
            lane=lane,
            needs_https=True,
            clock=bots.clock,
            health=bots.health,
        )
        for lane, token in enumerate(("42:AAG", "43:AAG"))
    )

    shown = {SECRET_HEADER: await first.secret_token()}

    assert first.url == "https://ping.example.com/incoming/telegram"
    assert second.url == "https://ping.example.com/incoming/telegram-1"
    assert (await first.vouches_for(shown), await second.vouches_for(shown)) == (True, False)


@ON_BOTH_DATABASES
async def test_whichever_daemon_is_posted_to_each_is_answered_once(
    storage: str, bots: Bots, telegram_stand_in: TelegramStandIn
) -> None:
    async with a_door() as leaders, a_door() as others:
        leaders.webhook, others.webhook = bots.webhook(leaders.url), bots.webhook(others.url)
        telegram_stand_in.webhook.spread_over = [leaders.url, others.url]
        async with bots.supervised(bots.telegram(telegram_stand_in, webhook=leaders.webhook)):
            ada = OnTelegram(telegram_stand_in)
            answers = [await ada.ask("/help") for _ in range(4)]
            await others.webhook.receive(leaders.taken[0])  # its answer to Telegram was lost: it comes again
            answers.append(await ada.ask("/help"))

    assert all(HELP in answer for answer in answers)
    assert len(telegram_stand_in.messages) == 5
    assert len(others.taken) >= 2
    assert telegram_stand_in.calls["getUpdates"] == 0
    assert set(await IncomingUpdate.all().values_list("content", flat=True)) == {None}


@ON_BOTH_DATABASES
async def test_what_a_leader_could_not_answer_any_more_the_next_one_does(
    storage: str, bots: Bots, telegram_stand_in: TelegramStandIn
) -> None:
    leads, held = True, asyncio.Event()
    telegram_stand_in.faults.add(Fault.hold(held), route="deleteMessage")
    async with a_door() as leaders, a_door() as others:
        leaders.webhook = bots.webhook(leaders.url, may_act=lambda: leads)
        others.webhook = bots.webhook(others.url)
        stopped = bots.telegram(telegram_stand_in, webhook=leaders.webhook, may_act=lambda: leads)
        async with bots.supervised(stopped):
            asked = asyncio.create_task(OnTelegram(telegram_stand_in).ask(f"/link pp_{'x' * 43}"))
            await telegram_stand_in.wait_for_calls("deleteMessage")
            leads = False  # it stands still while it answers
            following = bots.telegram(telegram_stand_in, webhook=others.webhook)
            async with bots.supervised(following, state=None):
                answer = await asked
                held.set()
                assert HELP in await OnTelegram(telegram_stand_in).ask("/help")

    assert "key" in answer
    assert len(telegram_stand_in.messages) == 2
    assert set(await IncomingUpdate.all().values_list("content", flat=True)) == {None}


async def test_what_waited_when_the_webhook_is_switched_off_is_answered(
    storage: str, bots: Bots, telegram_stand_in: TelegramStandIn
) -> None:
    await bots.webhook().receive(update(1))
    async with Bot(TOKEN, base_url=f"{telegram_stand_in.url}/bot") as bot:
        await bot.set_webhook("http://127.0.0.1:9/incoming/telegram")

    telegram_stand_in.start_chat(ADA_ON_TELEGRAM)
    async with bots.supervised(bots.telegram(telegram_stand_in)):
        await telegram_stand_in.wait_for_messages(1)
        answer = await OnTelegram(telegram_stand_in).ask("/help")

    assert HELP in answer
    assert telegram_stand_in.webhook.url == ""
    assert len(telegram_stand_in.messages) == 2


async def test_it_shows_that_telegram_does_not_get_through_until_it_does(
    storage: str, bots: Bots, telegram_stand_in: TelegramStandIn
) -> None:
    async with a_door() as door:
        door.webhook = bots.webhook(door.url)
        telegram_stand_in.webhook.spread_over = ["http://127.0.0.1:9"]
        telegram_stand_in.webhook.retry_seconds = 0.1
        async with bots.supervised(bots.telegram(telegram_stand_in, webhook=door.webhook)):
            telegram_stand_in.start_chat(ADA_ON_TELEGRAM)
            telegram_stand_in.send_update("message", json.loads(update(1))["message"])
            await bots.wait_until("telegram", State.RETRYING)
            reason = bots.health.parts["telegram"].reason
            telegram_stand_in.webhook.spread_over = []
            await telegram_stand_in.wait_for_messages(1)
            await bots.wait_until("telegram", State.UP)

    assert reason == f"Telegram does not get through to {door.url}/incoming/telegram: Connection refused"


async def test_a_webhook_that_somebody_changed_is_set_again(
    storage: str, bots: Bots, telegram_stand_in: TelegramStandIn
) -> None:
    async with a_door() as door:
        door.webhook = bots.webhook(door.url)
        async with (
            bots.supervised(bots.telegram(telegram_stand_in, webhook=door.webhook)),
            Bot(TOKEN, base_url=f"{telegram_stand_in.url}/bot") as other,
        ):
            await other.set_webhook("http://127.0.0.1:9/of/another/program")

            await until(lambda: telegram_stand_in.webhook.url == f"{door.url}/incoming/telegram")
            assert HELP in await OnTelegram(telegram_stand_in).ask("/help")


async def test_a_token_revoked_meanwhile_is_noticed(
    storage: str, bots: Bots, telegram_stand_in: TelegramStandIn
) -> None:
    async with a_door() as door:
        door.webhook = bots.webhook(door.url)
        async with bots.supervised(bots.telegram(telegram_stand_in, webhook=door.webhook)):
            telegram_stand_in.revoke_token()

            await bots.wait_until("telegram", State.PAUSED)


async def test_an_address_without_tls_is_told_at_once(
    storage: str, bots: Bots, telegram_stand_in: TelegramStandIn
) -> None:
    webhook = bots.webhook("http://shop.example.com", needs_https=True)

    async with bots.supervised(bots.telegram(telegram_stand_in, webhook=webhook), state=State.PAUSED):
        reason = bots.health.parts["telegram"].reason

    assert reason is not None
    assert reason.startswith("Telegram posts to https addresses alone: set PINGPILOT_PUBLIC_URL")


async def test_more_than_may_wait_stay_with_telegram(storage: str, bots: Bots) -> None:
    webhook = bots.webhook()
    await webhook.receive(update(1))
    [first] = await IncomingUpdate.all()
    rows = [
        IncomingUpdate(bot=first.bot, update_id=each, content="x", received_at=first.received_at)
        for each in range(2, MOST_WAITING + 1)
    ]
    await IncomingUpdate.bulk_create(rows)

    assert not await webhook.receive(update(MOST_WAITING + 1))


def test_a_seal_shows_its_text_to_whoever_has_the_key_alone() -> None:
    seal, text = Seal(b"key"), "a code 7K3MQX9B 🔑".encode()
    sealed = seal.close(text)
    changed = ("B" if sealed[60] == "A" else "A").join((sealed[:60], sealed[61:]))

    assert seal.open(sealed) == text
    assert seal.close(text) != sealed
    assert b"7K3" not in sealed.encode()
    for key, stored in ((b"another", sealed), (b"key", changed), (b"key", "no base64!"), (b"key", "")):
        with pytest.raises(ValueError, match=r"(?i)sealed|base64|padding"):
            Seal(key).open(stored)
