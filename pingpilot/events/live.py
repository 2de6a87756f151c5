"""Telling open pages that something of their account changed, so that they load it anew."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager

from pingpilot.cluster.news import Bulletin, News, Silence

MOST_COUNTED = 20_000
"""Accounts whose changes are counted apart; where there are more, every page is out of date once."""


class Live:
    """Counts each account's changes since this daemon started, and wakes those who watch.

    A count only tells that another look is worth it: the truth stays in the database. By the `news`, other
    daemons are told of what happens here, and we hear of what happens there.
    """

    def __init__(self, news: News | None = None) -> None:
        self._news = news or Silence()
        self._before = 0  # counts of each account, also of those that are not in `_changes`
        self._changes = Counter[int]()
        self._watching: defaultdict[int, set[asyncio.Event]] = defaultdict(set)
        self.ending = asyncio.Event()

    @property
    def watchers(self) -> int:
        """How many watch at the moment, over all accounts."""
        return sum(map(len, self._watching.values()))

    def watchers_of(self, account_id: int) -> int:
        """How many watch one account."""
        return len(self._watching.get(account_id, ()))

    def changes(self, account_id: int) -> int:
        """Return how often something of the account changed."""
        return self._before + self._changes[account_id]

    def announce(self, account_ids: Collection[int]) -> None:
        """Note a change of these accounts, wake those who watch, here and at other daemons."""
        self.hear(account_ids)
        self._news.tell(Bulletin(accounts=frozenset(account_ids)))

    def hear(self, account_ids: Iterable[int]) -> None:
        """Note a change of these accounts, and wake those who watch here. Another daemon may name any."""
        for account_id in account_ids:
            self._changes[account_id] += 1
            for signal in self._watching.get(account_id, ()):
                signal.set()
        if len(self._changes) > MOST_COUNTED:
            # Nobody's count is one that he had before, unless nothing happened since
            self._before += max(self._changes.values())
            self._changes.clear()

    def catch_up(self) -> None:
        """Have all who watch look: something of any account may have changed."""
        self._before += 1
        self._wake_all()

    def close(self) -> None:
        """Wake everybody for the last time: the daemon stops."""
        self.ending.set()
        self._wake_all()

    def _wake_all(self) -> None:
        for signals in self._watching.values():
            for signal in signals:
                signal.set()

    @contextmanager
    def watching(self, account_id: int) -> Iterator[asyncio.Event]:
        """Give what is set at each change of the account, and at the end; who watches clears it."""
        signal = asyncio.Event()
        if self.ending.is_set():
            signal.set()
        self._watching[account_id].add(signal)
        try:
            yield signal
        finally:
            self._watching[account_id].discard(signal)
            if not self._watching[account_id]:
                del self._watching[account_id]
