"""Discord's rate limits, and how it tells clients about them."""

import math
import time
from dataclasses import dataclass

from pingpilot.sandbox.discord.model import Json
from pingpilot.sandbox.server import TOO_MANY_REQUESTS, Refused

VIA = {"Via": "1.1 google"}
"""On answers that come from Discord itself; discord.py takes a 429 without it for a ban."""


@dataclass(slots=True)
class Window:
    """A fixed window: so many uses in so many seconds from the first one."""

    limit: int
    seconds: float
    _used: int = 0
    _ends: float = 0.0

    def use(self) -> bool:
        """Count one use; False if the window is used up."""
        now = time.monotonic()
        if now >= self._ends:
            self._used, self._ends = 0, now + self.seconds
        self._used += 1
        return self._used <= self.limit

    @property
    def remaining(self) -> int:
        """Uses left in the present window."""
        return max(0, self.limit - self._used)

    @property
    def reset_after(self) -> float:
        """Seconds until the window ends."""
        return max(0.0, self._ends - time.monotonic())


class RateLimits:
    """So many messages per channel and window, so many requests per second over all."""

    def __init__(self, *, per_channel: tuple[int, float] | None, overall: int | None) -> None:
        self.per_channel = per_channel
        self.overall = overall
        self._channels: dict[str, Window] = {}
        self._second = Window(0, 1.0)

    def count_request(self) -> None:
        """Count a request against the overall limit; raises `Refused` (429) when it is used up."""
        if self.overall is None:
            return
        self._second.limit = self.overall
        if not self._second.use():
            headers = {"X-RateLimit-Global": "true", "X-RateLimit-Scope": "global"}
            raise _too_many(self._second.reset_after, headers, is_global=True)

    def count_message(self, channel_id: str) -> dict[str, str]:
        """Count a message against its channel and return the headers that say what is left.

        Raises `Refused` (429) when the channel's window is used up.
        """
        if self.per_channel is None:
            return {}
        window = self._channels.setdefault(channel_id, Window(*self.per_channel))
        window.limit, window.seconds = self.per_channel
        taken = window.use()
        reset_after = math.ceil(window.reset_after * 1000) / 1000
        headers = {
            "X-RateLimit-Limit": str(window.limit),
            "X-RateLimit-Remaining": str(window.remaining),
            "X-RateLimit-Reset": f"{time.time() + reset_after:.3f}",
            "X-RateLimit-Reset-After": f"{reset_after:.3f}",
            "X-RateLimit-Bucket": "sandbox-create-message",
        }
        if not taken:
            raise _too_many(window.reset_after, headers | {"X-RateLimit-Scope": "user"})
        return headers


def throttle_body(retry_after: float | None, *, is_global: bool = False) -> Json:
    """Return the body of a 429."""
    body: Json = {"message": "You are being rate limited.", "global": is_global}
    if retry_after is not None:
        body["retry_after"] = retry_after
    return body


def throttle_headers(retry_after: float | None) -> dict[str, str]:
    """Return the headers of every 429."""
    return VIA if retry_after is None else VIA | {"Retry-After": str(math.ceil(retry_after))}


def _too_many(retry_after: float, headers: dict[str, str], *, is_global: bool = False) -> Refused:
    seconds = math.ceil(retry_after * 1000) / 1000
    body = throttle_body(seconds, is_global=is_global)
    return Refused(TOO_MANY_REQUESTS, body, headers | throttle_headers(seconds))
