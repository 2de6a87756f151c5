"""Events that wait for their delivery, put into a database by the real intake while no daemon runs."""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from models import Account, Plan
from models.database import migrate, open_database
from pingpilot.accounts.accounts import set_combine
from pingpilot.accounts.callers import Caller
from pingpilot.channels import CHANNELS
from pingpilot.clock import SystemClock
from pingpilot.events.submission import Submission
from pingpilot.telemetry.logs import configure_logging
from tests.support.accounts import link_chat, new_account
from tests.support.composition import Composition
from tests.support.events import caller_for

CLOCK = SystemClock()
DESCRIPTION = "Somebody bought a lamp"
FIELDS = '{"amount":99.99,"customer":"Ada Lovelace"}'
_TOGETHER = 400  # events handed in at once, as many share a commit


@dataclass(frozen=True, slots=True)
class Waiting:
    """A backlog: so many events for each account, whose channels are these.

    The chat of account number n, on a channel that needs one, is `first_chat + n`. Nothing is combined, so
    each event is one message.
    """

    accounts: int
    events: int
    channels: Collection[str]
    name: str = "drain"
    first_chat: int = 1001

    def chat(self, number: int) -> int:
        return self.first_chat + number


def fill(url: str, *backlogs: Waiting) -> None:
    """Put backlogs into a database, which is made where there is none, one after the other.

    The accounts' events come in turn. Accounts that are there already are used again.
    """
    configure_logging(level="ERROR", format_="console", secrets=())
    asyncio.run(_fill(url, backlogs))


async def _fill(url: str, backlogs: Sequence[Waiting]) -> None:
    await migrate(url)
    async with open_database(url):
        intake = Composition(clock=CLOCK).intake
        for backlog in backlogs:
            callers = [await _caller(backlog, number) for number in range(backlog.accounts)]
            posts = [
                Submission(caller, "sale", f"{DESCRIPTION} ({number})", FIELDS)
                for number in range(backlog.events)
                for caller in callers
            ]
            for start in range(0, len(posts), _TOGETHER):
                await asyncio.gather(*(intake.submit(post) for post in posts[start : start + _TOGETHER]))


async def _caller(backlog: Waiting, number: int) -> Caller:
    email = f"{backlog.name}-{number}@example.com"
    account = await Account.get_or_none(email=email)
    if account is None:
        account = await new_account(CLOCK, email, plan=Plan.ENTERPRISE, channels=backlog.channels)
        await set_combine(account, combine=False)
        for channel in backlog.channels:
            if CHANNELS[channel].needs_link:
                await link_chat(account, channel, CLOCK, str(backlog.chat(number)))
    return await caller_for(account, CLOCK)
