"""Events that wait for their delivery, put into a database by the real intake while no daemon runs."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from models import Account, Plan
from models.database import migrate, open_database
from pingpilot.accounts.accounts import set_combine
from pingpilot.accounts.callers import Authenticator
from pingpilot.accounts.keys import create_key
from pingpilot.accounts.quota import PlanLimits
from pingpilot.clock import SystemClock
from pingpilot.events.submission import Submission
from pingpilot.telemetry.logs import configure_logging
from tests.support.accounts import link_chat, new_account
from tests.support.composition import Composition

CLOCK = SystemClock()
DESCRIPTION = "Somebody bought a lamp"
FIELDS = '{"amount":99.99,"customer":"Ada Lovelace"}'
_TOGETHER = 400  # events handed in at once, as many share a commit


@dataclass(frozen=True, slots=True)
class Waiting:
    """A backlog: so many events for each account, whose channels are these.

    `chats` are the accounts' addresses on those channels that need one. Nothing is combined, so each event
    is one message. `name` tells the accounts of two backlogs apart. The chats are linked in turn with so many
    `bots` of their platform.
    """

    accounts: int
    events: int
    channels: Collection[str]
    chats: Mapping[str, Sequence[str]] = field(default_factory=dict)
    name: str = "drain"
    bots: int = 1


def fill(url: str, *backlogs: Waiting) -> list[list[str]]:
    """Put backlogs into a database, which is made where there is none, one after the other.

    The accounts' events come in turn. Accounts that are there already are used again. Returns a key of each
    account, by backlog.
    """
    configure_logging(level="ERROR", format_="console", secrets=())
    return asyncio.run(_fill(url, backlogs))


async def _fill(url: str, backlogs: Sequence[Waiting]) -> list[list[str]]:
    await migrate(url)
    keys = []
    async with open_database(url):
        intake = Composition(clock=CLOCK).intake
        authenticator = Authenticator(limits=PlanLimits(), clock=CLOCK)
        for backlog in backlogs:
            own = [await _key(backlog, number) for number in range(backlog.accounts)]
            callers = [caller for key in own if (caller := await authenticator.caller_of(key))]
            keys.append(own)
            posts = [
                Submission(caller, "sale", f"{DESCRIPTION} ({number})", FIELDS)
                for number in range(backlog.events)
                for caller in callers
            ]
            for start in range(0, len(posts), _TOGETHER):
                await asyncio.gather(*(intake.submit(post) for post in posts[start : start + _TOGETHER]))
    return keys


async def _key(backlog: Waiting, number: int) -> str:
    email = f"{backlog.name}-{number}@example.com"
    account = await Account.get_or_none(email=email)
    if account is None:
        account = await new_account(CLOCK, email, plan=Plan.ENTERPRISE, channels=backlog.channels)
        await set_combine(account, combine=False)
        for channel in backlog.channels:
            if channel in backlog.chats:
                address = backlog.chats[channel][number]
                await link_chat(account, channel, CLOCK, address, lane=number % backlog.bots)
    _, key = await create_key(account, f"{CLOCK.now()}", CLOCK.now())
    return key
