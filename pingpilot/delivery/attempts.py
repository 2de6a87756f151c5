"""Attempts: how a try to send may end, what that means for its delivery, and when there is another."""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta

from models import AttemptOutcome, DeliveryStatus
from models.delivery import STEPS_ASIDE_AFTER
from pingpilot.delivery.claims import Claim
from pingpilot.errors import (
    ChannelUnavailable,
    DeliveryFailure,
    NotLeading,
    PermanentFailure,
    RateLimited,
    RecipientMoved,
    TemporaryFailure,
)

RETRY_DELAYS = tuple(timedelta(seconds=seconds) for seconds in (5, 30, 120, 600, 1800, 7200, 18_000, 36_000))
"""The waits after the first, second, … failed attempt; one more failure is the last."""
AFTER_A_MOVE = timedelta(seconds=1)
"""The wait before a message goes to its recipient's new address."""
JITTER = 0.2
ASKED_FOR = timedelta(hours=1)
"""The longest wait a platform usually asks for."""
HOLDS_BACK = STEPS_ASIDE_AFTER
"""A delivery waiting for one of its first retries keeps later ones to its recipient back, so that
short outages keep the order; after that it steps aside, so that no message blocks a recipient."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an attempt's end means for its delivery. `next_attempt_at` is set where it stays pending.

    `recipient_gone` and `moved_to` are what it means for the destination.
    """

    status: DeliveryStatus
    outcome: AttemptOutcome | None
    counted: bool
    reason: str | None = None
    next_attempt_at: datetime | None = None
    recipient_gone: bool = False
    moved_to: RecipientMoved | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try and what came of it, ready to be recorded."""

    claim: Claim
    verdict: Verdict
    started_at: datetime
    duration: timedelta

    @property
    def ended_at(self) -> datetime:
        return self.started_at + self.duration


DELIVERED = Verdict(DeliveryStatus.DELIVERED, AttemptOutcome.DELIVERED, counted=True)


def longest_wait(attempts: int) -> timedelta:
    """Return the longest time that a delivery waits after so many attempts, one of which failed at least."""
    return RETRY_DELAYS[min(attempts, len(RETRY_DELAYS)) - 1] * (1 + JITTER)


def interrupted(now: datetime) -> Verdict:
    """The daemon stopped while sending: whether the platform took the message is not known."""
    reason = "The daemon stopped while this was being sent; it is sent again and may arrive twice."
    return Verdict(DeliveryStatus.PENDING, AttemptOutcome.INTERRUPTED, False, reason, next_attempt_at=now)


def untried(until: datetime) -> Verdict:
    """The delivery was claimed, but its turn did not come: it goes back as it was, and is due then."""
    return Verdict(DeliveryStatus.PENDING, None, False, next_attempt_at=until)


def held(until: datetime) -> Verdict:
    """The recipient has quiet hours: the delivery waits for their end."""
    return Verdict(DeliveryStatus.HELD, None, False, next_attempt_at=until)


def verdict_on(failure: DeliveryFailure, *, attempts_before: int, now: datetime) -> Verdict:
    """Return what a failed attempt means, given the attempts counted before it."""
    if isinstance(failure, ChannelUnavailable | NotLeading):
        reason = failure.reason if isinstance(failure, ChannelUnavailable) else None
        return Verdict(DeliveryStatus.PENDING, None, False, reason, next_attempt_at=now)
    if isinstance(failure, RateLimited):
        at = now + failure.retry_after
        return Verdict(DeliveryStatus.PENDING, AttemptOutcome.RATE_LIMITED, False, failure.reason, at)
    if isinstance(failure, RecipientMoved):
        # Not at once: a platform that sends us round in circles is not asked without a pause
        at = now + AFTER_A_MOVE
        return Verdict(DeliveryStatus.PENDING, None, False, next_attempt_at=at, moved_to=failure)
    if isinstance(failure, PermanentFailure):
        outcome = AttemptOutcome.REFUSED if failure.recipient_refused else AttemptOutcome.FAILED
        return Verdict(
            DeliveryStatus.FAILED, outcome, True, failure.reason, recipient_gone=failure.recipient_gone
        )
    if attempts_before >= len(RETRY_DELAYS):
        reason = f"Given up after {attempts_before + 1} attempts: {failure.reason}"
        return Verdict(DeliveryStatus.FAILED, AttemptOutcome.FAILED, True, reason)
    asked = failure.retry_after if isinstance(failure, TemporaryFailure) else None
    spread = random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311  # spreads load, guards nothing
    wait = max(RETRY_DELAYS[attempts_before] * spread, asked or timedelta())
    return Verdict(DeliveryStatus.PENDING, AttemptOutcome.RETRY, True, failure.reason, now + wait)
