"""How a daemon belongs to those of its database: alone on SQLite, as one of many on PostgreSQL."""

from collections.abc import Awaitable, Callable, Sequence

from models.database import connection
from models.sql import is_postgres
from models.work import Work
from pingpilot.clock import Clock
from pingpilot.cluster.heartbeats import Heartbeats
from pingpilot.cluster.leading import Leadership
from pingpilot.cluster.mandate import Always, Mandate
from pingpilot.cluster.times import Times
from pingpilot.errors import DatabaseUnavailable
from pingpilot.storage.watch import DatabaseWatch


class Membership:
    """A daemon among those of the open database, where nobody else asks whether it is alone.

    `dead` are the identities of daemons that certainly are, `take_back` is called with those that others
    stopped hearing of.
    """

    def __init__(
        self,
        identity: str,
        *,
        dead: Sequence[str],
        take_back: Callable[[Sequence[str]], Awaitable[int]],
        database: DatabaseWatch,
        clock: Clock,
        times: Times | None = None,
    ) -> None:
        self._identity = identity
        self._dead = dead
        self._database = database
        self._clock = clock
        self._times = times
        self._alone = Always(identity)
        self.leaderships: list[Leadership] = []
        self.heartbeats: Heartbeats | None = None
        if is_postgres(connection()):
            self.heartbeats = Heartbeats(
                identity, take_back=take_back, database=database, clock=clock, times=times
            )

    def mandate(
        self,
        bot: str | None,
        *,
        take_over: Callable[[], Work[int]],
        on_change: Callable[[bool], None],
    ) -> Mandate:
        """Return the right to send through one channel: with a bot, one daemon at a time has it."""
        if self.heartbeats is None:
            return self._alone
        if bot is None:
            return self.heartbeats
        leadership = Leadership(
            bot,
            identity=self._identity,
            dead=self._dead,
            take_over=take_over,
            on_change=on_change,
            database=self._database,
            clock=self._clock,
            times=self._times,
        )
        self.leaderships.append(leadership)
        return leadership

    def share(self, most: int) -> int:
        """Return this daemon's part of so many connections, one at least."""
        return self.heartbeats.share(most) if self.heartbeats else most

    @property
    def has_others(self) -> bool:
        """Whether another daemon is known to live."""
        return self.heartbeats is not None and len(self.heartbeats.living) > 1

    async def join(self) -> None:
        """Be one of them from now on. Raises `DatabaseUnavailable`."""
        if self.heartbeats:
            await self.heartbeats.forget()
            await self.heartbeats.beat()

    async def run(self) -> None:
        """Tell the others all the time that this daemon lives."""
        if self.heartbeats:
            await self.heartbeats.beat_for_ever()

    async def leave(self) -> None:
        """Tell them that it does so no longer, once it sends nothing more."""
        if self.heartbeats:
            try:
                await self.heartbeats.leave()
            except DatabaseUnavailable:
                return  # they notice
