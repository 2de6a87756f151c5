"""Routing: which of an account's channels a category's events go to."""

from dataclasses import dataclass

from pingpilot.accounts.callers import Caller


@dataclass(frozen=True, slots=True)
class Route:
    """Where a category's events go: to `channels` (None: all that are switched on), or to the `fallback`.

    A channel that is the fallback is used as such alone.
    """

    channels: tuple[str, ...] | None = None
    fallback: str | None = None

    def channels_for(self, caller: Caller) -> tuple[str, ...]:
        """Return the channels of a new event.

        The fallback is among them where one of the others is suspended, or none of them can be used.
        """
        first = tuple(name for name in caller.channels if self._takes(name))
        reserve = self.fallback if self.fallback in caller.channels else None
        is_needed = not first or any(self._takes(name) for name in caller.suspended)
        return (*first, reserve) if reserve and is_needed else first

    def _takes(self, name: str) -> bool:
        return name != self.fallback and (self.channels is None or name in self.channels)
