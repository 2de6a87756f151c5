"""Heartbeats: each daemon of a database says that it lives, and takes back what dead ones were sending."""

import socket
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count

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
FORGOTTEN_AFTER = timedelta(days=1)
"""How long it is known of a daemon that was killed."""
_TAKEN_BACK = 3  # times: it may have had a transaction under way when it died
_FORGETS_EVERY = 720  # beats

_BEAT = """
INSERT INTO daemons (identity, host, version, started_at, seen_at)
VALUES (?, ?, ?, clock_timestamp(), clock_timestamp())
ON CONFLICT (identity) DO UPDATE SET seen_at = excluded.seen_at RETURNING seen_at
"""
_OTHERS = """
SELECT identity, seen_at, seen_at > clock_timestamp() - make_interval(secs => ?) AS is_fresh
FROM daemons WHERE identity <> ?
"""
_FORGET = """
DELETE FROM daemons WHERE seen_at < clock_timestamp() - make_interval(secs => ?) OR identity = ANY(?)
"""
# Not where something is left of it, which the others take back once they hear of it no longer
_LEAVE = f"""
DELETE FROM daemons WHERE identity = ? AND NOT EXISTS (
    SELECT 1 FROM deliveries WHERE status = 'sending' AND split_part(leased_by, '{TERM}', 1) = identity
)
"""  # noqa: S608

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Other:
    """What is known of another daemon: its last heartbeat, for how long there was no other one, and how often
    deliveries were taken back from it since.
    """

    seen_at: datetime
    is_heard_of: bool
    silent_for: float = 0.0
    taken_back: int = 0


class Heartbeats(Always):
    """One daemon's heartbeat, and what it knows of the others.

    Another one is dead when its row has not changed for so long by our own monotonic time: whichever
    clock is wrong or set, nobody who writes in time is taken for dead. Whoever can't write stops in time to
    rely on what it had leased; once it can again it does so in a new term. `take_back` is called with the
    identities of the dead.
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
        self._others: dict[str, _Other] = {}
        self._looked_at = float("-inf")
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
        began = self._clock.monotonic()
        values = [self.identity, socket.gethostname()[:255], pingpilot.__version__]
        [row] = await query(leases(), _BEAT, values)
        if isinstance(self._clock, AgreedClock):
            self._clock.compare(as_datetime(row["seen_at"]), began, self._clock.monotonic())
        if not self.may_act():
            self._term += 1
        self._trusted_until = began + self._dead_after * (1 - _MARGIN)
        now = self._clock.monotonic()
        # What passed while the database was away is nobody's silence: nobody could write
        passed, self._looked_at = min(now - self._looked_at, self._beats_every * 1.5), now
        others: dict[str, _Other] = {}
        for row in await query(leases(), _OTHERS, [self._dead_after, self.identity]):
            other = self._others.get(row["identity"]) or _Other(row["seen_at"], is_heard_of=row["is_fresh"])
            if other.seen_at != row["seen_at"]:
                other = _Other(row["seen_at"], is_heard_of=True)
            elif row["identity"] in self._others:
                other.silent_for += passed
            others[row["identity"]] = other
        self._others = others
        heard_of = {name: each for name, each in others.items() if each.is_heard_of}
        living = [name for name, each in heard_of.items() if each.silent_for < self._dead_after]
        self._living = frozenset([self.identity, *living])
        dead = {name: each for name, each in others.items() if each.silent_for >= self._dead_after}
        dead = {name: each for name, each in dead.items() if each.taken_back < _TAKEN_BACK}
        if dead and (taken := await self._take_back(list(dead))):
            log.info("Deliveries taken back from daemons that died", count=taken, daemons=len(dead))
        for each in dead.values():
            each.taken_back += 1

    async def beat_for_ever(self) -> None:
        """Beat until cancelled, whatever the database does."""
        for number in count(1):
            await self._clock.sleep(self._beats_every)
            try:
                await self.beat()
                if number % _FORGETS_EVERY == 0:
                    await self.forget()
            except (DatabaseUnavailable, IntegrityConflict) as exc:
                self._database.failed(exc, "The heartbeat could not be written")

    @unit_of_work
    async def leave(self) -> None:
        """Say goodbye: this daemon has stopped in order. Raises `DatabaseUnavailable`."""
        await query(leases(), _LEAVE, [self.identity])

    @unit_of_work
    async def forget(self, dead: Sequence[str] = ()) -> None:
        """Remove who died long ago, and the `dead`, who certainly are. Raises `DatabaseUnavailable`."""
        await query(leases(), _FORGET, [FORGOTTEN_AFTER.total_seconds(), list(dead)])
