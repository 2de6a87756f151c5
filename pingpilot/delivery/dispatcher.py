"""The dispatcher: one channel's worker. Claims what is due, sends it, records what came of it."""

import asyncio
import random
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import structlog

from models import DeliveryStatus
from models.backends.errors import IntegrityConflict
from pingpilot.clock import Clock, Steps
from pingpilot.cluster.mandate import Mandate
from pingpilot.delivery.attempts import ASKED_FOR, Attempt, untried
from pingpilot.delivery.channel import Channel
from pingpilot.delivery.claiming import LEASE, Claimer, Wish
from pingpilot.delivery.claims import Claim
from pingpilot.delivery.journal import Journal, Recorded
from pingpilot.delivery.pacing import Pacer
from pingpilot.delivery.queue import DeliveryQueue
from pingpilot.delivery.reporting import Reporter
from pingpilot.delivery.sending import Sender
from pingpilot.delivery.settlement import Settlements
from pingpilot.errors import DatabaseUnavailable
from pingpilot.loops import CANCELLED_AGAIN_AFTER
from pingpilot.storage.watch import DatabaseWatch
from pingpilot.telemetry.health import Health
from pingpilot.telemetry.metrics import Metrics

log = structlog.get_logger(__name__)

RELEASE_CHECK = timedelta(seconds=1)
"""How often deliveries are looked for whose quiet hours are over."""
EXPIRY_CHECK = timedelta(seconds=15)
"""How often leases of dead daemons are looked for."""
STRAYS_CHECK = timedelta(seconds=1)
"""How often, where nobody else may be sending: what a former leader left holds its recipients up. As often,
what this daemon leased and knows nothing of, after the database gave no answer.
"""
CLOCK_CHECK = timedelta(minutes=10)
"""How often deliveries are looked for that another machine's clock made wait too long."""
_DATABASE_PAUSE = 1.0  # seconds between tries while the database is away
# A stop waits so many seconds for outcomes to be stored: a database that is away may take for ever
_LAST_WRITES = 2.0


class Dispatcher:
    """Delivers through one channel, by the bot of one `lane`: up to `slots` messages at a time, one a
    recipient, at the pacer's pace.

    `claimer` and `journal` are those of all channels of the daemon, `mandate` is its right to send;
    `predecessors` are the ids of daemons that are certainly dead. `shown_as` is the bot's name in the
    metrics, where its channel has several.
    `send_timeout` ends a send that hangs; `poll`, up to twice as much, is how long the database is not asked
    without a wake-up, for what other processes put there.
    """

    def __init__(
        self,
        channel: Channel,
        *,
        lane: int = 0,
        shown_as: str | None = None,
        mandate: Mandate,
        claimer: Claimer,
        journal: Journal,
        predecessors: Sequence[str] = (),
        pacer: Pacer,
        settlements: Settlements,
        health: Health,
        database: DatabaseWatch,
        metrics: Metrics,
        clock: Clock,
        slots: int = 50,
        send_timeout: timedelta = timedelta(seconds=90),
        poll: timedelta = timedelta(seconds=1),
    ) -> None:
        self._channel = channel
        self._lane = lane
        self._predecessors = predecessors
        self._claimer = claimer
        self._mandate = mandate
        self._pacer = pacer
        self._queue = DeliveryQueue(channel=channel.name, mandate=mandate, lane=lane)
        self._journal = journal
        self._sender = Sender(
            channel, mandate=mandate, pacer=pacer, health=health, clock=clock, timeout=send_timeout
        )
        metrics.circuit_open.labels(shown_as or channel.name).set_function(lambda: self._sender.is_away)
        self._reporter = Reporter(channel.name, metrics=metrics)
        self._settlements = settlements
        self._database = database
        self._clock = clock
        self._slots = slots
        self._poll = poll
        self._sending: dict[asyncio.Task[None], list[int]] = {}
        self._answered = set[asyncio.Task[None]]()  # of these: those whose outcome is being written
        self._claiming = asyncio.Lock()
        self._awake = asyncio.Event()
        self._wakes = 0
        self._is_short = False  # there may be more to send than the last claim was allowed
        self._stopping = False
        self._next_expiry_check = 0.0
        self._next_release = 0.0
        self._steps = Steps(clock)
        self._next_bring_forward: float | None = None

    @property
    def platform_silent_for(self) -> float:
        """Seconds since the first of the messages that the platform has not answered in any way."""
        return self._sender.silent_for

    def platform_was_heard_of(self) -> None:
        """Take note that the platform can be reached all the same."""
        self._sender.was_heard_of()

    @property
    def channel(self) -> str:
        """The name of its channel."""
        return self._channel.name

    def wake(self) -> None:
        """Look for due deliveries now."""
        self._wakes += 1
        self._awake.set()

    @property
    def has_room(self) -> bool:
        """Whether it takes at once what is due, so that no other daemon need be told."""
        return self._mandate.may_act() and not (self._is_short or self._stopping)

    def stop(self) -> None:
        """Claim nothing more; `run` returns, what is being sent goes on until `drain` ends it."""
        self._stopping = True
        self.wake()

    async def run(self) -> None:
        """Deliver until `stop`, or until cancelled at the end of a term; may be called again in the next one.

        What its predecessors were sending when they died is taken back first.
        """
        recovered, next_put_back, in_doubt_until = False, 0.0, 0.0
        while not self._stopping:
            self._awake.clear()
            try:
                if not recovered:
                    if count := await self._queue.recover(self._predecessors, self._clock.now()):
                        channel = self._channel.name
                        log.info("Deliveries taken back after a stop", channel=channel, count=count)
                    sent = (
                        await self._queue.sent_lately(self._clock.now())
                        if self._pacer.minds_recipients
                        else ()
                    )
                    self._pacer.begin(sent)
                    recovered = True
                if next_put_back <= (now := self._clock.monotonic()) < in_doubt_until:
                    await self._queue.put_back(sparing=self._under_way())
                    next_put_back = now + STRAYS_CHECK.total_seconds()
                await self._fill_slots()
            except (DatabaseUnavailable, IntegrityConflict) as exc:
                self._database.failed(exc, "The queue can't be read", channel=self._channel.name)
                # A claim may be stored although its answer is lost, or may be yet: a server whose disk stands
                # still commits what it was told, however long nobody has waited for that any more
                next_put_back, in_doubt_until = 0.0, self._clock.monotonic() + LEASE.total_seconds()
            with suppress(TimeoutError):  # then the database is asked without a wake-up
                # With jitter: daemons that were woken together shall not ask together ever after
                async with asyncio.timeout(self._poll.total_seconds() * random.uniform(1, 2)):  # noqa: S311
                    await self._awake.wait()

    async def drain(self, grace: timedelta) -> None:
        """Let what is being sent finish within `grace`; what does not goes back to the queue.

        While the database is away, that is left to the leases.
        """
        async with self._claiming:  # what is being claimed just now belongs to it
            pass
        await self._wait_for_sending(grace.total_seconds())
        self._cancel_sending()
        await self._wait_for_sending(_LAST_WRITES)
        self._cancel_sending()
        await self._journal.idle()

    async def end_term(self, patience: float) -> None:
        """Send nothing more by a mandate that is over, once `run` was cancelled.

        What the platform has may still be answered for so many seconds, the rest goes back. An answer is
        written down however long that takes: without it, the message would be sent again.
        """
        while self._sending:
            await asyncio.wait(self._sending, timeout=patience)
            patience = CANCELLED_AGAIN_AFTER
            for task in self._sending.keys() - self._answered:
                task.cancel()

    async def _wait_for_sending(self, seconds: float) -> None:
        if self._sending:
            await asyncio.wait(self._sending, timeout=seconds)

    def _cancel_sending(self) -> None:
        for task in self._sending:
            task.cancel()

    def _under_way(self) -> list[int]:
        return [each for ids in self._sending.values() for each in ids]

    def _most(self) -> int:
        """Return how many messages may be under way: where all daemons send, this one's part of the slots, or
        it would take all that waits and the others nothing.
        """
        return max(1, self._slots // (len(self._mandate.living) or 1))

    async def _fill_slots(self) -> None:
        """Begin to send what is due, as far as there are slots."""
        under_way = len(self._sending)
        if not self._mandate.may_act():
            return
        free = self._sender.allowed(self._most() - under_way, under_way=under_way)
        if free <= 0:
            self._is_short = True
            return
        await self._mind_the_clock()
        releases = self._clock.monotonic() >= self._next_release
        if releases:
            self._next_release = self._clock.monotonic() + RELEASE_CHECK.total_seconds()
        async with self._claiming:
            wish = Wish(self._channel.name, self._mandate.name, free, self._clock.now(), releases, self._lane)
            claims = [] if self._stopping else await self._claimer.claim(wish)
            for claim in claims:
                task = asyncio.create_task(self._deliver(claim), name=f"deliver {claim.delivery_id}")
                self._sending[task] = claim.delivery_ids
                task.add_done_callback(self._sending.pop)
                task.add_done_callback(self._answered.discard)
            self._is_short = len(claims) == free
            if self._is_short and len(self._sending) < self._most():  # some have ended since it asked
                self.wake()
        if self._clock.monotonic() >= self._next_expiry_check:
            check = STRAYS_CHECK if self._mandate.is_exclusive else EXPIRY_CHECK
            self._next_expiry_check = self._clock.monotonic() + check.total_seconds()
            if await self._queue.expire_leases(self._clock.now(), sparing=self._under_way()):
                self.wake()

    async def _mind_the_clock(self) -> None:
        """At the start, when the clock was set and now and then, bring forward what waits for no reason.

        A platform that is asked early, once, just names its wait again; another daemon's word is believed, so
        that no take-over asks early.
        """
        is_first, was_set = self._next_bring_forward is None, self._steps.noticed()
        if not (is_first or was_set or self._clock.monotonic() >= (self._next_bring_forward or 0)):
            return
        # First: a database that takes too long for it shall not be asked again before it sends anything
        self._next_bring_forward = self._clock.monotonic() + CLOCK_CHECK.total_seconds()
        has_others = self._mandate.is_exclusive or len(self._mandate.living) > 1
        asked_for = timedelta() if was_set or (is_first and not has_others) else ASKED_FOR
        if count := await self._queue.bring_forward(self._clock.now(), asked_for=asked_for):
            # Mostly since a clock was ahead; at the start, a platform's wish for a pause is tried out as well
            log.info("Deliveries brought forward", channel=self._channel.name, count=count)

    async def _deliver(self, claim: Claim) -> None:
        attempt = await self._sender.attempt(claim)
        if task := asyncio.current_task():
            self._answered.add(task)
        attempts = [attempt]
        was_refused = attempt.verdict.status is DeliveryStatus.FAILED and not attempt.verdict.recipient_gone
        if was_refused and claim.companions and claim.recipient:
            # No companion fails for good because of the one event that the message showed
            shown, others = claim.apart()
            back = untried(self._clock.now())
            attempts = [replace(attempt, claim=shown), replace(attempt, claim=others, verdict=back)]
        for each in attempts:
            wakes = self._wakes
            recorded = await self._record(each)
            self._settlements.announce(claim.account_id, recorded.changed)
            self._reporter.report(each, recorded.changed)
            # Mostly there is nothing more to do, and a claim would find that out for as much as this one took
            if recorded.is_followed or self._is_short or self._wakes != wakes:
                asyncio.get_running_loop().call_soon(self.wake)  # once the slot is free

    async def _record(self, attempt: Attempt) -> Recorded:
        """Write the outcome down however long the database is away: a sent message must not be sent again.

        A conflict is one with the deletion of an account, and gone when looked at anew.
        """
        while True:
            try:
                return await self._journal.record(attempt)
            except (DatabaseUnavailable, IntegrityConflict) as exc:
                self._database.failed(
                    exc, "An outcome can't be stored yet", delivery=attempt.claim.delivery_id
                )
                await asyncio.sleep(_DATABASE_PAUSE)
