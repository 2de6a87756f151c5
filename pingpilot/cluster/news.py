"""News: what the daemons on one PostgreSQL tell each other, lest they wait for their next look at it.

They only say that another look is worth it, never what is found there. The database stays the truth, and
who hears nothing looks by itself within two seconds. A notification is made after the commit that it tells
of, on a connection of its own: within the intake's transaction it would hold a lock over the whole database
until that is on the disk, and one commit at a time would be left.
"""

import asyncio
import random
from contextlib import suppress
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Protocol
from uuid import UUID

import msgspec
import structlog

from pingpilot.database_url import sqlite_path
from pingpilot.errors import DatabaseUnavailable

if TYPE_CHECKING:
    from models.backends.listening import Listening

CHANNEL = "pingpilot_news"
"""What all daemons of a database listen to; anybody who may connect to it can speak there."""
APART = 0.05
"""Seconds between two bulletins at least, of those that go out and of those that are passed on."""
CHECKED_EVERY = 5.0
"""Seconds between questions whether the connection still listens."""
PATIENCE = 4.0
"""Seconds that the server may take for an answer."""
FIRST_BACKOFF, LONGEST_BACKOFF = 0.2, 5.0
"""Seconds between tries to connect: doubling from the first to the longest, with jitter."""
_STEADY = 60.0  # seconds a connection must have held for the back-off to start anew

MOST_ACCOUNTS, MOST_EVENTS = 170, 120
"""How many of each a bulletin names, its text being less than 8,000 bytes; the others are in the next."""
MOST_KEPT = 5000
"""How many of each wait for a bulletin. Of more accounts, all are told; of more events, whoever waits for one
finds out by looking."""

log = structlog.get_logger(__name__)


_Name = Annotated[str, msgspec.Meta(max_length=64)]
_Names = Annotated[frozenset[_Name], msgspec.Meta(max_length=64)]


class Bulletin(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What changed in the database: `channels` with something to do, those for which something is `incoming`
    that their platform posted, `accounts` whose pages are out of date, `events` of whose deliveries something
    became.

    Its form is the wire's: JSON, of which members that a later version adds are passed over.
    """

    channels: _Names = frozenset()
    incoming: _Names = frozenset()
    accounts: frozenset[Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]] = frozenset()
    every_account: bool = False
    events: frozenset[UUID] = frozenset()


_DECODER = msgspec.json.Decoder(Bulletin)
_ENCODER = msgspec.json.Encoder(uuid_format="hex")


class Hearer(Protocol):
    """Acts on news."""

    def hear(self, bulletin: Bulletin) -> None:
        """Look again at what another daemon's bulletin names. It is untrusted: it may name anything."""

    def catch_up(self) -> None:
        """Look at everything: something may have been missed."""


class News(Protocol):
    """Tells other daemons what changed, and hears what they tell."""

    def tell(self, bulletin: Bulletin) -> None:
        """Tell of what is committed; returns at once."""

    async def run(self, hearer: Hearer) -> None:
        """Pass on what others tell, for ever, whatever becomes of the connection."""

    async def told(self, within: float) -> None:
        """Return when everything has gone out, or after so many seconds."""


class Silence:
    """The news where there is one daemon: nobody to tell, nothing to hear."""

    def tell(self, bulletin: Bulletin) -> None:
        """Tell nobody."""

    async def run(self, hearer: Hearer) -> None:
        """Return at once."""

    async def told(self, within: float) -> None:
        """Return at once."""


class _Pile:
    """What waits for a bulletin, each once."""

    def __init__(self) -> None:
        self.channels = set[str]()
        self.incoming = set[str]()
        self.accounts = set[int]()
        self.events = set[UUID]()
        self.every_account = False

    def __bool__(self) -> bool:
        named = self.channels or self.incoming or self.accounts or self.events
        return bool(named or self.every_account)

    def add(self, bulletin: Bulletin) -> None:
        self.channels |= bulletin.channels
        self.incoming |= bulletin.incoming
        if not self.every_account:
            self.accounts |= bulletin.accounts
        if bulletin.every_account or len(self.accounts) > MOST_KEPT:
            self.every_account = True
            self.accounts.clear()
        self.events.update(islice(bulletin.events, max(0, MOST_KEPT - len(self.events))))

    def take(self, *, accounts: int = MOST_KEPT, events: int = MOST_KEPT) -> Bulletin:
        """Remove what goes into a bulletin of up to so many; return that."""
        taken = Bulletin(
            channels=frozenset(self.channels),
            incoming=frozenset(self.incoming),
            accounts=frozenset(islice(self.accounts, accounts)),
            every_account=self.every_account,
            events=frozenset(islice(self.events, events)),
        )
        self.channels.clear()
        self.incoming.clear()
        self.accounts -= taken.accounts
        self.events -= taken.events
        self.every_account = False
        return taken


class PostgresNews:
    """News over one connection, which listens and tells; it is opened anew when it breaks.

    `url` leads to the server itself, past any pooler. The times are in seconds.
    """

    def __init__(
        self,
        url: str,
        *,
        apart: float = APART,
        checked_every: float = CHECKED_EVERY,
        patience: float = PATIENCE,
        first_backoff: float = FIRST_BACKOFF,
    ) -> None:
        self._url = url
        self._apart = apart
        self._checked_every = checked_every
        self._patience = patience
        self._first_backoff = first_backoff
        self._to_tell, self._heard = _Pile(), _Pile()
        self._stirred = asyncio.Event()
        self._all_told = asyncio.Event()
        self._all_told.set()
        self._passed_on_at = 0.0
        self._passing_on: asyncio.TimerHandle | None = None

    def tell(self, bulletin: Bulletin) -> None:
        """Tell of what is committed with the next bulletin; returns at once."""
        self._to_tell.add(bulletin)
        if self._to_tell:
            self._all_told.clear()
            self._stirred.set()

    async def told(self, within: float) -> None:
        """Return when everything has gone out, or after so many seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self._all_told.wait()

    async def run(self, hearer: Hearer) -> None:
        """Pass on what others tell, for ever, whatever becomes of the connection."""
        # Here, since it brings the driver along, which a daemon on SQLite does without
        from models.backends.listening import listening  # noqa: PLC0415

        loop = asyncio.get_running_loop()
        wait, is_cut_off = self._first_backoff, False
        take = partial(self._take, hearer)
        while True:
            began = loop.time()
            try:
                async with listening(
                    self._url, CHANNEL, on_payload=take, on_end=self._stirred.set, patience=self._patience
                ) as session:
                    if is_cut_off:
                        log.info("News of other daemons comes in again")
                    is_cut_off = False
                    hearer.catch_up()
                    await self._converse(session)
            except DatabaseUnavailable as exc:
                if not is_cut_off:
                    log.warning(
                        "News of other daemons is cut off: what they do is seen later", reason=str(exc)
                    )
                is_cut_off = True
            wait = self._first_backoff if loop.time() - began > _STEADY else min(wait * 2, LONGEST_BACKOFF)
            await asyncio.sleep(wait * random.uniform(0.5, 1))  # noqa: S311  # spreads load, guards nothing

    async def _converse(self, session: "Listening") -> None:
        """Tell what there is to tell, and make sure that the connection listens, until it breaks."""
        loop = asyncio.get_running_loop()
        next_check, told_at = loop.time() + self._checked_every, 0.0
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(next_check):
                    await self._stirred.wait()
            self._stirred.clear()
            if session.has_ended or loop.time() >= next_check:
                await session.check()
                next_check = loop.time() + self._checked_every
            if self._to_tell:
                await asyncio.sleep(told_at + self._apart - loop.time())
                bulletin = self._to_tell.take(accounts=MOST_ACCOUNTS, events=MOST_EVENTS)
                try:
                    await session.notify(_ENCODER.encode(bulletin).decode())
                except BaseException:
                    self._to_tell.add(bulletin)
                    self._stirred.set()
                    raise
                told_at = loop.time()
                if self._to_tell:
                    self._stirred.set()
                else:
                    self._all_told.set()

    def _take(self, hearer: Hearer, payload: str) -> None:
        """Pass a bulletin on, together with what comes within the next moment."""
        with suppress(msgspec.DecodeError, RecursionError):  # anybody in the database may say anything
            self._heard.add(_DECODER.decode(payload))
        if self._heard and self._passing_on is None:
            loop = asyncio.get_running_loop()
            at = max(loop.time(), self._passed_on_at + self._apart)
            self._passing_on = loop.call_at(at, self._pass_on, hearer)

    def _pass_on(self, hearer: Hearer) -> None:
        self._passing_on, self._passed_on_at = None, asyncio.get_running_loop().time()
        hearer.hear(self._heard.take())


def news_of(url: str) -> News:
    """Return the news of a database; on SQLite there is none."""
    return Silence() if sqlite_path(url) else PostgresNews(url)
