"""A storm: 500 events for one Telegram chat, which takes one message a second."""

import re
from collections import Counter
from datetime import timedelta

from pydantic import SecretStr

from bots.telegram.channel import TelegramChannel
from models import Delivery, DeliveryAttempt, Plan
from pingpilot.channels import TELEGRAM
from pingpilot.clock import SystemClock
from pingpilot.sandbox.telegram import TelegramStandIn, TelegramUser
from tests.support.accounts import link_chat, new_account
from tests.support.composition import Composition, running
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
    dispatcher = Composition(clock=clock).dispatcher(channel, pace=(TELEGRAM.pace, TELEGRAM.recipient_pace))

    async with running(dispatcher, grace=timedelta(seconds=1)):
        await accept(account, clock, *["bug", "sale"] * (EVENTS // 2))
        await eventually(_delivered, EVENTS, timeout=60)
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
