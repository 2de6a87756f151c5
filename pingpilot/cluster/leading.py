"""Leading a bot: one daemon at a time sends by its token and listens to its people.

A platform counts what comes by a token, and lets one program at a time listen: so the daemons of a database
agree on one, by a row that it renews (a lease, as in Gray and Cheriton, "Leases", 1989). A lock of the
database's would not do: it outlives whom it guards behind a pooler or a dead network.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

import structlog

from models.backends.errors import IntegrityConflict
from models.database import in_one_go, leases, unit_of_work
from models.sql import query
from models.work import Ask, Work
from pingpilot.clock import Clock
from pingpilot.cluster.mandate import TERM, Tasks, first_failure
from pingpilot.cluster.times import Times
from pingpilot.errors import DatabaseUnavailable
from pingpilot.loops import CANCELLED_AGAIN_AFTER, end
from pingpilot.storage.watch import DatabaseWatch

_LOOK = """
SELECT holder, epoch, expires_at, EXTRACT(EPOCH FROM expires_at - clock_timestamp())::float8 AS seconds_left
FROM leaders WHERE token = ?
"""
_BE_FIRST = """
INSERT INTO leaders (token, holder, epoch, since, expires_at)
VALUES (?, ?, 1, clock_timestamp(), clock_timestamp() + make_interval(secs => ?))
ON CONFLICT (token) DO NOTHING RETURNING epoch
"""
# Nothing if it was renewed, or taken by somebody else, since it was looked at
_TAKE = """
UPDATE leaders SET holder = ?, epoch = epoch + 1, since = clock_timestamp(),
    expires_at = clock_timestamp() + make_interval(secs => ?)
WHERE token = ? AND epoch = ? AND expires_at = ? RETURNING epoch
"""
_RENEW = """
UPDATE leaders SET expires_at = clock_timestamp() + make_interval(secs => ?)
WHERE token = ? AND holder = ? AND epoch = ? RETURNING epoch
"""
_LET_GO = """
UPDATE leaders SET holder = '', expires_at = clock_timestamp() + make_interval(secs => ?)
WHERE token = ? AND holder = ? AND epoch = COALESCE(?, epoch) RETURNING epoch
"""
_LAST_ANSWERS = 1.0  # seconds that the platform may take to answer what was sent before a term was over
_NO_GOODBYE = 0.3  # seconds
_TRY_AGAIN = 0.2  # seconds between renewals that get no answer

T = TypeVar("T")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Lease:
    """A bot's row as it was read."""

    holder: str
    epoch: int
    expires_at: datetime
    seconds_left: float


class StepAside(Exception):
    """Raised by what is served: another daemon may do better. The text says why."""


class _Lost(Exception):
    """The term is over: a renewal was refused, or the daemon can no longer be sure of its lease."""


class Leadership:
    """One daemon's part in leading one bot.

    It may act while its own monotonic clock is within the time that its last renewal gave it: that time is
    counted from before the renewal was sent, so a process that was stopped, or cut off from the database,
    knows by itself that it is over. Others take a lease that has run out by the database's clock, and that
    did not change for as long by their own: a clock that is set, whichever it is, makes no second leader.
    The leases of `dead` daemons, which certainly are, are taken at once.

    `take_over` is what happens to the queue in the transaction that takes the lease. `on_change` is told
    whether this daemon leads.
    """

    is_exclusive = True

    def __init__(
        self,
        token: str,
        *,
        identity: str,
        take_over: Callable[[], Work[int]],
        database: DatabaseWatch,
        clock: Clock,
        dead: Sequence[str] = (),
        times: Times | None = None,
        on_change: Callable[[bool], None] = lambda _leads: None,
    ) -> None:
        self.token = token
        self._identity = identity
        self._take_over = take_over
        self._database = database
        self._clock = clock
        self._dead = frozenset([identity, *dead])
        self._times = times or Times()
        self._on_change = on_change
        self._epoch = 0
        self._trusted_until = float("-inf")
        self._aside_until = float("-inf")
        self._steps_aside = False
        self._news = asyncio.Event()

    @property
    def name(self) -> str:
        return f"{self._identity}{TERM}{self._epoch}"

    @property
    def living(self) -> Collection[str]:
        return ()

    def may_act(self) -> bool:
        return self._holds() and not self._steps_aside

    def _holds(self) -> bool:
        """Return whether the lease is this daemon's for certain."""
        return self._clock.monotonic() < self._trusted_until

    def look_now(self) -> None:
        """Look at the lease at once: somebody may have let go of it."""
        self._news.set()

    async def run(self, start: Callable[[], Tasks], finish: Callable[[float], Awaitable[None]]) -> None:
        """Lead whenever nobody else does, until cancelled; then let go of the lease in order."""
        while True:
            try:
                await self._acquire()
            except asyncio.CancelledError:
                await self._let_go(0.0, of=None)  # a transaction that was under way may have taken it
                raise
            log.info("This daemon leads", bot=self.token, epoch=self._epoch)
            self._on_change(True)
            renewing = asyncio.create_task(self._renew(), name=f"renew {self.token}")
            tasks = start()
            try:
                await first_failure([*tasks, renewing])
            except _Lost as exc:
                log.warning("This daemon leads no longer", bot=self.token, epoch=self._epoch, reason=str(exc))
            except StepAside as exc:
                self._steps_aside = True
                self._aside_until = self._clock.monotonic() + self._times.aside.total_seconds()
                log.warning("This daemon steps aside", bot=self.token, epoch=self._epoch, reason=str(exc))
            finally:
                await _surely(self._end_term(tasks, finish, renewing))

    async def _end_term(
        self, tasks: Tasks, finish: Callable[[float], Awaitable[None]], renewing: asyncio.Task[None]
    ) -> None:
        """End what was served. In order, that is done by the lease, which is renewed meanwhile.

        Who steps aside asks for nothing more, and does not wait for goodbyes that nobody answers.
        """
        steps_aside = self._steps_aside
        await end(tasks, again_after=_NO_GOODBYE if steps_aside else CANCELLED_AGAIN_AFTER)
        await finish(0.0 if steps_aside else _LAST_ANSWERS)
        await end([renewing])
        is_ours = self._holds()
        self._trusted_until, self._steps_aside = float("-inf"), False
        self._on_change(False)
        if is_ours:  # who steps aside has had no answer for longer than a platform's window is
            rest = 0.0 if steps_aside else self._times.rest.total_seconds()
            await self._let_go(rest, of=self._epoch)

    async def _acquire(self) -> None:
        """Return once this daemon leads."""
        seen: _Lease | None = None
        since, is_told = 0.0, False
        while True:
            self._news.clear()
            wait = self._times.looked_at_every.total_seconds() * random.uniform(0.8, 1.2)  # noqa: S311  # spreads load
            try:
                lease = await self._look()
                now = self._clock.monotonic()
                if lease and (
                    seen is None or (seen.epoch, seen.expires_at) != (lease.epoch, lease.expires_at)
                ):
                    seen, since = lease, now
                if lease is None or self._is_free(lease, now - since):
                    asked = self._clock.monotonic()
                    epoch = await _surely(in_one_go(self._taking(lease)))
                    if epoch and self._clock.monotonic() < asked + self._times.trust:
                        self._epoch, self._trusted_until = epoch, asked + self._times.trust
                        return
                elif not is_told:
                    is_told = True
                    self._on_change(False)
                if lease:
                    soonest = max(lease.seconds_left, since + self._times.trust - now)
                    wait = min(wait, soonest) if soonest > 0 else wait
            except (DatabaseUnavailable, IntegrityConflict) as exc:
                self._database.failed(exc, "Who leads a bot can't be read", bot=self.token)
            waiting = {
                asyncio.ensure_future(self._clock.sleep(wait)),
                asyncio.ensure_future(self._news.wait()),
            }
            try:
                await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for each in waiting:
                    each.cancel()

    def _is_free(self, lease: _Lease, unchanged_for: float) -> bool:
        """Return whether nobody can be acting by this lease, which did not change for so many seconds."""
        if self._clock.monotonic() < self._aside_until and unchanged_for < self._times.trust:
            return False  # others look every second, and have their turn first
        if lease.holder in self._dead:
            return True
        is_over = lease.seconds_left <= 0
        # Or the database's clock was ahead when it was written, and has been set right
        if not lease.holder:
            return is_over or unchanged_for >= self._times.rest.total_seconds()
        long_enough = 2 * self._times.lease.total_seconds()
        return (is_over and unchanged_for >= self._times.trust) or unchanged_for >= long_enough

    @unit_of_work
    async def _look(self) -> _Lease | None:
        rows = await query(leases(), _LOOK, [self.token])
        return _Lease(**rows[0]) if rows else None

    def _taking(self, lease: _Lease | None) -> Work[int | None]:
        seconds = self._times.lease.total_seconds()
        if lease is None:
            rows = yield Ask(_BE_FIRST, [self.token, self._identity, seconds])
        else:
            rows = yield Ask(_TAKE, [self._identity, seconds, self.token, lease.epoch, lease.expires_at])
        if not rows:
            return None
        yield from self._take_over()
        return int(rows[0]["epoch"])

    async def _renew(self) -> None:
        """Renew the lease. Raises `_Lost` once that was refused, or the time is over without an answer."""
        values = [self._times.lease.total_seconds(), self.token, self._identity, self._epoch]
        pause = self._times.renewed_every.total_seconds()
        while True:
            await self._clock.sleep(min(pause, max(0.0, self._trusted_until - self._clock.monotonic())))
            asked = self._clock.monotonic()
            if asked >= self._trusted_until:
                raise _Lost("It could not be renewed in time.")
            try:
                async with asyncio.timeout(self._trusted_until - asked):
                    is_renewed = await self._write(_RENEW, values)
            except TimeoutError:
                continue
            except DatabaseUnavailable as exc:
                self._database.failed(exc, "A lease can't be renewed", bot=self.token)
                pause = _TRY_AGAIN
                continue
            if not is_renewed:
                self._trusted_until = float("-inf")
                raise _Lost("Another daemon has taken it.")
            if self._holds():  # and was not stopped while it waited for the answer
                self._trusted_until = asked + self._times.trust
            pause = self._times.renewed_every.total_seconds()

    @unit_of_work
    async def _write(self, sql: str, values: Sequence[object]) -> bool:
        return bool(await query(leases(), sql, values))

    async def _let_go(self, rest: float, *, of: int | None) -> None:
        """Give the lease `of` an epoch back, if it is ours, to whoever comes next, after so many seconds.

        A network may bring that late, when this daemon leads again, which has to go on then.
        """
        try:
            await self._write(_LET_GO, [rest, self.token, self._identity, of])
        except DatabaseUnavailable:
            log.info("The lease was not given back, and runs out", bot=self.token)


async def _surely(work: Awaitable[T]) -> T:
    """Do work to its end, also where the caller is cancelled meanwhile, which is raised then."""
    doing = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not doing.done():
        try:
            await asyncio.shield(doing)
        except asyncio.CancelledError as exc:
            cancelled = exc
    if cancelled:
        if not doing.cancelled():
            doing.exception()  # nobody's any more
        raise cancelled
    return doing.result()
