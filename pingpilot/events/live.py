"""Telling open pages that something of their account changed, so that they load it anew."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class Live:
    """Counts each account's changes since this daemon started, and wakes those who watch.

    A count only tells that another look is worth it: the truth stays in the database.
    """

    def __init__(self) -> None:
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
        return self._changes[account_id]

    def announce(self, account_ids: Iterable[int]) -> None:
        """Note a change of these accounts, and wake those who watch."""
        for account_id in account_ids:
            self._changes[account_id] += 1
            for signal in self._watching.get(account_id, ()):
                signal.set()

    def close(self) -> None:
        """Wake everybody for the last time: the daemon stops."""
        self.ending.set()
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
