"""The roster: which daemons work on a database, who of them leads which bot, and since when.

It is for those who look after them; no daemon acts by it. Its times are the database's.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from models.database import connection, unit_of_work
from models.sql import is_postgres, query
from pingpilot.cluster.heartbeats import FORGOTTEN_AFTER
from pingpilot.cluster.times import Times

MOST_DAEMONS = 100
"""How many daemons are told of, those seen last."""

_DAEMONS = f"""
SELECT identity, version, started_at, seen_at,
    EXTRACT(EPOCH FROM clock_timestamp() - started_at)::float8 AS started_ago,
    EXTRACT(EPOCH FROM clock_timestamp() - seen_at)::float8 AS seen_ago
FROM daemons WHERE seen_at > clock_timestamp() - make_interval(secs => ?)
ORDER BY seen_at DESC LIMIT {MOST_DAEMONS}
"""  # noqa: S608
_LEADERS = """
SELECT token, holder, epoch, since, expires_at,
    EXTRACT(EPOCH FROM clock_timestamp() - expires_at)::float8 AS over_for
FROM leaders ORDER BY token
"""


@dataclass(frozen=True, slots=True)
class KnownDaemon:
    """A daemon as its heartbeats tell of it. It is alive unless it was not seen for too long."""

    identity: str
    version: str
    started_at: datetime
    seen_at: datetime
    seen_ago: timedelta
    is_alive: bool

    @property
    def place(self) -> str:
        """Its host and port, which daemons that come after it may have as well."""
        return place_of(self.identity)


@dataclass(frozen=True, slots=True)
class LedBot:
    """A bot, the identity of the daemon that leads it ("": nobody does) and since when.

    `since` is None for a bot that nobody has led yet. `epoch` grows with each leader.
    """

    bot: str
    leader: str
    since: datetime | None
    epoch: int
    unled_for: timedelta


@dataclass(frozen=True, slots=True)
class Roster:
    """The daemons, the living first, and the bots that one of them leads or should lead."""

    daemons: tuple[KnownDaemon, ...] = ()
    bots: tuple[LedBot, ...] = ()

    @property
    def living(self) -> tuple[KnownDaemon, ...]:
        return tuple(each for each in self.daemons if each.is_alive)

    def bots_of(self, identity: str) -> tuple[LedBot, ...]:
        """Return the bots that a daemon leads."""
        return tuple(each for each in self.bots if each.leader == identity)

    @property
    def unled(self) -> tuple[LedBot, ...]:
        return self.bots_of("")


def place_of(identity: str) -> str:
    """Return the host and port in a daemon's identity."""
    return identity.rpartition(":")[0] or identity


def start_of(identity: str) -> str:
    """Return what tells a daemon's start from all others, and nothing of its machine."""
    return identity.rpartition(":")[2]


@unit_of_work
async def read_roster(bots: Collection[str], times: Times | None = None) -> Roster:
    """Return the roster, with these bots whether they are led or not; on SQLite nobody is on it.

    A dead daemon is left out where another one runs in its place. Raises `DatabaseUnavailable`.
    """
    if not is_postgres(connection()):
        return Roster()
    dead_after = (times or Times()).dead_after
    living: list[KnownDaemon] = []
    dead: list[KnownDaemon] = []
    longest = timedelta()
    for row in await query(connection(), _DAEMONS, [FORGOTTEN_AFTER.total_seconds()]):
        started_ago, seen_ago = (
            timedelta(seconds=max(0.0, row[each])) for each in ("started_ago", "seen_ago")
        )
        is_alive = seen_ago < dead_after
        daemon = KnownDaemon(
            row["identity"], row["version"], row["started_at"], row["seen_at"], seen_ago, is_alive=is_alive
        )
        (living if is_alive else dead).append(daemon)
        longest = max(longest, started_ago if is_alive else timedelta())
    living.sort(key=lambda each: (each.place, each.started_at))
    taken = {each.place for each in living}
    gone = {each.place: each for each in reversed(dead) if each.place not in taken}
    leases = {row["token"]: row for row in await query(connection(), _LEADERS)}
    led = []
    for bot in sorted({*leases, *bots}):
        if bot not in leases:  # since the first daemon began
            led.append(LedBot(bot, leader="", since=None, epoch=0, unled_for=longest))
            continue
        row = leases[bot]
        if row["holder"] and row["over_for"] < 0:
            led.append(LedBot(bot, row["holder"], row["since"], row["epoch"], unled_for=timedelta()))
        elif bot in bots:  # and not one whose token was replaced
            over_for = timedelta(seconds=max(0.0, row["over_for"]))
            led.append(LedBot(bot, "", row["expires_at"], row["epoch"], unled_for=over_for))
    return Roster((*living, *reversed(gone.values())), tuple(led))
