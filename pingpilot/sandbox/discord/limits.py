"""Discord's rate limits, and how it tells clients about them."""

import math
import time
from dataclasses import dataclass

from pingpilot.sandbox.discord.model import Json
from pingpilot.sandbox.server import TOO_MANY_REQUESTS, Refused

VIA = {"Via": "1.1 google"}
"""On answers that come from Discord itself; discord.py takes a 429 without it for a ban."""

IDENTIFY_SECONDS = 5.0
"""Within which `max_concurrency` sessions may begin (Discord, "Session Start Limit Object")."""

DAY_SECONDS = 86_400.0

OVER_A_DAY, AT_ONCE = "sessions a day", "sessions at once"


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
            raise _too_many(self._second.reset_after, headers, is_global=True, limit="requests of the bot")

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
            headers |= {"X-RateLimit-Scope": "user"}
            raise _too_many(window.reset_after, headers, limit="messages to a channel")
        return headers


class SessionStartLimit:
    """How many sessions a bot may begin: `total` a day, `max_concurrency` within `window_seconds`.

    `begun` has the moments of all, by the monotonic clock.
    """

    def __init__(self) -> None:
        self.total = 1000
        self.max_concurrency = 16  # small bots have 1, with which each of a test's restarts would take 5 s
        self.window_seconds = IDENTIFY_SECONDS
        self.reset_seconds = DAY_SECONDS
        self.begun: list[float] = []
        self._day_began: float | None = None
        self._used = 0

    def count(self) -> str:
        """Count a session that begins; return the limit that it exceeds, empty where it exceeds none."""
        self._forget_yesterday()
        now = time.monotonic()
        if self._day_began is None:
            self._day_began = now
        at_once = sum(now - each < self.window_seconds for each in self.begun)
        self.begun.append(now)
        self._used += 1
        if self._used > self.total:
            return OVER_A_DAY
        return AT_ONCE if at_once >= self.max_concurrency else ""

    def as_json(self) -> Json:
        """Return the object that `GET /gateway/bot` has it in."""
        self._forget_yesterday()
        began = self._day_began
        reset_after = 0.0 if began is None else began + self.reset_seconds - time.monotonic()
        return {
            "total": self.total,
            "remaining": max(0, self.total - self._used),
            "reset_after": round(reset_after * 1000),
            "max_concurrency": self.max_concurrency,
        }

    def _forget_yesterday(self) -> None:
        if self._day_began is not None and time.monotonic() - self._day_began >= self.reset_seconds:
            self._day_began, self._used = None, 0


def throttle_body(retry_after: float | None, *, is_global: bool = False) -> Json:
    """Return the body of a 429."""
    body: Json = {"message": "You are being rate limited.", "global": is_global}
    if retry_after is not None:
        body["retry_after"] = retry_after
    return body


def throttle_headers(retry_after: float | None) -> dict[str, str]:
    """Return the headers of every 429."""
    return VIA if retry_after is None else VIA | {"Retry-After": str(math.ceil(retry_after))}


def _too_many(retry_after: float, headers: dict[str, str], *, is_global: bool = False, limit: str) -> Refused:
    seconds = math.ceil(retry_after * 1000) / 1000
    body = throttle_body(seconds, is_global=is_global)
    return Refused(TOO_MANY_REQUESTS, body, headers | throttle_headers(seconds), limit=limit)
