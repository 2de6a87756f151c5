"""The journal: writes down what came of each attempt, and what follows for the delivery and its recipient."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from tortoise.expressions import F

from models import AccountChannel, Delivery, DeliveryAttempt, DeliveryStatus
from models.database import connection, transaction, unit_of_work
from models.sql import Row, as_uuid, marks, query
from pingpilot.batching import Batcher
from pingpilot.channels import CHANNELS
from pingpilot.delivery.claims import Claim
from pingpilot.delivery.fallback import add_stand_ins
from pingpilot.delivery.retry import Verdict
from pingpilot.events import notices


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


@dataclass(frozen=True, slots=True)
class _Settled:
    """What an attempt changed: the events whose deliveries changed, and the deliveries that failed."""

    events: set[UUID]
    failed: list[int]


class Journal:
    """Records one channel's attempts for one daemon, many a commit."""

    def __init__(self, *, channel: str, daemon_id: str) -> None:
        self._channel = channel
        self._daemon_id = daemon_id
        self._commits: Batcher[Attempt, set[UUID]] = Batcher(self._commit)

    async def record(self, attempt: Attempt) -> set[UUID]:
        """Settle the delivery and write down its attempt; return the events whose deliveries changed.

        A recipient that is gone has its channel suspended, what waits for it failed, and the owner told
        on the channels that still work. What failed goes out again over its category's fallback channel.
        Raises one of `DATABASE_ERRORS`; nothing is recorded then.
        """
        return await self._commits.submit(attempt)

    async def idle(self) -> None:
        """Return when everything handed in is recorded."""
        await self._commits.idle()

    @unit_of_work
    async def _commit(self, attempts: list[Attempt]) -> list[set[UUID] | Exception]:
        async with transaction():
            settled = [await self._settle(attempt) for attempt in attempts]
            await _write_history([attempt for attempt in attempts if attempt.verdict.outcome])
            await add_stand_ins([delivery_id for each in settled for delivery_id in each.failed])
        return [each.events for each in settled]

    async def _settle(self, attempt: Attempt) -> _Settled:
        claim, verdict = attempt.claim, attempt.verdict
        delivered = verdict.status is DeliveryStatus.DELIVERED
        row = Delivery.filter(id__in=claim.delivery_ids)
        if delivered:  # true even if the lease ran out meanwhile
            row = row.exclude(status=DeliveryStatus.DELIVERED)
        else:
            row = row.filter(status=DeliveryStatus.SENDING, leased_by=self._daemon_id)
        said = {"last_error": verdict.reason} if verdict.outcome or verdict.reason else {}
        await row.update(
            **said,
            status=verdict.status,
            attempts=F("attempts") + int(verdict.counted),
            next_attempt_at=verdict.next_attempt_at,
            leased_by=None,
            lease_until=None,
            delivered_at=attempt.ended_at if delivered else None,
        )
        failed = list(claim.delivery_ids) if verdict.status is DeliveryStatus.FAILED else []
        waiting = await self._suspend(attempt) if verdict.recipient_gone else []
        return _Settled(
            events=claim.event_ids | {as_uuid(each["event_id"]) for each in waiting},
            failed=[*failed, *(each["id"] for each in waiting)],
        )

    async def _suspend(self, attempt: Attempt) -> list[Row]:
        """Suspend the recipient's channel; return the deliveries that waited for it and failed with it."""
        claim, reason = attempt.claim, _sentence(attempt.verdict.reason or "")
        if claim.recipient is None or not await AccountChannel.suspend(
            claim.account_id, self._channel, address=claim.recipient.address, reason=reason
        ):
            return []
        waiting = await query(
            connection(),
            "UPDATE deliveries SET status = 'failed', next_attempt_at = NULL, last_error = ? "
            "WHERE account_id = ? AND channel = ? AND status IN ('pending', 'held') RETURNING id, event_id",
            [reason, claim.account_id, self._channel],
        )
        await notices.post_notice(claim.account_id, self._told(reason), now=attempt.ended_at)
        return waiting

    def _told(self, reason: str) -> str:
        label = CHANNELS[self._channel].label
        return f"{label} is suspended for your account: {reason} Link or switch it on again to go on."


def _sentence(text: str) -> str:
    """Return a platform's words as a sentence, since others follow it."""
    return text if text.endswith((".", "!", "?")) else f"{text}."


async def _write_history(attempts: list[Attempt]) -> None:
    """Record the attempts of those deliveries that still exist: an account may be deleted at any moment."""
    ids = [delivery_id for attempt in attempts for delivery_id in attempt.claim.delivery_ids]
    if not ids:
        return
    found = await query(connection(), f"SELECT id FROM deliveries WHERE id IN ({marks(ids)})", ids)  # noqa: S608
    existing = {row["id"] for row in found}
    rows = [row for attempt in attempts for row in _rows(attempt) if row.delivery_id in existing]
    await DeliveryAttempt.bulk_create(rows)


def _rows(attempt: Attempt) -> list[DeliveryAttempt]:
    return [
        DeliveryAttempt(
            delivery_id=delivery_id,
            started_at=attempt.started_at,
            duration_ms=round(attempt.duration / timedelta(milliseconds=1)),
            outcome=attempt.verdict.outcome,
            reason=attempt.verdict.reason,
        )
        for delivery_id in attempt.claim.delivery_ids
    ]
