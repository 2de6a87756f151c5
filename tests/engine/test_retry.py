"""What a failed attempt means for its delivery, and when it is tried again."""

from datetime import UTC, datetime, timedelta

import pytest

from models import AttemptOutcome, DeliveryStatus
from pingpilot.delivery.attempts import RETRY_DELAYS, interrupted, verdict_on
from pingpilot.errors import (
    ChannelUnavailable,
    DeliveryFailure,
    PermanentFailure,
    RateLimited,
    TemporaryFailure,
)

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
SCHEDULE = [
    timedelta(seconds=5),
    timedelta(seconds=30),
    2 * MINUTE,
    10 * MINUTE,
    30 * MINUTE,
    2 * HOUR,
    5 * HOUR,
    10 * HOUR,
]


def wait_after(failure: DeliveryFailure, *, attempts_before: int) -> timedelta:
    verdict = verdict_on(failure, attempts_before=attempts_before, now=NOW)
    assert verdict.next_attempt_at is not None
    return verdict.next_attempt_at - NOW


@pytest.mark.parametrize(("before", "delay"), list(enumerate(SCHEDULE)))
def test_a_temporary_failure_is_retried_after_a_growing_delay(before: int, delay: timedelta) -> None:
    failure = TemporaryFailure("away")

    waits = [wait_after(failure, attempts_before=before) for _ in range(200)]

    assert delay * 0.8 <= min(waits) < max(waits) <= delay * 1.2
    assert max(waits) - min(waits) > delay * 0.2


@pytest.mark.parametrize("failure", [TemporaryFailure("away"), DeliveryFailure("of no known kind")])
def test_a_retry_counts_and_keeps_the_reason(failure: DeliveryFailure) -> None:
    verdict = verdict_on(failure, attempts_before=7, now=NOW)

    assert (verdict.status, verdict.outcome) == (DeliveryStatus.PENDING, AttemptOutcome.RETRY)
    assert verdict.counted
    assert verdict.reason == failure.reason
    assert not verdict.recipient_gone


def test_the_ninth_attempt_is_the_last() -> None:
    verdict = verdict_on(TemporaryFailure("away"), attempts_before=len(SCHEDULE), now=NOW)

    assert len(RETRY_DELAYS) == 8
    assert (verdict.status, verdict.outcome) == (DeliveryStatus.FAILED, AttemptOutcome.FAILED)
    assert verdict.reason == "Given up after 9 attempts: away"
    assert verdict.next_attempt_at is None


def test_a_longer_wait_is_obeyed_where_the_platform_asks_for_it() -> None:
    failure = TemporaryFailure("busy", retry_after=HOUR)

    wait = wait_after(failure, attempts_before=0)

    assert wait == HOUR


def test_a_shorter_wait_does_not_shorten_the_delay() -> None:
    failure = TemporaryFailure("busy", retry_after=timedelta(seconds=1))

    wait = wait_after(failure, attempts_before=3)

    assert wait >= 8 * MINUTE


@pytest.mark.parametrize("gone", [True, False])
def test_a_permanent_failure_is_final(gone: bool) -> None:
    verdict = verdict_on(PermanentFailure("no", recipient_gone=gone), attempts_before=0, now=NOW)

    assert (verdict.status, verdict.outcome) == (DeliveryStatus.FAILED, AttemptOutcome.FAILED)
    assert (verdict.counted, verdict.reason, verdict.next_attempt_at) == (True, "no", None)
    assert verdict.recipient_gone is gone


@pytest.mark.parametrize("before", [0, 8, 100])
@pytest.mark.parametrize("whole_channel", [True, False])
def test_a_rate_limit_never_counts(before: int, whole_channel: bool) -> None:
    failure = RateLimited("slow down", retry_after=7 * MINUTE, whole_channel=whole_channel)

    verdict = verdict_on(failure, attempts_before=before, now=NOW)

    assert (verdict.status, verdict.outcome) == (DeliveryStatus.PENDING, AttemptOutcome.RATE_LIMITED)
    assert not verdict.counted
    assert verdict.next_attempt_at == NOW + 7 * MINUTE


@pytest.mark.parametrize("before", [0, 8])
def test_a_channel_that_cannot_send_leaves_no_trace_in_the_history(before: int) -> None:
    verdict = verdict_on(ChannelUnavailable("bad token"), attempts_before=before, now=NOW)

    assert (verdict.status, verdict.outcome, verdict.counted) == (DeliveryStatus.PENDING, None, False)
    assert verdict.next_attempt_at == NOW
    assert verdict.reason == "bad token"


def test_an_interrupted_attempt_is_due_again_and_does_not_count() -> None:
    verdict = interrupted(NOW)

    assert (verdict.status, verdict.outcome) == (DeliveryStatus.PENDING, AttemptOutcome.INTERRUPTED)
    assert (verdict.counted, verdict.next_attempt_at) == (False, NOW)
