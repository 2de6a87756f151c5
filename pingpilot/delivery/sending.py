"""Sending: one attempt after another through a channel, in turn, with pauses where it asks for them."""

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta
from weakref import WeakValueDictionary

import structlog

from pingpilot.clock import Clock
from pingpilot.cluster.mandate import Mandate
from pingpilot.delivery.attempts import (
    ASKED_FOR,
    DELIVERED,
    Attempt,
    Verdict,
    held,
    interrupted,
    untried,
    verdict_on,
)
from pingpilot.delivery.breaker import Breaker
from pingpilot.delivery.channel import Channel, Recipient
from pingpilot.delivery.claims import Claim
from pingpilot.delivery.pacing import Pacer
from pingpilot.errors import (
    ChannelUnavailable,
    DeliveryFailure,
    NotLeading,
    PermanentFailure,
    RateLimited,
    TemporaryFailure,
)
from pingpilot.telemetry.health import Health

UNAVAILABLE_PAUSE = timedelta(seconds=30)
"""How long a channel that can't send is left alone before one more try."""
_AFTER_A_LONG_QUEUE = timedelta(seconds=1)

log = structlog.get_logger(__name__)


class Sender:
    """Makes the attempts of one channel: one at a time to a recipient, at the pacer's pace.

    A platform's wish for a pause, a channel that can't send and a platform that is away hold all sends
    back; none of that is charged to a delivery. `timeout` ends a send that hangs. `health` shows a
    channel that can't send; it is probed with one message at a time, since every refused login counts.
    What was claimed by a `mandate` that is over goes back as it was.
    """

    def __init__(
        self,
        channel: Channel,
        *,
        mandate: Mandate,
        pacer: Pacer,
        health: Health,
        clock: Clock,
        timeout: timedelta,
    ) -> None:
        self._channel = channel
        self._mandate = mandate
        self._pacer = pacer
        self._health = health
        self._clock = clock
        self._timeout = timeout
        self._breaker = Breaker(clock=clock)
        self._pauses: dict[str, float] = {}
        self._recipients: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._paused_until = 0.0
        self._is_unavailable = False
        self._silent_since: float | None = None

    def allowed(self, free_slots: int, *, under_way: int) -> int:
        """Return how many more attempts may begin now."""
        if self._is_paused():
            return 0
        if self._is_unavailable:
            return 0 if under_way else 1
        return self._breaker.allowed(free_slots, under_way=under_way)

    @property
    def is_away(self) -> bool:
        """Whether the platform counts as away."""
        return self._breaker.is_open

    @property
    def silent_for(self) -> float:
        """Seconds since the first of the messages that the platform has not answered in any way."""
        return 0.0 if self._silent_since is None else self._clock.monotonic() - self._silent_since

    def was_heard_of(self) -> None:
        """Take note that the platform can be reached, however slow it is."""
        self._silent_since = None

    async def attempt(self, claim: Claim) -> Attempt:
        """Make one attempt and return what came of it; it raises nothing, and a cancelled one says so."""
        try:
            async with AsyncExitStack() as turn:
                if claim.recipient and not claim.hold_until:
                    # One message at a time to a recipient. What waits for quiet hours to end is not sent:
                    # it takes no turn from what is urgent.
                    address = claim.recipient.address
                    lock = self._recipients.setdefault(address, asyncio.Lock())
                    try:
                        async with asyncio.timeout(self._timeout.total_seconds() / 2):
                            await turn.enter_async_context(lock)
                    except TimeoutError:
                        # Many destinations lead to one slow address: neither slots nor leases are for waiting
                        now = self._clock.now()
                        return Attempt(claim, untried(now + _AFTER_A_LONG_QUEUE), now, timedelta())
                    await turn.enter_async_context(self._pacer.turn(address, in_room=claim.recipient.is_room))
                started_at, began = self._clock.now(), self._clock.monotonic()
                try:
                    verdict = await self._verdict(claim)
                except asyncio.CancelledError:
                    verdict = interrupted(self._clock.now())
                took = timedelta(seconds=self._clock.monotonic() - began)
                return Attempt(claim, verdict, started_at, took)
        except asyncio.CancelledError:  # while it waited; only a stop cancels, the task ends here anyway
            now = self._clock.now()
            return Attempt(claim, untried(now), now, timedelta())

    async def _verdict(self, claim: Claim) -> Verdict:
        """Send the claim's message, if it may be sent now, and return what that means for its delivery."""
        if claim.recipient is None:
            nobody = PermanentFailure(claim.obstacle or "There is nobody to send this to.")
            return verdict_on(nobody, attempts_before=claim.attempts, now=self._clock.now())
        if claim.hold_until:
            return held(claim.hold_until)
        is_over = claim.leased_by != self._mandate.name or not self._mandate.may_act()
        if is_over or self._is_paused() or self._breaker.blocks():
            return untried(self._clock.now())
        if (left := self._pauses.get(claim.recipient.address, 0.0) - self._clock.monotonic()) > 0:
            # Another message was told to wait, and stepped aside: that was meant for this one, too
            return untried(self._clock.now() + timedelta(seconds=left))
        seconds = self._timeout.total_seconds()
        if self._silent_since is None:
            self._silent_since = self._clock.monotonic()
        failure: DeliveryFailure
        try:
            async with asyncio.timeout(seconds):
                await self._channel.send(claim.recipient, claim.notification)
        except DeliveryFailure as exc:
            failure = exc
        except TimeoutError:
            failure = TemporaryFailure(f"No answer within {seconds:g} seconds.")
        except Exception as exc:  # whatever a library may raise loses no delivery
            log.exception("A send failed unexpectedly", channel=self._channel.name)
            failure = TemporaryFailure(f"Unexpected {type(exc).__name__}: {exc}")
        else:
            self._note_answer()
            return DELIVERED
        self._heed(failure, claim.recipient)
        return verdict_on(failure, attempts_before=claim.attempts, now=self._clock.now())

    def _heed(self, failure: DeliveryFailure, recipient: Recipient) -> None:
        """Pause the channel or the recipient as the platform asks, and tell the breaker."""
        if isinstance(failure, NotLeading):
            return
        if isinstance(failure, ChannelUnavailable):
            self.was_heard_of()
        if isinstance(failure, TemporaryFailure | RateLimited) and failure.retry_after:
            self._pause_recipient(recipient.address, failure.retry_after)
        if isinstance(failure, TemporaryFailure) and not failure.recipient_alone:
            was_open = self._breaker.is_open
            self._breaker.failed(recipient.address)
            if self._breaker.is_open and not was_open:
                reason = recipient.hidden_in(failure.reason)
                log.warning("The platform counts as away", channel=self._channel.name, reason=reason)
        elif isinstance(failure, ChannelUnavailable):
            self._is_unavailable = True
            # Anybody may read it in /readyz
            self._health.cannot_send(self._channel.name, recipient.hidden_in(failure.reason))
            if not self._is_paused():
                self._pause(UNAVAILABLE_PAUSE)
        else:  # the platform answered, if not as one would like
            self._note_answer()
            if isinstance(failure, RateLimited) and failure.whole_channel:
                self._pause(failure.retry_after)

    def _note_answer(self) -> None:
        self.was_heard_of()
        self._is_unavailable = False
        self._health.can_send(self._channel.name)
        if self._breaker.is_open:
            log.info("The platform is back", channel=self._channel.name)
        self._breaker.answered()

    def _pause_recipient(self, address: str, time: timedelta) -> None:
        now = self._clock.monotonic()
        self._pauses = {known: until for known, until in self._pauses.items() if until > now}
        self._pauses[address] = max(
            self._pauses.get(address, 0.0), now + min(time, ASKED_FOR).total_seconds()
        )

    def _is_paused(self) -> bool:
        return self._clock.monotonic() < self._paused_until

    def _pause(self, time: timedelta) -> None:
        until = self._clock.monotonic() + time.total_seconds()
        self._paused_until = max(self._paused_until, until)
