"""One account's backlog, another account's events: how long each of these takes from accepted to delivered.

    .venv/bin/python -m benchmarks.fairness [BACKLOG] [EVENTS]

SQLite, and Telegram's stand-in with its real limits, of which the daemon's own pace makes the most. The
backlog goes to one chat one by one, without combining; meanwhile the other account posts an event at a time.
"""

import asyncio
import statistics
import sys
import tempfile
from datetime import timedelta
from time import perf_counter

from pydantic import SecretStr

from bots.telegram.channel import TelegramChannel
from models import Account, Delivery, Plan
from models.database import migrate, open_database
from pingpilot.accounts.accounts import set_combine
from pingpilot.channels import TELEGRAM
from pingpilot.clock import SystemClock
from pingpilot.delivery.dispatcher import Dispatcher
from pingpilot.events.submission import Submission
from pingpilot.sandbox.telegram import TelegramStandIn, TelegramUser
from pingpilot.telemetry.logs import configure_logging
from tests.support.accounts import link_chat, new_account
from tests.support.composition import Composition, running
from tests.support.events import caller_for
from tests.support.waiting import until

TOKEN = "7000000042:AAG-a-token-of-the-telegram-bot-012"
CLOCK = SystemClock()
LIMIT = 2.0
"""Seconds that another account's event may be delayed."""


async def main(backlog: int, events: int) -> None:
    configure_logging(level="ERROR", format_="console", secrets=())
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite://{folder}/bench.sqlite3"
        await migrate(url)
        async with open_database(url), TelegramStandIn(token=TOKEN) as telegram:
            alice, bob = await _account("alice", 1001, telegram), await _account("bob", 1002, telegram)
            await _post(alice, backlog)
            delays = await _delays(bob, events, telegram)
            waiting = await Delivery.filter(account_id=alice.id, status="pending").count()
            print(f"{waiting:,} of the backlog's {backlog:,} still wait; 429 answers: {telegram.throttled}")
    print(
        f"another account's {events} events: median {statistics.median(delays):.2f} s, "
        f"longest {max(delays):.2f} s (limit {LIMIT:.0f})"
    )
    if max(delays) > LIMIT:
        sys.exit("A backlog delays another account.")


async def _account(name: str, chat: int, telegram: TelegramStandIn) -> Account:
    account = await new_account(CLOCK, f"{name}@example.com", plan=Plan.ENTERPRISE)
    await set_combine(account, combine=False)
    telegram.start_chat(TelegramUser(chat, name, name.title()))
    await link_chat(account, TELEGRAM.name, CLOCK, str(chat))
    return account


async def _post(account: Account, count: int) -> None:
    caller, intake = await caller_for(account, CLOCK), Composition(clock=CLOCK).intake
    for start in range(0, count, 500):
        posts = [Submission(caller, "sale", f"Number {start + each}", "{}") for each in range(500)]
        await asyncio.gather(*(intake.submit(post) for post in posts[: count - start]))


async def _delays(account: Account, events: int, telegram: TelegramStandIn) -> list[float]:
    """Return the seconds from each event's acceptance to its message, more than a second apart."""
    channel = TelegramChannel(token=SecretStr(TOKEN), api_url=telegram.url)
    dispatcher = Composition(clock=CLOCK).dispatcher(
        channel, daemon_id="fairness", pace=(TELEGRAM.pace, TELEGRAM.recipient_pace)
    )
    async with running(dispatcher, grace=timedelta(seconds=1)):
        await asyncio.sleep(2)  # the backlog is being sent by then
        delays = [await _delay(account, dispatcher, telegram) for _ in range(events)]
    await channel.close()
    return delays


async def _delay(account: Account, dispatcher: Dispatcher, telegram: TelegramStandIn) -> float:
    await asyncio.sleep(1.1)  # else its own chat's limit would be measured
    before = _messages(telegram)
    await _post(account, 1)
    began = perf_counter()
    dispatcher.wake()
    await until(lambda: _messages(telegram) > before)
    return perf_counter() - began


def _messages(telegram: TelegramStandIn) -> int:
    return sum(message.chat_id == 1002 for message in telegram.messages)


if __name__ == "__main__":
    given = [int(each) for each in sys.argv[1:]]
    asyncio.run(main(*(given + [10_000, 20][len(given) :])))
