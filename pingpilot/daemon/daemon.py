"""The daemon: builds every part, runs them in one task group, stops them in order."""

import asyncio
import gc
import os
import signal
import socket
import threading
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial
from typing import Any

import structlog
from aiohttp import web

from api.addresses import TrustedProxies
from api.app import create_app
from api.cors import Cors
from api.floods import FloodGuard
from api.server import ApiRunner
from api.services import Services
from models.backends.errors import IntegrityConflict
from models.database import PATIENCE, answers, be_impatient, open_database
from pingpilot.accounts.accounts import accounts_without_channel
from pingpilot.accounts.callers import Authenticator
from pingpilot.accounts.deleting import Deletions
from pingpilot.accounts.quota import PlanLimits
from pingpilot.accounts.sign_up import Newcomers
from pingpilot.accounts.unsubscribing import Unsubscriber
from pingpilot.clock import AgreedClock, Clock
from pingpilot.cluster.membership import Membership
from pingpilot.cluster.news import Bulletin, news_of
from pingpilot.cluster.times import Times
from pingpilot.config import PREFIX, Settings
from pingpilot.daemon.bots import mind_former_bots, register_bots
from pingpilot.daemon.examining import Examiner
from pingpilot.daemon.hearing import DaemonHearer
from pingpilot.daemon.identity import Identity, new_identity
from pingpilot.daemon.parts import Part, build_parts
from pingpilot.delivery.backlog import Backlog
from pingpilot.delivery.parts import Surroundings
from pingpilot.delivery.queue import take_back_of
from pingpilot.delivery.settlement import Settlements
from pingpilot.errors import DatabaseUnavailable, SettingsError
from pingpilot.events.intake import Intake
from pingpilot.events.live import Live
from pingpilot.events.offers import offer_channels
from pingpilot.listening import listening_socket
from pingpilot.loops import end
from pingpilot.storage.housekeeping import Housekeeper
from pingpilot.storage.migrating import cannot_be_used, prepare_database
from pingpilot.storage.watch import DatabaseWatch
from pingpilot.telemetry.health import Health
from pingpilot.telemetry.metrics import Metrics
from pingpilot.telemetry.setting_warnings import setting_warnings

GRACE = timedelta(seconds=10)
"""How long requests and sends under way may go on when the daemon stops."""
LATEST_END = timedelta(seconds=25)
"""How long a stop may take in all, whatever does not answer."""
_YOUNG_OBJECTS = 10_000  # before those are looked through that were made last: 4 % of intake with 700
_LAST_NEWS = 0.5  # seconds that a stop waits for other daemons to be told
_PATIENCE_AT_THE_END = 1.0  # seconds that the database may take for an answer when the grace is nearly over

log = structlog.get_logger(__name__)


class Daemon:
    """One process's worth of PingPilot, over a database that is open already."""

    def __init__(
        self,
        settings: Settings,
        *,
        identity: Identity,
        clock: Clock | None = None,
        grace: timedelta = GRACE,
        times: Times | None = None,
    ) -> None:
        self._settings = settings
        self._identity = identity
        self._grace = grace
        self._times = times
        self._clock = clock or AgreedClock()
        self._health = Health()
        self._database = DatabaseWatch(clock=self._clock)
        self._metrics = Metrics()
        self._news = news_of(settings.database_direct)
        self._metrics.news_connected.set_function(lambda: self._news.is_connected)
        self._live = Live(self._news)
        self._settlements = Settlements(self._live, news=self._news)
        self._limits = PlanLimits.of(settings)
        self._intake = Intake(
            clock=self._clock,
            database=self._database,
            metrics=self._metrics,
            limits=self._limits,
            on_deliveries=self._wake,
            live=self._live,
        )
        self._deletions = Deletions(clock=self._clock, database=self._database)
        self._housekeeper = Housekeeper(
            clock=self._clock, retention=timedelta(days=settings.event_retention_days)
        )
        self._examiner = Examiner(settings, clock=self._clock)
        self._parts: list[Part] = []

    async def serve(self, stop: asyncio.Event, *, on_up: Callable[[str], None] | None = None) -> None:
        """Serve until `stop` is set, then stop in order within the grace.

        `on_up` is called with the API's base URL once it answers. Raises `SettingsError` where the
        address to listen on can't be had.
        """
        with _listen(self._settings) as listener:
            base_url = self._settings.base_url(listener.getsockname()[1])
            membership = Membership(
                self._identity.name,
                dead=self._identity.predecessors,
                take_back=partial(take_back_of, clock=self._clock),
                database=self._database,
                clock=self._clock,
                times=self._times,
            )
            await membership.join()
            unsubscriber = await Unsubscriber.load(base_url)
            self._parts = build_parts(
                self._settings,
                Surroundings(
                    limits=self._limits,
                    clock=self._clock,
                    health=self._health,
                    unsubscriber=unsubscriber,
                    on_deliveries=self._wake,
                    base_url=base_url,
                    share=membership.share,
                ),
                lanes=await register_bots(self._settings),
                on_incoming=self._take_incoming,
                identity=self._identity,
                intake=self._intake,
                membership=membership,
                settlements=self._settlements,
                database=self._database,
                metrics=self._metrics,
            )
            services = self._services(unsubscriber, membership, base_url)
            async with AsyncExitStack() as stack:
                stack.push_async_callback(self._database.close)
                for part in self._parts:
                    stack.push_async_callback(part.channel.close)
                runner = ApiRunner(create_app(services))
                await runner.setup()
                stack.push_async_callback(runner.cleanup)
                await web.SockSite(runner, listener).start()
                log.info("PingPilot is up", url=base_url)
                if on_up:
                    on_up(base_url)
                await self._run(stop, services, membership)
                log.info("PingPilot has stopped")

    async def _run(self, stop: asyncio.Event, services: Services, membership: Membership) -> None:
        """Run all parts until `stop`; then refuse what still comes and let what is under way finish.

        What is not done within the grace stays pending.
        """
        hearer = DaemonHearer(
            {part.name: part.dispatcher for part in self._parts},
            settlements=self._settlements,
            live=self._live,
            on_incoming=self._wake_component,
            on_let_go=membership.look_now,
        )
        async with asyncio.TaskGroup() as tasks:
            side_tasks = [
                tasks.create_task(self._housekeeper.run(), name="housekeeping"),
                tasks.create_task(self._look_at_accounts(), name="look at accounts"),
                tasks.create_task(
                    mind_former_bots(
                        self._settings,
                        clock=self._clock,
                        database=self._database,
                        on_deliveries=self._wake,
                    ),
                    name="former bots",
                ),
                tasks.create_task(self._deletions.run(), name="deletions"),
                tasks.create_task(self._database.run(), name="database watch"),
                tasks.create_task(self._end_the_start(), name="the start's end"),
                tasks.create_task(membership.run(), name="heartbeats"),
                tasks.create_task(self._news.run(hearer), name="news"),
            ]
            serving = [tasks.create_task(part.run(), name=f"serve {part.name}") for part in self._parts]
            await stop.wait()
            log.info("PingPilot is stopping")
            services.stopping = True
            self._settlements.close()
            await self._examiner.close()
            for part, task in zip(self._parts, serving, strict=True):
                part.dispatcher.stop()
                if not part.mandate.may_act():
                    task.cancel()  # lest it leads while it stops
            left = max(0.0, self._grace.total_seconds() - PATIENCE)
            asyncio.get_running_loop().call_later(left, be_impatient, _PATIENCE_AT_THE_END)
            await asyncio.gather(
                services.in_flight.none(self._grace),
                *(part.dispatcher.drain(self._grace) for part in self._parts),
            )
            await end(serving)
            # Others take over what was put back, and the bots
            channels = frozenset(part.channel.name for part in self._parts)
            self._news.tell(Bulletin(channels=channels, let_go=True))
            await self._news.told(_LAST_NEWS)
            await end(side_tasks)
        await membership.leave()

    async def _end_the_start(self) -> None:
        """Take what is loaded out of garbage collection, since it stays: a full one would take 70 ms."""
        await asyncio.gather(*(part.channel.loaded() for part in self._parts), return_exceptions=True)
        gc.collect()
        gc.freeze()
        gc.set_threshold(_YOUNG_OBJECTS)

    async def _look_at_accounts(self) -> None:
        """Offer accounts the channels set up since they were made; tell of those that can't be reached."""
        configured = self._settings.configured_channels
        try:
            told = await offer_channels(configured, self._clock.now())
            mute = await accounts_without_channel(configured)
        except (DatabaseUnavailable, IntegrityConflict) as exc:
            self._database.failed(exc, "The accounts could not be looked at")
            return
        if told:
            log.info("Accounts were told of new channels", accounts=told)
        if mute:
            log.warning(
                "Accounts have no channel that can be used: see `pingpilot doctor`", accounts=len(mute)
            )

    def _services(self, unsubscriber: Unsubscriber, membership: Membership, base_url: str) -> Services:
        return Services(
            authenticator=Authenticator(limits=self._limits, clock=self._clock),
            intake=self._intake,
            settlements=self._settlements,
            live=self._live,
            deletions=self._deletions,
            unsubscriber=unsubscriber,
            health=self._health,
            database=self._database,
            metrics=self._metrics,
            backlog=Backlog(metrics=self._metrics, clock=self._clock),
            membership=membership,
            limits=self._limits,
            clock=self._clock,
            on_deliveries=self._wake,
            floods=FloodGuard(clock=self._clock),
            started_at=self._clock.now(),
            base_url=base_url,
            examiner=self._examiner,
            newcomers=Newcomers.of(self._settings),
            channel_settings=self._settings.channels,
            senders={part.channel.name: part.channel for part in self._parts},
            receivers={part.name: part.channel.receiver for part in self._parts},
            sign_in_header=self._settings.sign_in_header,
            proxies=TrustedProxies(self._settings.trusted_proxies),
            cors=Cors(self._settings.cors_origins),
        )

    def _take_incoming(self, name: str) -> None:
        """Have what a platform posted here looked at, by whichever daemon leads its bot."""
        self._wake_component(name)
        self._news.tell(Bulletin(incoming=frozenset({name})))

    def _wake_component(self, name: str) -> None:
        for part in self._parts:
            if part.name == name:
                part.channel.wake()

    def _wake(self, names: set[str]) -> None:
        elsewhere = set[str]()
        for name in sorted(names):
            for part in self._parts:
                if part.channel.name == name:
                    part.dispatcher.wake()
            ours = [part.dispatcher.has_room for part in self._parts if part.channel.name == name]
            if not (ours and all(ours)):
                elsewhere.add(name)
        self._news.tell(Bulletin(channels=frozenset(elsewhere)))


def _listen(settings: Settings) -> socket.socket:
    host, port = settings.http_host, settings.http_port
    try:
        return listening_socket(host, port)
    except OSError as exc:
        problem = (exc.strerror or str(exc)).partition(" (while ")[0]  # what follows names the address again
        raise SettingsError(
            f"PingPilot can't listen on {host}:{port} ({problem}): choose another {PREFIX}HTTP_HOST or "
            f"{PREFIX}HTTP_PORT."
        ) from exc


async def run(settings: Settings) -> None:
    """Migrate, serve until SIGTERM or SIGINT, stop in order; a second signal stops at once.

    Raises `SettingsError`, also where the database can't be used or is an SQLite file in use.
    """
    stop = asyncio.Event()

    def stop_or_abort() -> None:
        if stop.is_set():
            os._exit(1)
        stop.set()
        _end_at_the_latest(LATEST_END)

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop_or_abort)
    with new_identity(settings) as identity:
        if await _stopped_during(prepare_database(settings), stop):
            return
        try:
            async with open_database(settings.database):
                await answers()  # a file that may only be read opens all the same
                await Daemon(settings, identity=identity).serve(stop, on_up=lambda _url: warn_of(settings))
        except DatabaseUnavailable as exc:  # at the start: later it is only away
            raise cannot_be_used(settings.database_variable, exc) from exc


async def _stopped_during(work: Coroutine[Any, Any, None], stop: asyncio.Event) -> bool:
    """Do the work, which a stop cancels; return whether one did. Raises what the work does."""
    working, stopping = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not working.done():
        working.cancel()
        await asyncio.wait([working])
        return True
    working.result()
    return stop.is_set()


def _end_at_the_latest(seconds: timedelta) -> None:
    """End the process then: a thread that the disk never answers would keep it alive for ever."""

    def end_now() -> None:
        log.error("PingPilot could not stop in order, and ends now")
        os._exit(1)

    timer = threading.Timer(seconds.total_seconds(), end_now)
    timer.daemon = True
    timer.start()


def warn_of(settings: Settings) -> None:
    """Say in the log what about the settings is hardly meant so."""
    for warning in setting_warnings(settings):
        log.warning(warning.text, advice=warning.advice)
