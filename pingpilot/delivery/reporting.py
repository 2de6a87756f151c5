"""Reporting: what came of each attempt, for the log and the metrics."""

from collections.abc import Set
from uuid import UUID

import structlog

from models import AttemptOutcome, DeliveryStatus
from models.ids import event_id_text
from pingpilot.delivery.attempts import Attempt
from pingpilot.telemetry.metrics import Metrics

log = structlog.get_logger(__name__)


class Reporter:
    """Tells how one channel's attempts ended: a line a delivery, and the counts."""

    def __init__(self, channel: str, *, metrics: Metrics) -> None:
        self._channel = channel
        self._delivered = metrics.deliveries.labels(channel, "delivered")
        self._failed = metrics.deliveries.labels(channel, "failed")
        self._retries = metrics.retries.labels(channel)
        self._rate_limited = metrics.rate_limited.labels(channel)
        self._unavailable = metrics.unavailable.labels(channel)
        self._seconds = metrics.attempt_duration.labels(channel)

    def report(self, attempt: Attempt, changed: Set[UUID]) -> None:
        """Report an attempt that is recorded; `changed` are the events whose deliveries it changed."""
        claim, verdict = attempt.claim, attempt.verdict
        match verdict.outcome:
            case AttemptOutcome.DELIVERED:
                self._delivered.inc(len(claim.deliveries))
            case (
                AttemptOutcome.FAILED | AttemptOutcome.REFUSED
            ):  # with those that waited for a recipient that is gone
                self._failed.inc(len(claim.deliveries) + len(changed - claim.event_ids))
            case AttemptOutcome.RETRY:
                self._retries.inc()
            case AttemptOutcome.RATE_LIMITED:
                self._rate_limited.inc()
            case None if verdict.reason:  # without one, its turn did not come
                self._unavailable.inc()
        if claim.recipient and verdict.outcome not in (None, AttemptOutcome.INTERRUPTED):
            self._seconds.observe(attempt.duration.total_seconds())
        reason = verdict.reason
        if reason and claim.recipient:
            reason = claim.recipient.hidden_in(reason)
        went_together = claim.companions and verdict.status is not DeliveryStatus.HELD
        level = log.error if verdict.status is DeliveryStatus.FAILED else log.info
        for delivery_id, event_id in claim.deliveries:
            level(
                f"Delivery {verdict.status.value}",
                channel=self._channel,
                delivery=delivery_id,
                **({"combined": len(claim.deliveries)} if went_together else {}),
                event_id=event_id_text(event_id),
                attempt=claim.attempts + int(verdict.counted),
                **({"reason": reason} if reason else {}),
            )
