"""Heartbeats: each daemon of a database says that it lives, and takes back what dead ones were sending."""

import socket
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import UTC, datetime, timedelta

import structlog

import pingpilot
from models.backends.errors import IntegrityConflict
from models.database import leases, unit_of_work
from models.sql import as_datetime, query
from pingpilot.clock import AgreedClock, Clock
from pingpilot.cluster.mandate import TERM, Always
from pingpilot.cluster.times import Times
from pingpilot.errors import DatabaseUnavailable
from pingpilot.storage.watch import DatabaseWatch

_MARGIN = 0.13  # of the time to death: by so much a daemon stops earlier to take what it leased for its own
_FORGOTTEN_AFTER = timedelta(days=1)

_BEAT = """
INSERT INTO daemons (identity, host, version, started_at, seen_at)
VALUES (?, ?, ?, clock_timestamp(), clock_timestamp())
ON CONFLICT (identity) DO UPDATE SET seen_at = excluded.seen_at RETURNING seen_at
"""
_ALL = """
SELECT identity, seen_at, seen_at > clock_timestamp() - make_interval(secs => ?) AS is_fresh FROM daemons
"""
_FORGET = "DELETE FROM daemons WHERE seen_at < clock_timestamp() - make_interval(secs => ?)"
# Not where something is left of it, which the others take back once they hear of it no longer
_LEAVE = f"""
DELETE FROM daemons WHERE identity = ? AND NOT EXISTS (
    SELECT 1 FROM deliveries WHERE status = 'sending' AND split_part(leased_by, '{TERM}', 1) = identity
)
"""  # noqa: S608

log = structlog.get_logger(__name__)


class Heartbeats(Always):
    """One daemon's heartbeat, and what it knows of the others.

    Another one is dead when its row has not changed for so long by our own monotonic time: whichever
    clock is wrong or set, nobody who writes in time is taken for dead. Whoever can't write stops in time to
    rely on what it had leased; once it can again it does so in a new term. `take_back` is called with the
    identities of the dead, at each beat: they may have had a transaction under way when they died.
    """

    def __init__(
        self,
        identity: str,
        *,
        take_back: Callable[[Sequence[str]], Awaitable[int]],
        database: DatabaseWatch,
        clock: Clock,
        times: Times | None = None,
    ) -> None:
        self.identity = identity
        self._take_back = take_back
        self._database = database
        self._clock = clock
        times = times or Times()
        self._beats_every = times.beats_every.total_seconds()
        self._dead_after = times.dead_after.total_seconds()
        self._term = 0
        self._trusted_until = float("-inf")
        self._seen: dict[str, tuple[datetime, float]] = {}
        self._living: frozenset[str] = frozenset([identity])

    @property
    def name(self) -> str:
        return f"{self.identity}{TERM}{self._term}"

    @property
    def living(self) -> Collection[str]:
        return self._living

    def may_act(self) -> bool:
        return self._clock.monotonic() < self._trusted_until

    def share(self, most: int) -> int:
        """Return this daemon's part of what all living ones have together, one at least."""
        return max(1, most // len(self._living))

    @unit_of_work
    async def beat(self) -> None:
        """Write that this daemon lives, and look at the others. Raises `DatabaseUnavailable`."""
        began, wall = self._clock.monotonic(), datetime.now(UTC)
        values = [self.identity, socket.gethostname()[:255], pingpilot.__version__]
        [row] = await query(leases(), _BEAT, values)
        if isinstance(self._clock, AgreedClock):
            self._clock.compare(as_datetime(row["seen_at"]), wall, datetime.now(UTC))
        if not self.may_act():
            self._term += 1
        self._trusted_until = began + self._dead_after * (1 - _MARGIN)
        rows = await query(leases(), _ALL, [self._dead_after])
        now = self._clock.monotonic()
        known = self._seen
        self._seen = {}
        living, dead = {self.identity}, []
        for row in rows:
            identity, seen_at = row["identity"], row["seen_at"]
            before = known.get(identity)
            since = before[1] if before and before[0] == seen_at else now
            self._seen[identity] = seen_at, since
            if identity == self.identity:
                continue
            if now - since >= self._dead_after:
                dead.append(identity)
            elif row["is_fresh"] or (before and before[0] != seen_at):
                living.add(identity)
        self._living = frozenset(living)
        if dead and (count := await self._take_back(dead)):
            log.info("Deliveries taken back from daemons that died", count=count, daemons=len(dead))

    async def beat_for_ever(self) -> None:
        """Beat until cancelled, whatever the database does."""
        while True:
            await self._clock.sleep(self._beats_every)
            try:
                await self.beat()
            except (DatabaseUnavailable, IntegrityConflict) as exc:
                self._database.failed(exc, "The heartbeat could not be written")

    @unit_of_work
    async def leave(self) -> None:
        """Say goodbye: this daemon has stopped in order. Raises `DatabaseUnavailable`."""
        await query(leases(), _LEAVE, [self.identity])

    @unit_of_work
    async def forget(self) -> None:
        """Remove who died long ago. Raises `DatabaseUnavailable`."""
        await query(leases(), _FORGET, [_FORGOTTEN_AFTER.total_seconds()])
