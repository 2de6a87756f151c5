"""Telegram's rate limits: Bots FAQ, "My bot is hitting limits"."""

import math
import time
from collections import deque
from dataclasses import dataclass, field

from pingpilot.sandbox.server import TOO_MANY_REQUESTS, Refused
from pingpilot.sandbox.telegram.params import refused

Limit = tuple[float, float]
"""Messages per second, and how many may come at once after a rest."""


@dataclass(slots=True)
class TokenBucket:
    """A burst that fills up again at a steady rate."""

    rate: float
    burst: float
    _tokens: float = field(init=False)
    _seen: float = field(init=False)

    def __post_init__(self) -> None:
        self._tokens = self.burst
        self._seen = time.monotonic()

    def wait_named(self) -> int:
        """Return the whole seconds to wait until a token is there; 0 if one is there now."""
        now = time.monotonic()
        self._tokens = min(self.burst, self._tokens + (now - self._seen) * self.rate)
        self._seen = now
        return 0 if self._tokens >= 1 else math.ceil((1 - self._tokens) / self.rate)

    def use(self) -> None:
        """Take one token."""
        self._tokens -= 1


class SlidingWindow:
    """So many messages within any so many seconds."""

    def __init__(self, most: int, seconds: float) -> None:
        self._most = most
        self._seconds = seconds
        self._taken: deque[float] = deque(maxlen=most)

    def wait_named(self) -> int:
        """Return the whole seconds to wait until there is room; 0 if there is some now."""
        if len(self._taken) < self._most:
            return 0
        return max(0, math.ceil(self._taken[0] + self._seconds - time.monotonic()))

    def use(self) -> None:
        """Take one message."""
        self._taken.append(time.monotonic())


class RateLimits:
    """A steady rate after a short burst in each chat and over all chats, and in each room so many messages
    in any so many seconds besides; `None` for no limit.
    """

    def __init__(self) -> None:
        self.per_chat: Limit | None = (1.0, 3)
        self.per_room: tuple[int, float] | None = (20, 60.0)
        self.overall: Limit | None = (30.0, 30)
        self._buckets: dict[tuple[int | None, Limit], TokenBucket] = {}
        self._rooms: dict[tuple[int, tuple[int, float]], SlidingWindow] = {}

    def count_message(self, chat_id: int) -> None:
        """Count a message; raises `Refused` (429) with the seconds to wait, and then counts nothing."""
        limits = {"messages to a chat": (chat_id, self.per_chat), "messages of the bot": (None, self.overall)}
        buckets: dict[str, TokenBucket | SlidingWindow] = {
            name: self._buckets.setdefault((whose, limit), TokenBucket(*limit))
            for name, (whose, limit) in limits.items()
            if limit is not None
        }
        if chat_id < 0 and self.per_room:
            window = self._rooms.setdefault((chat_id, self.per_room), SlidingWindow(*self.per_room))
            buckets["messages to a room"] = window
        waits = {name: bucket.wait_named() for name, bucket in buckets.items()}
        name = max(waits, key=lambda each: waits[each], default="")
        if name and waits[name]:
            raise throttled(waits[name], limit=name)
        for bucket in buckets.values():
            bucket.use()


def throttled(retry_after: float | None, *, limit: str | None = None) -> Refused:
    """Return Telegram's 429."""
    if retry_after is None:
        return refused(TOO_MANY_REQUESTS, "Too Many Requests")
    sentence = f"Too Many Requests: retry after {retry_after}"
    return refused(TOO_MANY_REQUESTS, sentence, parameters={"retry_after": retry_after}, limit=limit)
