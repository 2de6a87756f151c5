"""How often a call is tried and how long is waited in between, without any input or output."""

import logging
import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from .calls import Call
from .errors import (
    BusyOrAway,
    ProcessingFailed,
    RequestTimeout,
    ShuttingDown,
    TooManyRequests,
    Unreachable,
)
from .replies import Lost, Reply, read_reply

T = TypeVar("T")

WORTH_ANOTHER_TRY = (
    Unreachable,
    BusyOrAway,
    ProcessingFailed,
    ShuttingDown,
    TooManyRequests,
    RequestTimeout,
)
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 10.0  # seconds

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long one try may be silent, and how long all tries may take together; seconds."""

    timeout: float
    give_up_after: float

    def __post_init__(self) -> None:
        for name in ("timeout", "give_up_after"):
            seconds = getattr(self, name)
            if not (math.isfinite(seconds) and seconds > 0):
                raise ValueError(f"{name} must be a number of seconds over 0.")


@dataclass(frozen=True, slots=True)
class Pause:
    """The call is to be tried again after so many seconds."""

    seconds: float


class Tries(Generic[T]):
    """One call on its way: judges what came back of each try."""

    def __init__(
        self,
        call: Call[T],
        patience: Patience,
        url: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.call = call
        self._patience = patience
        self._url = url
        self._clock = clock
        self._jitter = jitter
        self._deadline = clock() + patience.give_up_after + call.wait
        self._longest = _FIRST_WAIT

    @property
    def timeout(self) -> float:
        """Seconds that the next try may take without a word from the server."""
        return max(0.0, min(self._patience.timeout + self.call.wait, self._left))

    @property
    def expired(self) -> bool:
        """Whether the time is over, even for an answer that is being read."""
        return self._left <= 0

    def judge(self, outcome: Reply | Lost) -> T | Pause:
        """Return the call's result, or the pause before the next try.

        Raises the outcome's `ClientError` if another try can't help, or would come too late.
        """
        try:
            return read_reply(self.call, outcome, self._url)
        except WORTH_ANOTHER_TRY as error:
            # "Full jitter", between nothing and a bound that doubles, spreads many clients
            wait = self._longest * self._jitter() + (error.retry_after or 0)
            self._longest = min(self._longest * 2, _LONGEST_WAIT)
            if wait >= self._left:
                raise
            log.info("PingPilot has not taken a call yet, next try in %.1f s: %s", wait, error)
            return Pause(wait)

    @property
    def _left(self) -> float:
        return self._deadline - self._clock()
