"""Who led which bot, from when on: read from the database again and again, by a connection of its own."""

import asyncio
import itertools
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

import asyncpg

from tests.cluster.faults.network import Place
from tests.cluster.faults.seen import Call

_EVERY = 0.2  # seconds; a lease lasts six
_ASKED = """
SELECT token, holder, epoch, expires_at > clock_timestamp() AS holds,
    extract(epoch FROM clock_timestamp() - since)::float8 AS age
FROM leaders
"""


@dataclass(frozen=True, slots=True)
class Term:
    """A time in which one daemon leads a bot: it ends where the next one begins, or before.

    It began between `earliest` and `latest`, by the machine's monotonic clock: the database told its age, and
    the answer was on its way.
    """

    bot: str
    epoch: int
    daemon: int
    earliest: float
    latest: float


class Leaders:
    """All terms so far."""

    def __init__(self, url: str, places: Iterable[Place]) -> None:
        self._url = url
        self._daemons = {str(each.port): each.number for each in places}
        self._terms: dict[tuple[str, int], Term] = {}
        self._present: dict[str, Term] = {}

    def leader(self, bot: str) -> Term | None:
        """Return the present term, None where nobody leads or nobody knows."""
        return self._present.get(bot)

    def terms(self, bot: str) -> list[Term]:
        """Return all terms of a bot, in order."""
        return sorted((each for each in self._terms.values() if each.bot == bot), key=_epoch_of)

    def unentitled(self, calls: Iterable[Call]) -> list[Call]:
        """Return the calls that came from a daemon other than the one that led then."""
        terms = {bot: self.terms(bot) for bot in {each.bot for each in self._terms.values()}}
        return [each for each in calls if not _is_entitled(each, terms.get(each.bot, []))]

    async def watch(self) -> None:
        """Read them until cancelled; the database may be away meanwhile."""
        while True:
            with suppress(
                Exception
            ):  # asyncpg has many for a connection that went, AttributeError among them
                await self._read()
            self._present.clear()
            await asyncio.sleep(_EVERY)

    async def _read(self) -> None:
        connection = await asyncpg.connect(self._url, timeout=2, command_timeout=2)
        try:
            while True:
                asked = time.monotonic()
                rows = await connection.fetch(_ASKED)
                told = time.monotonic()
                self._present = {}
                for row in rows:
                    if not row["holder"]:  # who led last has let go, and nobody has taken over yet
                        continue
                    bot = row["token"]
                    daemon = self._daemons[row["holder"].split(":")[1]]
                    earliest, latest = asked - row["age"], told - row["age"]
                    if known := self._terms.get((bot, row["epoch"])):
                        earliest, latest = max(known.earliest, earliest), min(known.latest, latest)
                    term = Term(bot, row["epoch"], daemon, earliest, latest)
                    self._terms[bot, row["epoch"]] = term
                    if row["holds"]:
                        self._present[bot] = term
                await asyncio.sleep(_EVERY)
        finally:
            connection.terminate()


def _epoch_of(term: Term) -> int:
    return term.epoch


def _is_entitled(call: Call, terms: list[Term]) -> bool:
    following = itertools.zip_longest(terms, terms[1:])
    return any(
        term.daemon == call.daemon and term.earliest <= call.at and (after is None or call.at <= after.latest)
        for term, after in following
    )
