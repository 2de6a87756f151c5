"""How long what daemons agree upon holds: tests have a shorter measure."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """How leases and heartbeats are kept.

    It is over `lease` after the last renewal, by the database's clock; the leader trusts itself for `margin`
    less, by its own. Others look at it that often, and wait for `rest` after a leader that let go in order:
    as long as a platform's short window, so that its last second and their first are not one. Who stepped
    `aside` lets others go first for so long. A daemon that is not heard of for `dead_after` is dead: others
    take back what it was sending.
    """

    lease: timedelta = timedelta(seconds=6)
    margin: timedelta = timedelta(seconds=1)
    renewed_every: timedelta = timedelta(seconds=2)
    looked_at_every: timedelta = timedelta(seconds=1)
    rest: timedelta = timedelta(seconds=1)
    aside: timedelta = timedelta(seconds=30)
    beats_every: timedelta = timedelta(seconds=5)
    dead_after: timedelta = timedelta(seconds=15)

    @property
    def trust(self) -> float:
        """Seconds that a leader trusts itself, from before it asked for a renewal that was granted."""
        return (self.lease - self.margin).total_seconds()
