"""Pacing: how fast a channel may send as a whole and to one recipient."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from pingpilot.channels import Rate, Window
from pingpilot.clock import Clock

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
    """A message that went to an address, by whichever daemon, so many seconds ago."""

    address: str
    in_room: bool
    seconds_ago: float


class Pacer:
    """Gives each message its turn: in a window for all, at a rate for each recipient, or each room.

    Turns are handed out in order of asking. None means no limit.
    """

    def __init__(
        self,
        *,
        overall: Window | None,
        per_recipient: Rate | None,
        per_room: Rate | None = None,
        clock: Clock,
    ) -> None:
        self._overall = _Places(overall, clock) if overall else None
        self._per_recipient = per_recipient
        self._per_room = per_room
        self._clock = clock
        self._next_by_recipient: dict[str, float] = {}

    @property
    def minds_recipients(self) -> bool:
        """Whether it matters to whom something was sent."""
        return bool(self._per_recipient or self._per_room)

    def begin(self, sent: Iterable[Sent] = ()) -> None:
        """Begin anew, minding what was sent before, the oldest first: the platform has counted it."""
        if self._overall:
            self._overall.begin()
        now = self._clock.monotonic()
        for each in sent:
            if rate := self._per_room if each.in_room else self._per_recipient:
                self._slot(each.address, rate, now - each.seconds_ago)

    @asynccontextmanager
    async def turn(self, address: str, *, in_room: bool = False) -> AsyncIterator[None]:
        """Enter when a message to this address may be sent; leave when it was answered.

        The topics of a room share its rate.
        """
        if rate := self._per_room if in_room else self._per_recipient:
            await self._wait_for_recipient(address, rate)
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

    async def _wait_for_recipient(self, address: str, rate: Rate) -> None:
        """Wait by the generic cell rate algorithm (ITU-T I.371): one number a recipient, no timer."""
        now = self._clock.monotonic()
        slot = self._slot(address, rate, now)
        if len(self._next_by_recipient) > _MOST_REMEMBERED:  # those whose turn is long past need no memory
            kept = {known: slot for known, slot in self._next_by_recipient.items() if slot > now}
            self._next_by_recipient = kept
        wait = slot - (rate.burst - 1) / rate.per_second - now
        if wait > 0:
            await self._clock.sleep(wait)

    def _slot(self, address: str, rate: Rate, at: float) -> float:
        """Return the moment that a message would have without a burst, and keep it for the next one."""
        slot = max(self._next_by_recipient.get(address, float("-inf")), at)
        self._next_by_recipient[address] = slot + 1 / rate.per_second
        return slot


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
        if place.is_asked:  # the one before it has gone out, and had its answer
            self.answered(place)
            place = await self.take()
        while self._clock.monotonic() - place.began > _STALE:
            if place in self._taken:
                self._taken.remove(place)
            place = await self.take()
        place.began, place.is_asked = self._clock.monotonic(), True
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
