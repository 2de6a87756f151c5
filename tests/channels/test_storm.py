"""A storm: 500 events for one Telegram chat, which takes one message a second."""

import asyncio
import re
from collections import Counter
from datetime import timedelta

from pydantic import SecretStr

from bots.telegram.channel import TelegramChannel
from models import Delivery, DeliveryAttempt, Plan
from pingpilot.channels import TELEGRAM
from pingpilot.clock import SystemClock
from pingpilot.delivery.dispatcher import Dispatcher
from pingpilot.delivery.pacing import Pacer
from pingpilot.delivery.settlement import Settlements
from pingpilot.sandbox.telegram import TelegramStandIn, TelegramUser
from pingpilot.storage.watch import DatabaseWatch
from pingpilot.telemetry.health import Health
from pingpilot.telemetry.metrics import Metrics
from tests.support.accounts import link_chat, new_account
from tests.support.events import accept
from tests.support.waiting import eventually

from .standins import TOKEN

EVENTS = 500
GRACE = TelegramUser(7_123_456_789, "grace", "Grace")


async def test_500_events_reach_a_chat_that_takes_one_message_a_second(
    sqlite: str, telegram_stand_in: TelegramStandIn
) -> None:
    clock = SystemClock()
    account = await new_account(clock, plan=Plan.ENTERPRISE)
    telegram_stand_in.start_chat(GRACE)
    await link_chat(account, "telegram", clock, str(GRACE.id))
    channel = TelegramChannel(token=SecretStr(TOKEN), api_url=telegram_stand_in.url)
    dispatcher = Dispatcher(
        channel,
        daemon_id="storm",
        pacer=Pacer(overall=TELEGRAM.pace, per_recipient=TELEGRAM.recipient_pace, clock=clock),
        settlements=Settlements(),
        health=Health(),
        database=DatabaseWatch(clock=clock),
        metrics=Metrics(),
        clock=clock,
    )
    running = asyncio.create_task(dispatcher.run())

    await accept(account, clock, *["bug", "sale"] * (EVENTS // 2))
    await eventually(_delivered, EVENTS, timeout=60)
    dispatcher.stop()
    await running
    await dispatcher.drain(timedelta(seconds=1))
    await channel.close()

    outcomes = Counter([row.outcome for row in await DeliveryAttempt.all()])
    assert telegram_stand_in.throttled == 0
    assert outcomes == {"delivered": EVENTS}
    assert sum(_events_in(message.text) for message in telegram_stand_in.messages) == EVENTS
    assert len(telegram_stand_in.messages) < EVENTS / 10


async def _delivered() -> int:
    return await Delivery.filter(status="delivered").count()


def _events_in(text: str) -> int:
    counted = re.search(r"^([\d,]+) more: ", text, re.MULTILINE)
    return 1 + (int(counted[1].replace(",", "")) if counted else 0)
