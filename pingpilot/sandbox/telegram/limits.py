"""Telegram's rate limits: Bots FAQ, "My bot is hitting limits"."""

from pingpilot.sandbox.limits import TokenBucket
from pingpilot.sandbox.server import Refused
from pingpilot.sandbox.telegram.params import refused

TOO_MANY_REQUESTS = 429

Limit = tuple[float, float]
"""Messages per second, and how many may come at once after a rest."""


class RateLimits:
    """A steady rate after a short burst, in each chat and over all chats; `None` for no limit."""

    def __init__(self) -> None:
        self.per_chat: Limit | None = (1.0, 3)
        self.overall: Limit | None = (30.0, 30)
        self._buckets: dict[tuple[int | None, Limit], TokenBucket] = {}

    def count_message(self, chat_id: int) -> None:
        """Count a message; raises `Refused` (429) with the seconds to wait, and then counts nothing."""
        limits = ((chat_id, self.per_chat), (None, self.overall))
        buckets = [self._bucket(whose, limit) for whose, limit in limits if limit is not None]
        wait = max((bucket.wait_named() for bucket in buckets), default=0)
        if wait:
            raise throttled(wait)
        for bucket in buckets:
            bucket.use()

    def _bucket(self, whose: int | None, limit: Limit) -> TokenBucket:
        return self._buckets.setdefault((whose, limit), TokenBucket(*limit))


def throttled(retry_after: float | None) -> Refused:
    """Return Telegram's 429."""
    if retry_after is None:
        return refused(TOO_MANY_REQUESTS, "Too Many Requests")
    parameters = {"retry_after": retry_after}
    return refused(TOO_MANY_REQUESTS, f"Too Many Requests: retry after {retry_after}", parameters=parameters)
