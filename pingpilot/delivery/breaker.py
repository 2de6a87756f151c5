"""The circuit breaker: while a platform is away, one probe now and then instead of every delivery."""

from datetime import timedelta

from pingpilot.clock import Clock

TRIPS_AFTER = 5
"""Temporary failures in a row, of at least two recipients, after which a channel counts as away."""
FIRST_PROBE, LONGEST_WAIT = timedelta(seconds=5), timedelta(minutes=1)
"""The wait before the first probe, doubled after each that fails, up to the longest."""


class Breaker:
    """Counts how a channel's sends end, and says how many may be under way.

    Closed, it lets all through. Tripped, it lets one probe through at a time, and closes at the first
    send that the platform answers. A recipient that fails alone never trips it: its own back-off does.
    """

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._failures = 0
        self._recipients: set[str] = set()
        self._wait = FIRST_PROBE
        self._next_probe = 0.0

    @property
    def is_open(self) -> bool:
        """Whether the channel counts as away."""
        return self._failures >= TRIPS_AFTER and len(self._recipients) > 1

    def allowed(self, free_slots: int, *, under_way: int) -> int:
        """Return how many more sends may begin now."""
        if not self.is_open:
            return free_slots
        return 0 if under_way or self._clock.monotonic() < self._next_probe else 1

    def blocks(self) -> bool:
        """Whether a send that was claimed before may not begin after all."""
        return self.is_open and self._clock.monotonic() < self._next_probe

    def failed(self, address: str) -> None:
        """Note a send the platform did not answer, or answered with trouble of its own."""
        was_open, now = self.is_open, self._clock.monotonic()
        self._failures += 1
        self._recipients.add(address)
        if was_open and now < self._next_probe:
            return  # began before it tripped
        if self.is_open:
            self._wait = min(self._wait * 2, LONGEST_WAIT) if was_open else FIRST_PROBE
            self._next_probe = now + self._wait.total_seconds()

    def answered(self) -> None:
        """Note a send the platform took, refused or put off for its recipient alone: it is there."""
        self._failures = 0
        self._recipients.clear()
