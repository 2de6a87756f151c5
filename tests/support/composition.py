"""The parts of a daemon, put together for a test: over the open database, without a process or bots."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

from api.floods import FloodGuard
from api.services import Services
from pingpilot.accounts.callers import Authenticator
from pingpilot.accounts.deleting import Deletions
from pingpilot.accounts.quota import PlanLimits
from pingpilot.accounts.unsubscribing import Unsubscriber
from pingpilot.channels import Rate, Window
from pingpilot.clock import Clock
from pingpilot.cluster.mandate import Always, Mandate
from pingpilot.cluster.membership import Membership
from pingpilot.cluster.news import Bulletin, News, Silence
from pingpilot.delivery.backlog import Backlog
from pingpilot.delivery.channel import Channel
from pingpilot.delivery.claiming import Claimer
from pingpilot.delivery.dispatcher import Dispatcher
from pingpilot.delivery.journal import Journal
from pingpilot.delivery.pacing import Pacer
from pingpilot.delivery.queue import take_back_of
from pingpilot.delivery.settlement import LOOK_AGAIN, Settlements
from pingpilot.events.intake import Intake
from pingpilot.events.live import Live
from pingpilot.storage.watch import DatabaseWatch
from pingpilot.telemetry.health import Health
from pingpilot.telemetry.metrics import Metrics

Pace = tuple[Window | None, Rate | None]
"""How fast a channel may send: over all, and to one recipient."""
UNPACED: Pace = (None, None)
DAEMON = "this-host:8080:0123456789abcdef"
"""The identity of the daemon whose API is served."""


@dataclass(kw_only=True)
class Composition:
    """What a daemon is made of, each part once and with the same clock.

    An accepted event wakes the `listeners`; a dispatcher that isn't one finds it when it polls.
    """

    clock: Clock
    limits: PlanLimits = field(default_factory=PlanLimits)
    health: Health = field(default_factory=Health)
    metrics: Metrics = field(default_factory=Metrics)
    news: News = field(default_factory=Silence)
    live: Live = field(init=False)
    settlements: Settlements = field(init=False)
    look_again: float = LOOK_AGAIN
    listeners: list[Dispatcher] = field(default_factory=list)
    database: DatabaseWatch = field(init=False)
    intake: Intake = field(init=False)

    def __post_init__(self) -> None:
        self.live = Live(self.news, monotonic=self.clock.monotonic)
        self.settlements = Settlements(self.live, news=self.news, look_again=self.look_again)
        self.database = DatabaseWatch(clock=self.clock)
        self.intake = Intake(
            clock=self.clock,
            database=self.database,
            metrics=self.metrics,
            limits=self.limits,
            on_deliveries=self._wake,
            live=self.live,
        )

    async def services(self) -> Services:
        """Return what the API's handlers work with."""
        return Services(
            authenticator=Authenticator(limits=self.limits, clock=self.clock),
            intake=self.intake,
            settlements=self.settlements,
            live=self.live,
            deletions=Deletions(clock=self.clock, database=self.database),
            unsubscriber=await Unsubscriber.load("http://localhost"),
            health=self.health,
            database=self.database,
            metrics=self.metrics,
            backlog=Backlog(metrics=self.metrics, clock=self.clock),
            membership=self.membership(),
            limits=self.limits,
            clock=self.clock,
            on_deliveries=self._wake,
            floods=FloodGuard(clock=self.clock),
            started_at=self.clock.now(),
        )

    def membership(self, identity: str = DAEMON) -> Membership:
        """Return a daemon among those of the open database, which it has not joined yet."""
        return Membership(
            identity,
            dead=(),
            take_back=partial(take_back_of, clock=self.clock),
            database=self.database,
            clock=self.clock,
        )

    def dispatcher(
        self,
        channel: Channel,
        *,
        lane: int = 0,
        daemon_id: str = "daemon-1",
        mandate: Mandate | None = None,
        claimer: Claimer | None = None,
        predecessors: Sequence[str] = (),
        pace: Pace = UNPACED,
        slots: int = 50,
        send_timeout: timedelta = timedelta(seconds=90),
        poll: timedelta = timedelta(seconds=1),
    ) -> Dispatcher:
        """Return a dispatcher over a channel, not running yet."""
        overall, per_recipient = pace
        return Dispatcher(
            channel,
            lane=lane,
            mandate=mandate or Always(daemon_id),
            claimer=claimer or Claimer(),
            journal=Journal(),
            predecessors=predecessors,
            pacer=Pacer(overall=overall, per_recipient=per_recipient, clock=self.clock),
            settlements=self.settlements,
            health=self.health,
            database=self.database,
            metrics=self.metrics,
            clock=self.clock,
            slots=slots,
            send_timeout=send_timeout,
            poll=poll,
        )

    def _wake(self, channels: set[str]) -> None:
        for dispatcher in self.listeners:
            dispatcher.wake()
        self.news.tell(Bulletin(channels=frozenset(channels)))


@asynccontextmanager
async def running(dispatcher: Dispatcher, *, grace: timedelta = timedelta()) -> AsyncIterator[Dispatcher]:
    """Let a dispatcher deliver; what it still sends at the end, and after `grace`, goes back to the queue."""
    task = asyncio.create_task(dispatcher.run())
    try:
        yield dispatcher
    finally:
        dispatcher.stop()
        await dispatcher.drain(grace)
        await task
