"""Pacing: how fast a channel may send as a whole and to one recipient."""

from pingpilot.channels import Rate
from pingpilot.clock import Clock

_MOST_REMEMBERED = 10_000  # recipients


class Pacer:
    """Gives each message its turn under a rate for all and a rate for each recipient, or each room.

    Turns are handed out in order of asking (the generic cell rate algorithm, ITU-T I.371: one number
    a rate, no timer). None means no limit.
    """

    def __init__(
        self,
        *,
        overall: Rate | None,
        per_recipient: Rate | None,
        per_room: Rate | None = None,
        clock: Clock,
    ) -> None:
        self._overall = overall
        self._per_recipient = per_recipient
        self._per_room = per_room
        self._clock = clock
        self._next_overall = 0.0
        self._next_by_recipient: dict[str, float] = {}

    async def turn(self, address: str, *, in_room: bool = False) -> None:
        """Return when a message to this address may be sent. The topics of a room share its rate."""
        if rate := self._per_room if in_room else self._per_recipient:
            slot = self._next_by_recipient.get(address, 0.0)
            wait, self._next_by_recipient[address] = self._take(rate, slot)
            if (
                len(self._next_by_recipient) > _MOST_REMEMBERED
            ):  # those whose turn is long past need no memory
                now = self._clock.monotonic()
                kept = {known: slot for known, slot in self._next_by_recipient.items() if slot > now}
                self._next_by_recipient = kept
            await self._wait(wait)
        if self._overall:
            wait, self._next_overall = self._take(self._overall, self._next_overall)
            await self._wait(wait)

    async def _wait(self, seconds: float) -> None:
        if seconds > 0:
            await self._clock.sleep(seconds)

    def _take(self, rate: Rate, slot: float) -> tuple[float, float]:
        """Return the wait for this message, and the slot of the next."""
        now = self._clock.monotonic()
        slot = max(slot, now)
        allowance = (rate.burst - 1) / rate.per_second
        return slot - allowance - now, slot + 1 / rate.per_second
