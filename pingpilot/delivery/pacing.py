"""Pacing: how fast a channel may send as a whole and to one recipient."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta

from pingpilot.channels import Rate, Window
from pingpilot.clock import Clock
from pingpilot.errors import RateLimited

_MOST_REMEMBERED = 10_000  # recipients
_LONGEST_WAY = 0.5
"""Seconds that a message takes to its platform at most. One that is answered later was waiting elsewhere, as
discord.py does for a conversation's own limit."""
_LONGEST_ANSWER = 5.0
"""Seconds for which a request counts as on its way that is known to have gone out."""
_LOOKS_EVERY = 0.05  # seconds between looks for answers
_SHORTEST_WAIT = 0.001  # seconds; what rounding leaves of a wait is none that a timer knows
_START = 3.0
"""Seconds in which half of a window is left alone: the bot logs in and registers its commands, and a daemon
before this one may have sent a moment ago."""


_STALE = 0.25
"""Seconds after which a turn says nothing of when its message goes out: what it goes by was not ready yet, it
waited for something else, or the machine stood still."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that went to an address, by whichever daemon, and was answered so many seconds ago."""

    address: str
    in_room: bool
    seconds_ago: float


class Pacer:
    """Gives each message its turn: in a window for all, at a rate for each recipient, or each room, which has
    a window besides.

    Turns are handed out in order of asking. None means no limit.
    """

    def __init__(
        self,
        *,
        overall: Window | None,
        per_recipient: Rate | None,
        per_room: Rate | None = None,
        room_window: Window | None = None,
        clock: Clock,
    ) -> None:
        self._overall = _Places(overall, clock) if overall else None
        self._per_recipient = per_recipient
        self._per_room = per_room
        self._room_window = room_window
        self._clock = clock
        self._recipients: dict[str, _Recipient] = {}

    @property
    def minds_recipients(self) -> bool:
        """Whether it matters to whom something was sent."""
        return bool(self._per_recipient or self._per_room or self._room_window)

    def begin(self, sent: Iterable[Sent] = ()) -> None:
        """Begin anew, minding what was sent before, the oldest first: the platform has counted it."""
        if self._overall:
            self._overall.begin()
        now = self._clock.monotonic()
        for each in sent:
            if recipient := self._recipient(each.address, in_room=each.in_room):
                recipient.remember(now - each.seconds_ago)

    @asynccontextmanager
    async def turn(self, address: str, *, in_room: bool = False) -> AsyncIterator[None]:
        """Enter when a message to this address may be sent; leave when it was answered.

        The topics of a room share its rate.
        """
        if recipient := self._recipient(address, in_room=in_room):
            while (wait := recipient.wait(self._clock.monotonic())) > 0:
                await self._clock.sleep(max(wait, _SHORTEST_WAIT))
        async with self._counted(recipient):
            yield

    @asynccontextmanager
    async def place(self, address: str, *, in_room: bool = False) -> AsyncIterator[None]:
        """Enter when a message may be sent that no recipient's rate holds back, such as a bot's answer; leave
        when it was answered. What comes after it to this address is held back by it all the same.

        Raises `RateLimited`, at once, where the room's window is full.
        """
        recipient = self._recipient(address, in_room=in_room)
        if recipient and (wait := recipient.wait_of_window(self._clock.monotonic())) > 0:
            raise RateLimited(
                "The room has its messages.", retry_after=timedelta(seconds=wait), whole_channel=False
            )
        async with self._counted(recipient):
            yield

    @asynccontextmanager
    async def _counted(self, recipient: "_Recipient | None") -> AsyncIterator[None]:
        """Enter when the window for all has a place; what goes out until the end is the recipient's."""
        sending = recipient.begin(self._clock.monotonic()) if recipient else None
        try:
            if self._overall is None:
                yield
                return
            turn = _Turn(self._overall, await self._overall.take())
            token = _present.set(turn)
            try:
                yield
            finally:
                _present.reset(token)
                turn.end()
        finally:
            if recipient and sending:
                recipient.answered(sending, self._clock.monotonic())

    def _recipient(self, address: str, *, in_room: bool) -> "_Recipient | None":
        rate = self._per_room if in_room else self._per_recipient
        window = self._room_window if in_room else None
        if rate is None and window is None:
            return None
        if address not in self._recipients and len(self._recipients) >= _MOST_REMEMBERED:
            now = self._clock.monotonic()  # those whose turn is long past need no memory
            self._recipients = {known: each for known, each in self._recipients.items() if each.is_busy(now)}
        return self._recipients.setdefault(address, _Recipient(rate, window))


class _Sending:
    """A message to a recipient, and when its part in the recipient's window ends: not before its answer."""

    __slots__ = ("ends",)

    def __init__(self) -> None:
        self.ends = float("inf")


class _Recipient:
    """When one recipient may get the next message: at a rate, by the generic cell rate algorithm (ITU-T
    I.371), and within a window.

    Both count from the answers: a message that took long has reached the platform just before its answer.
    """

    __slots__ = ("_rate", "_sent", "_slot", "_window")

    def __init__(self, rate: Rate | None, window: Window | None) -> None:
        self._rate = rate
        self._window = window
        self._slot = float("-inf")  # the moment that the next message would have without a burst
        self._sent: list[_Sending] = []

    def is_busy(self, now: float) -> bool:
        """Return whether what was sent may still hold something back."""
        return self._slot > now or any(each.ends > now for each in self._sent)

    def wait(self, now: float) -> float:
        """Return the seconds until the next message may go out, of which nothing else must come first."""
        by_rate = self._slot - (self._rate.burst - 1) / self._rate.per_second - now if self._rate else 0.0
        return max(by_rate, self.wait_of_window(now))

    def wait_of_window(self, now: float) -> float:
        """Return the seconds until the window has room for another message, whatever the rate."""
        if self._window is None:
            return 0.0
        self._sent = [each for each in self._sent if each.ends > now]
        if len(self._sent) < self._window.most:
            return 0.0
        first = min(each.ends for each in self._sent)
        return _LOOKS_EVERY if first == float("inf") else first - now

    def begin(self, now: float) -> _Sending:
        """Count a message that goes out now."""
        if self._rate:
            self._slot = max(self._slot, now) + 1 / self._rate.per_second
        sending = _Sending()
        if self._window:
            self._sent.append(sending)
        return sending

    def remember(self, at: float) -> None:
        """Count a message that was answered then, by whomever it was sent.

        Its sender kept to the rate, so that it holds nothing back for longer than a burst does: also where it
        is counted twice, by who leads again, or where a clock that was set has much be of one moment.
        """
        before = self._slot
        self.answered(self.begin(at), at)
        if self._rate:
            burst = self._rate.burst / self._rate.per_second
            self._slot = max(before, min(self._slot, at + burst))

    def answered(self, sending: _Sending, now: float) -> None:
        """Count a message from now on, where it may have come only now."""
        if self._rate:
            self._slot = max(self._slot, now + 1 / self._rate.per_second)
        sending.ends = now + self._window.seconds if self._window else now


class _Place:
    """A message's place in a window, from its turn on."""

    __slots__ = ("began", "is_asked", "took")

    def __init__(self, began: float, took: float | None = None) -> None:
        self.began = began
        self.is_asked = False  # whether a request of it is known to be on its way since then
        self.took = took


class _Places:
    """As many places as a window has messages; each is free again when the window after its message is over.

    The platform counts from when a message arrives, between its turn and its answer, so the window is counted
    from the answer. The next message needs its time, too, at least as long as the quickest: that is taken
    off. So a window never sees too many, however long their ways are, and hardly any time is lost. The
    generic cell rate algorithm does not do here: its burst comes on top of the rate, and twice the limit
    within the first second.
    """

    def __init__(self, window: Window, clock: Clock) -> None:
        self._window = window
        self._clock = clock
        self._turnstile = asyncio.Lock()
        self._taken: list[_Place] = []
        self.begin()

    def begin(self) -> None:
        """Leave half of the window alone for a while."""
        now = self._clock.monotonic()
        self._wait(now)  # forgets what is over
        began = now + _START - self._window.seconds
        self._taken += [_Place(began, 0.0) for _ in range(self._window.most // 2 - len(self._taken))]

    async def take(self) -> _Place:
        """Return a place once there is one."""
        async with self._turnstile:
            while (wait := self._wait(self._clock.monotonic())) > 0:
                await self._clock.sleep(max(wait, _SHORTEST_WAIT))
            place = _Place(self._clock.monotonic())
            self._taken.append(place)
        return place

    async def ask(self, place: _Place) -> _Place:
        """Return the place of a request that goes out now: this one, if it was taken just now and for it."""
        now = self._clock.monotonic()
        if place.is_asked:  # the one before it has gone out, and had its answer
            self.answered(place)
        elif now - place.began <= _STALE:
            place.began, place.is_asked = now, True
            return place
        elif place in self._taken:
            self._taken.remove(place)
        # Before those who queue for a turn: it has had one, and may keep a connection from them
        while (wait := self._wait(self._clock.monotonic())) > 0:
            await self._clock.sleep(max(wait, _SHORTEST_WAIT))
        place = _Place(self._clock.monotonic())
        place.is_asked = True
        self._taken.append(place)
        return place

    def answered(self, place: _Place) -> None:
        """Count the window of a place's message from now on."""
        longest = _LONGEST_ANSWER if place.is_asked else _LONGEST_WAY
        place.took = min(self._clock.monotonic() - place.began, longest)

    def _wait(self, now: float) -> float:
        """Return the seconds until one place is free at the earliest."""
        quickest = min((each.took for each in self._taken if each.took is not None), default=0.0)

        def left(place: _Place) -> float:
            until = place.began + self._window.seconds
            if place.took is not None:
                until += place.took - quickest
            elif until <= now and not place.is_asked:
                until += _LONGEST_WAY
            elif until <= now < until + _LONGEST_ANSWER:
                until = now + _LOOKS_EVERY
            return until - now

        self._taken = [each for each in self._taken if left(each) > 0]
        if len(self._taken) < self._window.most:
            return 0.0
        return min(map(left, self._taken))


class _Turn:
    """A message's turn in a window."""

    def __init__(self, places: _Places, place: _Place) -> None:
        self._places = places
        self._place = place

    async def ask(self) -> None:
        """Return when a request may go out, at once where this turn is of this very moment."""
        self._place = await self._places.ask(self._place)

    def end(self) -> None:
        self._places.answered(self._place)


_present: ContextVar[_Turn | None] = ContextVar("turn", default=None)
"""The turn of the message that the present task sends."""


async def at_the_last_moment() -> None:
    """Wait again for a turn where that of the message which is just going out is long past.

    Channels call it for each request, as late as they can: otherwise all that was held up together would go
    out at once, whatever the platform's window.
    """
    if turn := _present.get():
        await turn.ask()
