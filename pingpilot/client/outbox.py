"""The queue of what is to be sent, between the threads that log and the one that sends."""

import time
from collections import deque
from threading import Condition, RLock
from typing import Generic, TypeVar

T = TypeVar("T")


class Outbox(Generic[T]):
    """The bounded queue between the threads that log and the one that sends.

    First in, first out; who puts something in never waits for who takes it out. `sent` and
    `dropped` count what became of the items; once nothing waits, they add up to all of them.
    """

    def __init__(self, capacity: int) -> None:
        if capacity < 1:
            raise ValueError("capacity must be 1 or more.")
        self._capacity = capacity
        # Re-entrant: a signal handler that logs may interrupt a thread that holds it
        self._changed = Condition(RLock())
        self._waiting: deque[T] = deque()
        self._in_hand = 0
        self._open = True
        self._has_taker = False
        self.sent = 0
        self.dropped = 0

    @property
    def is_open(self) -> bool:
        """Whether items are taken in."""
        return self._open

    @property
    def is_over(self) -> bool:
        """Whether nothing will come out any more, unless it is opened again."""
        return not (self._open or self._waiting or self._in_hand)

    def open(self) -> None:
        """Take items in again after a close."""
        with self._changed:
            self._open = True

    def hire(self) -> bool:
        """Return True to one caller, who has to see to it that somebody takes the items out."""
        with self._changed:
            is_needed, self._has_taker = not self._has_taker, True
            return is_needed

    def dismiss(self) -> None:
        """Nobody takes items out; the next to ask is hired."""
        with self._changed:
            self._has_taker = False

    def leave(self) -> bool:
        """Return whether who takes the items out may end; not where there are any again."""
        with self._changed:
            self._has_taker = self._open or bool(self._waiting)
            return not self._has_taker

    def put(self, item: T) -> None:
        """Add an item, or drop it when the outbox is full or closed."""
        with self._changed:
            if self._open and len(self._waiting) < self._capacity:
                self._waiting.append(item)
                self._changed.notify_all()
            else:
                self.dropped += 1

    def drop(self) -> None:
        """Count an item that never became one."""
        with self._changed:
            self.dropped += 1

    def take(self) -> T | None:
        """Wait for an item and return it; `done` must follow. None: the outbox is closed and empty."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or not self._open)
            if not self._waiting:
                return None
            self._in_hand += 1
            return self._waiting.popleft()

    def done(self, *, sent: bool) -> None:
        """Tell what became of the item that was taken."""
        with self._changed:
            self._in_hand -= 1
            if sent:
                self.sent += 1
            else:
                self.dropped += 1
            self._changed.notify_all()

    def wait_until_empty(self, seconds: float) -> bool:
        """Wait until everything is sent or dropped, at most so long; return whether it is."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while self._waiting or self._in_hand:
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                self._changed.wait(left)
            return True

    def close(self) -> None:
        """Take nothing in any more; what waits can still be taken out."""
        with self._changed:
            self._open = False
            self._changed.notify_all()

    def abandon(self) -> int:
        """Drop what waits; return how many items are lost with it, the one being sent included."""
        with self._changed:
            lost = len(self._waiting)
            self._waiting.clear()
            self.dropped += lost
            self._changed.notify_all()
            return lost + self._in_hand
