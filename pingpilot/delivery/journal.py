"""The journal: writes down what came of each attempt, and what follows for the delivery and its recipient."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from tortoise.expressions import F

from models import AttemptOutcome, Delivery, DeliveryAttempt, DeliveryStatus, Destination
from models.activity import slot_of
from models.database import connection, transaction, unit_of_work
from models.delivery import WAITING_STATUSES, select_with_statuses, with_statuses
from models.destination import USABLE
from models.sql import as_datetime, as_uuid, is_postgres, marks, query
from pingpilot.batching import Batcher
from pingpilot.channels import CHANNELS, direct_channels
from pingpilot.delivery.attempts import Attempt
from pingpilot.delivery.failure_counts import FailureCounts
from pingpilot.errors import RecipientMoved
from pingpilot.events import notices

_OWN = "channel = ? AND account_id = ? AND destination = ?"
_FAIL_WAITING = with_statuses(f"""
UPDATE deliveries SET status = :failed, next_attempt_at = NULL, last_error = ?
WHERE id IN (
    SELECT id FROM ({select_with_statuses("id", WAITING_STATUSES, _OWN)}) AS waiting ORDER BY id LIMIT ?
) RETURNING id, event_id
""")  # noqa: S608
# In one transaction, whose time is limited; those beyond fail one by one when it is their turn
MOST_FAILED_AT_ONCE = 5000
_MOST_FALLBACKS = 500  # a statement: a suspension may fail a backlog of thousands
# One an event: two destinations may fail at the same time. Notices go to every one anyway.
_ADD_FALLBACKS = with_statuses("""
INSERT INTO deliveries
  (event_id, account_id, channel, destination, status, attempts, forgiven, next_attempt_at, stands_in_for)
SELECT e.id, e.account_id, dest.channel, dest.name, :pending, 0, 0, e.created_at, MIN(d.id)
FROM deliveries d
JOIN events e ON e.id = d.event_id
JOIN categories c ON c.account_id = e.account_id AND c.name = e.category
JOIN destinations dest ON dest.account_id = e.account_id AND dest.name = c.fallback
WHERE d.id IN ({failed}) AND d.status = :failed AND NOT e.notice AND {usable}
  AND NOT EXISTS (
    SELECT 1 FROM deliveries other WHERE other.event_id = e.id AND other.destination = c.fallback
  )
GROUP BY e.id, e.account_id, dest.channel, dest.name, e.created_at
RETURNING id
""")
_DUE_WHERE_REMOVED = with_statuses("""
UPDATE deliveries SET next_attempt_at = ?
WHERE id IN ({ids}) AND status = :pending AND NOT EXISTS (
    SELECT 1 FROM destinations dest
    WHERE dest.account_id = deliveries.account_id AND dest.name = deliveries.destination
      AND dest.channel = deliveries.channel
) RETURNING id
""")
_LOCK_EVENTS = """
SELECT id FROM events WHERE id IN (SELECT event_id FROM deliveries WHERE id IN ({failed}))
ORDER BY id FOR NO KEY UPDATE
"""

# In the order of the counters, lest two daemons wait for each other
_COUNT = with_statuses("""
INSERT INTO delivery_activity (account_id, slot, category, destination, delivered, failed)
SELECT e.account_id, CAST(? AS BIGINT), e.category, d.destination,
    COUNT(CASE WHEN d.status = :delivered THEN 1 END), COUNT(CASE WHEN d.status = :failed THEN 1 END)
FROM deliveries d JOIN events e ON e.id = d.event_id
WHERE d.id IN ({settled}) AND NOT e.notice
GROUP BY e.account_id, e.category, d.destination ORDER BY e.account_id, e.category, d.destination
ON CONFLICT (account_id, slot, category, destination) DO UPDATE SET
    delivered = delivery_activity.delivered + excluded.delivered,
    failed = delivery_activity.failed + excluded.failed
""")
_MOST_COUNTED = 500  # a statement: a suspension may fail a backlog of thousands


_GONE_AFTER_DAYS = 3
"""A recipient who was refused on so many days, with nothing delivered in between, counts as gone."""
_REFUSED_BEFORE = with_statuses("""
SELECT a.started_at FROM delivery_attempts a
JOIN deliveries d ON d.id = a.delivery_id
WHERE d.channel = ? AND d.status = :failed AND d.account_id = ? AND d.destination = ?
  AND a.outcome = ? AND a.started_at < ?
  AND NOT EXISTS (
    SELECT 1 FROM deliveries taken WHERE taken.channel = d.channel AND taken.status = :delivered
      AND taken.account_id = d.account_id AND taken.destination = d.destination
      AND taken.delivered_at > a.started_at
  )
""")


class Journal:
    """Records one channel's attempts for one daemon, many a commit."""

    def __init__(self, *, channel: str, daemon_id: str) -> None:
        self._channel = channel
        self._daemon_id = daemon_id
        self._failures = FailureCounts(channel)
        self._commits: Batcher[Attempt, set[UUID]] = Batcher(self._commit)

    async def record(self, attempt: Attempt) -> set[UUID]:
        """Write down what the attempt means for its deliveries; return the events whose deliveries changed.

        A recipient that is gone, or was refused on three days, has its destination suspended, what waits
        for it failed, and the owner told on the channels that still work. What failed goes out again over its
        category's fallback. Raises `DatabaseUnavailable`, or `IntegrityConflict` where an account is
        being deleted just now; nothing is recorded then.
        """
        return await self._commits.submit(attempt)

    async def idle(self) -> None:
        """Return when everything handed in is recorded."""
        await self._commits.idle()

    @unit_of_work
    async def _commit(self, attempts: list[Attempt]) -> list[set[UUID] | Exception]:
        changed: list[set[UUID] | Exception] = []
        failed: list[int] = []
        delivered: list[int] = []
        fates: list[tuple[Attempt, int]] = []
        async with transaction():
            for attempt in attempts:
                shared = len(attempt.claim.deliveries)
                is_new = await self._update(attempt)
                changed.append(attempt.claim.event_ids)
                if attempt.verdict.status is DeliveryStatus.FAILED:
                    failed += attempt.claim.delivery_ids
                elif attempt.verdict.status is DeliveryStatus.PENDING:
                    await self._forget_the_wait(attempt)
                elif attempt.verdict.status is DeliveryStatus.DELIVERED and is_new:
                    delivered += attempt.claim.delivery_ids
                if moved := attempt.verdict.moved_to:
                    await self._move(attempt, moved)
                if attempt.verdict.recipient_gone or await self._is_refused_for_days(attempt):
                    waiting = await self._suspend(attempt)
                    changed[-1] = attempt.claim.event_ids | set(waiting.values())
                    failed += waiting
                    shared += len(waiting)
                fates.append((attempt, shared))
            await _write_history([attempt for attempt in attempts if attempt.verdict.outcome])
            await _count(delivered + failed, attempts[-1].ended_at)
            await add_fallback_deliveries(failed)
            await self._failures.add(fates)  # last: all daemons share its rows
        return changed

    async def _update(self, attempt: Attempt) -> bool:
        """Return whether it changed anything: a lease may have run out meanwhile."""
        claim, verdict = attempt.claim, attempt.verdict
        delivered = verdict.status is DeliveryStatus.DELIVERED
        own = Delivery.filter(id__in=claim.delivery_ids)
        if delivered:  # true even if the lease ran out meanwhile
            own = own.exclude(status=DeliveryStatus.DELIVERED)
        else:
            own = own.filter(status=DeliveryStatus.SENDING, leased_by=self._daemon_id)
        reason = {"last_error": verdict.reason} if verdict.outcome or verdict.reason else {}
        changed = await own.update(
            **reason,
            status=verdict.status,
            attempts=F("attempts") + int(verdict.counted),
            next_attempt_at=verdict.next_attempt_at,
            leased_by=None,
            lease_until=None,
            delivered_at=attempt.ended_at if delivered else None,
        )
        return bool(changed)

    async def _forget_the_wait(self, attempt: Attempt) -> None:
        """Make due at once what was being sent while its destination was removed, so that it fails."""
        claim = attempt.claim
        if claim.destination not in direct_channels():
            await query(
                connection(),
                _DUE_WHERE_REMOVED.format(ids=marks(claim.delivery_ids)),
                [attempt.ended_at, *claim.delivery_ids],
            )

    async def _move(self, attempt: Attempt, moved: RecipientMoved) -> None:
        """Let all destinations that led there lead to the new address; tell their owner of a lost topic."""
        recipient = attempt.claim.recipient
        if recipient is None:
            return
        lost_topic = recipient.topic if moved.topic is None else None
        if moved.address != recipient.address:  # the whole room moved, and its topics with it
            await Destination.move_room(self._channel, recipient.address, to=moved.address)
        elif lost_topic is not None and await Destination.leave_topic(
            self._channel, recipient.address, lost_topic
        ):
            text = (
                f"{moved.reason} What goes to '{recipient.destination}' comes to the whole room from now on."
            )
            await notices.post_notice(attempt.claim.account_id, text, now=attempt.ended_at)

    async def _is_refused_for_days(self, attempt: Attempt) -> bool:
        if attempt.verdict.outcome is not AttemptOutcome.REFUSED:
            return False
        today = attempt.started_at.replace(hour=0, minute=0, second=0, microsecond=0)
        claim = attempt.claim
        own = [self._channel, claim.account_id, claim.destination]
        values = [*own, AttemptOutcome.REFUSED.value, today]
        before = await query(connection(), _REFUSED_BEFORE, values)
        days = {as_datetime(row["started_at"]).date() for row in before}
        return len(days) + 1 >= _GONE_AFTER_DAYS

    async def _suspend(self, attempt: Attempt) -> dict[int, UUID]:
        """Suspend the destination; return what waited for it and failed with it: ids with events."""
        claim, reason = attempt.claim, attempt.verdict.reason or ""
        if not reason.endswith((".", "!", "?")):  # a platform's words; others follow them
            reason += "."
        if claim.recipient is None or not await Destination.suspend(
            claim.account_id, claim.destination, address=claim.recipient.address, reason=reason
        ):
            return {}
        waiting = await query(
            connection(),
            _FAIL_WAITING,
            [
                reason,
                *[self._channel, claim.account_id, claim.destination] * len(WAITING_STATUSES),
                MOST_FAILED_AT_ONCE,
            ],
        )
        label = CHANNELS[self._channel].label
        what = f"{label} is suspended for your account"
        if claim.destination not in direct_channels():
            what = f"The destination '{claim.destination}' ({label}) is suspended"
        await notices.post_notice(
            claim.account_id,
            f"{what}: {reason} Link or switch it on again to go on.",
            now=attempt.ended_at,
        )
        return {row["id"]: as_uuid(row["event_id"]) for row in waiting}


async def _count(settled: Sequence[int], now: datetime) -> None:
    """Add deliveries that were delivered or failed to what their account is shown of its days."""
    for start in range(0, len(settled), _MOST_COUNTED):
        some = settled[start : start + _MOST_COUNTED]
        await query(connection(), _COUNT.format(settled=marks(some)), [slot_of(now), *some])


async def _write_history(attempts: list[Attempt]) -> None:
    """Record the attempts of those deliveries that still exist: an account may be deleted at any moment."""
    ids = [delivery_id for attempt in attempts for delivery_id in attempt.claim.delivery_ids]
    if not ids:
        return
    found = await query(connection(), f"SELECT id FROM deliveries WHERE id IN ({marks(ids)})", ids)  # noqa: S608
    existing = {row["id"] for row in found}
    await DeliveryAttempt.bulk_create(
        [
            DeliveryAttempt(
                delivery_id=delivery_id,
                started_at=attempt.started_at,
                duration_ms=round(attempt.duration / timedelta(milliseconds=1)),
                outcome=attempt.verdict.outcome,
                reason=attempt.verdict.reason,
            )
            for attempt in attempts
            for delivery_id in attempt.claim.delivery_ids
            if delivery_id in existing
        ]
    )


async def add_fallback_deliveries(failed: Sequence[int]) -> None:
    """Queue a delivery to the fallback for each event of these deliveries that has none there yet.

    Called within the transaction that failed them. The fallback's dispatcher finds what is new by itself.
    """
    for start in range(0, len(failed), _MOST_FALLBACKS):
        some = failed[start : start + _MOST_FALLBACKS]
        if is_postgres(connection()):  # two channels' transactions must see each other's fallback deliveries
            await query(connection(), _LOCK_EVENTS.format(failed=marks(some)), some)
        await query(connection(), _ADD_FALLBACKS.format(failed=marks(some), usable=USABLE), some)
