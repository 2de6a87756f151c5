"""Routing: which of an account's destinations a category's events go to."""

from dataclasses import dataclass

from pingpilot.accounts.callers import Caller, Target


@dataclass(frozen=True, slots=True)
class Route:
    """Where a category's events go, by the destinations' names: to `names` (None: all that are switched on),
    or to the `fallback`. A destination that is the fallback is used as such alone.
    """

    names: tuple[str, ...] | None = None
    fallback: str | None = None

    def targets_for(self, caller: Caller) -> tuple[Target, ...]:
        """Return the destinations of a new event.

        The fallback is among them where one of the others is suspended, or none of them can be used.
        """
        first = tuple(each for each in caller.targets if self._takes(each.name))
        if first and not any(self._takes(each.name) for each in caller.suspended):
            return first
        return (*first, *(each for each in caller.targets if each.name == self.fallback))

    def _takes(self, name: str) -> bool:
        return name != self.fallback and (self.names is None or name in self.names)
