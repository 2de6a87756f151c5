"""The two shapes of rate limit that the platforms use."""

import math
import time
from dataclasses import dataclass, field


@dataclass(slots=True)
class Window:
    """A fixed window: so many uses in so many seconds from the first one (Discord)."""

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


@dataclass(slots=True)
class TokenBucket:
    """A burst that fills up again at a steady rate (Telegram)."""

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
