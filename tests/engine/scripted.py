"""A channel that does what a test tells it to, and a dispatcher over it."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from models import Account, Delivery, DeliveryAttempt, Plan
from pingpilot.accounts.accounts import set_combine
from pingpilot.accounts.callers import Caller
from pingpilot.channels import TELEGRAM
from pingpilot.delivery.channel import Notification, Recipient
from pingpilot.delivery.dispatcher import Dispatcher
from pingpilot.events.submission import Submission
from tests.support.accounts import link_chat, new_account
from tests.support.clock import ManualClock
from tests.support.composition import UNPACED, Composition, Pace, running
from tests.support.events import caller_for
from tests.support.waiting import eventually, until


@dataclass(frozen=True, slots=True)
class Try:
    """One call of `send`."""

    recipient: Recipient
    notification: Notification


class ScriptedChannel:
    """Takes every message, unless told to fail or to hold it; keeps what it was given."""

    name = TELEGRAM.name

    def __init__(self) -> None:
        self.tries: list[Try] = []
        self.taken: list[Notification] = []
        self.under_way: list[str] = []
        self.crowds: set[str] = set()
        self.most_at_once = 0
        self._failures: deque[Exception] = deque()
        self._always: Exception | None = None
        self._gate = asyncio.Event()
        self._gate.set()

    def fail(self, *failures: Exception) -> None:
        """Let the next tries fail, each in its way."""
        self._failures.extend(failures)

    def fail_always(self, failure: Exception | None) -> None:
        """Let every try fail from now on, or none."""
        self._always = failure

    def hold(self) -> None:
        """Let sends wait, until `release`."""
        self._gate.clear()

    def release(self) -> None:
        """Let what is held go on."""
        self._gate.set()

    @property
    def tried(self) -> list[str]:
        """What each try was about, oldest first."""
        return [each.notification.description for each in self.tries]

    @property
    def delivered(self) -> list[str]:
        """What was taken, oldest first."""
        return [each.description for each in self.taken]

    async def wait_for_tries(self, count: int) -> None:
        """Return once there were so many."""
        await until(lambda: len(self.tries) >= count)

    async def send(self, recipient: Recipient, notification: Notification) -> None:
        if recipient.address in self.under_way:
            self.crowds.add(recipient.address)
        self.under_way.append(recipient.address)
        self.most_at_once = max(self.most_at_once, len(self.under_way))
        self.tries.append(Try(recipient, notification))
        failure = self._failures.popleft() if self._failures else self._always
        try:
            await asyncio.sleep(0)  # a platform never answers at once
            await self._gate.wait()
            if failure:
                raise failure
        finally:
            self.under_way.remove(recipient.address)
        self.taken.append(notification)


class WatchedClock(ManualClock):
    """Stands still, and tells how often it was looked at."""

    def __init__(self) -> None:
        super().__init__()
        self.looks = 0

    def monotonic(self) -> float:
        self.looks += 1
        return super().monotonic()

    async def wait_for_looks(self, count: int = 20) -> None:
        """Return when somebody has looked so many times more."""
        before = self.looks
        await until(lambda: self.looks >= before + count)


class Engine:
    """Dispatchers over one scripted channel, on a clock that stands still."""

    def __init__(self) -> None:
        self.clock = WatchedClock()
        self.channel = ScriptedChannel()
        self.composition = Composition(clock=self.clock)
        self.settlements = self.composition.settlements
        self.health = self.composition.health
        self.metrics = self.composition.metrics
        self.intake = self.composition.intake

    def dispatcher(
        self,
        daemon_id: str = "daemon-1",
        *,
        predecessors: Sequence[str] = (),
        slots: int = 50,
        send_timeout: timedelta = timedelta(seconds=30),
        poll: timedelta = timedelta(milliseconds=10),
        pace: Pace = UNPACED,
    ) -> Dispatcher:
        return self.composition.dispatcher(
            self.channel,
            daemon_id=daemon_id,
            predecessors=predecessors,
            pace=pace,
            slots=slots,
            send_timeout=send_timeout,
            poll=poll,
        )

    @asynccontextmanager
    async def running(self, daemon_id: str = "daemon-1", **options: Any) -> AsyncIterator[Dispatcher]:
        """Run a dispatcher; what it still sends at the end goes back to the queue."""
        try:
            async with running(self.dispatcher(daemon_id, **options)) as dispatcher:
                yield dispatcher
        finally:
            await self.composition.database.close()

    async def account(
        self, name: str = "alice", *, chat: str | None = None, combine: bool = False
    ) -> Account:
        """Return an account without limits, linked to a chat that is called as it is itself by default.

        Its events go out one by one, unless it may `combine` them.
        """
        account = await new_account(self.clock, f"{name}@example.com", plan=Plan.ENTERPRISE)
        await set_combine(account, combine)
        await link_chat(account, TELEGRAM.name, self.clock, chat or name)
        return account

    async def post(
        self, account: Account, *descriptions: str, fields: Mapping[str, Any] | None = None
    ) -> Caller:
        """Accept an event of each description; return whom the account was seen as."""
        caller = await caller_for(account, self.clock)
        for text in descriptions:
            submission = Submission(caller, "sale", text, json.dumps(fields or {}))
            await self.intake.submit(submission)
        return caller

    async def look_by(self) -> None:
        """Return when the dispatcher has certainly looked for what is due: it has served a passer-by."""
        passer_by = await self.account(f"passer-by-{len(self.channel.tries)}-{self.clock.looks}")
        await self.post(passer_by, f"to {passer_by.email}")
        await until(lambda: f"to {passer_by.email}" in self.channel.tried)

    async def status_is(self, *expected: str) -> None:
        """Return once the deliveries stand so, in the order of their events."""
        await eventually(statuses, list(expected))


async def deliveries() -> list[Delivery]:
    return await Delivery.filter(channel=TELEGRAM.name).order_by("id")


async def delivery() -> Delivery:
    """Return the first delivery there is."""
    return (await deliveries())[0]


async def statuses() -> list[str]:
    return [each.status for each in await deliveries()]


async def history(of: Delivery | None = None) -> list[DeliveryAttempt]:
    """Return a delivery's attempts, oldest first; by default the first delivery's."""
    return await DeliveryAttempt.filter(delivery_id=(of or await delivery()).id).order_by("id")


async def outcomes(of: Delivery | None = None) -> list[str]:
    return [each.outcome for each in await history(of)]
