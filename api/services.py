"""What the handlers work with, made by the daemon and kept under one typed key."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from aiohttp import web

from api.addresses import TrustedProxies
from api.cors import Cors
from api.errors import ApiError, ErrorPage
from api.floods import FloodGuard
from pingpilot.accounts.callers import Authenticator, Caller
from pingpilot.accounts.deleting import Deletions
from pingpilot.accounts.quota import PlanLimits
from pingpilot.accounts.sign_up import Newcomers
from pingpilot.accounts.unsubscribing import Unsubscriber
from pingpilot.channels import CHANNELS, EMAIL, ChannelKind, load
from pingpilot.clock import Clock
from pingpilot.cluster.membership import Membership
from pingpilot.config import ChannelSettings
from pingpilot.delivery.backlog import Backlog
from pingpilot.delivery.channel import Channel
from pingpilot.delivery.parts import Receiver
from pingpilot.delivery.settlement import Settlements
from pingpilot.events.intake import Intake
from pingpilot.events.live import Live
from pingpilot.storage.watch import DatabaseWatch
from pingpilot.telemetry.findings import Examination
from pingpilot.telemetry.health import Health
from pingpilot.telemetry.metrics import Metrics


class InFlight:
    """Counts the requests being handled, so that a stopping daemon can wait for them."""

    def __init__(self) -> None:
        self._count = 0
        self._none = asyncio.Event()
        self._none.set()

    def __enter__(self) -> None:
        if not self._count:
            self._none.clear()
        self._count += 1

    def __exit__(self, *_exc: object) -> None:
        self._count -= 1
        if not self._count:
            self._none.set()

    async def none(self, within: timedelta) -> None:
        """Return once no request is being handled, or after `within`."""
        try:
            async with asyncio.timeout(within.total_seconds()):
                await self._none.wait()
        except TimeoutError:
            pass


class Examiner(Protocol):
    """Has the doctor look at the server."""

    latest: Examination | None

    async def examine(self) -> Examination:
        """Return what is found now, which takes some seconds."""


@dataclass(slots=True)
class Services:
    """The daemon's parts that the API calls.

    `on_deliveries` is told the channels that have something to do; `senders` are the channels themselves,
    for what no delivery stands for, and `receivers` give what takes their platforms' posts.
    `sign_in_header` is where a trusted proxy names who it has signed in.
    `base_url` is where people reach the API. `stopping` turns true when the daemon winds down.
    """

    authenticator: Authenticator
    intake: Intake
    settlements: Settlements
    live: Live
    deletions: Deletions
    unsubscriber: Unsubscriber
    health: Health
    database: DatabaseWatch
    metrics: Metrics
    backlog: Backlog
    membership: Membership
    limits: PlanLimits
    clock: Clock
    on_deliveries: Callable[[set[str]], None]
    floods: FloodGuard
    started_at: datetime
    base_url: str = ""
    examiner: Examiner | None = None
    newcomers: Newcomers = field(default_factory=Newcomers)
    channel_settings: Mapping[str, ChannelSettings] = field(default_factory=dict)
    senders: Mapping[str, Channel] = field(default_factory=dict)
    receivers: Mapping[str, Callable[[], Awaitable[Receiver | None]]] = field(default_factory=dict)
    sign_in_header: str | None = None
    proxies: TrustedProxies = field(default_factory=TrustedProxies)
    cors: Cors = field(default_factory=Cors)
    in_flight: InFlight = field(default_factory=InFlight)
    stopping: bool = False

    def check_address(self, kind: ChannelKind, text: str) -> str:
        """Return the address of a new destination as it is stored. Raises `InvalidInput`."""
        settings: ChannelSettings = self.channel_settings.get(kind.name) or load(kind.settings)()
        return settings.check_address(text)

    def check_configured(self, *channels: str) -> None:
        """Raise `channel_not_configured` for those this daemon has no settings for: events would wait there
        for ever.
        """
        if missing := [CHANNELS[name].label for name in channels if self.health.is_off(name)]:
            raise ApiError("channel_not_configured", channels=" and ".join(missing))

    @property
    def mail_sender(self) -> Channel:
        """What sends a mail that no delivery stands for. Raises `channel_not_configured`."""
        if EMAIL.name not in self.senders:
            raise ApiError("channel_not_configured", channels=EMAIL.label)
        return self.senders[EMAIL.name]


@dataclass(slots=True)
class KnownCaller:
    """Who sent a request, and how many events the account has used by the time of the reply."""

    caller: Caller
    events_used: int


SERVICES = web.AppKey("services", Services)
ERROR_PAGE = web.AppKey("error_page", ErrorPage)
KNOWN_CALLER = web.RequestKey("known_caller", KnownCaller)
