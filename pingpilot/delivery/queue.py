"""The queue: what is put right in a channel's deliveries when a daemon, a lease or a clock was wrong."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from models import DeliveryAttempt
from models.database import connection, transaction, unit_of_work
from models.delivery import with_statuses
from models.sql import as_datetime, marks, query
from pingpilot.clock import SKEW
from pingpilot.delivery.attempts import RETRY_DELAYS, interrupted, longest_wait
from pingpilot.delivery.claiming import LEASE
from pingpilot.delivery.due import quiet_hours_of

_NO_DELIVERY = 0  # an id that none has, since SQL knows no empty list
_PUT_BACK = with_statuses("""
UPDATE deliveries SET status = :pending, leased_by = NULL, lease_until = NULL
WHERE channel = ? AND status = :sending AND leased_by = ? AND id NOT IN ({spared}) RETURNING id
""")
_BRING_FORWARD = with_statuses("""
UPDATE deliveries SET next_attempt_at = ?
WHERE channel = ? AND status = :pending AND ({too_late}) RETURNING id
""")
_HELD = with_statuses("""
SELECT d.account_id, d.destination, MAX(d.next_attempt_at) AS latest, a.time_zone, a.suspended_at,
       dest.quiet_from, dest.quiet_until, dest.quiet_silently, dest.muted_until
FROM deliveries d
JOIN accounts a ON a.id = d.account_id
JOIN destinations dest ON dest.account_id = d.account_id AND dest.name = d.destination
WHERE d.channel = ? AND d.status = :held
GROUP BY d.account_id, d.destination, a.time_zone, a.suspended_at, dest.quiet_from, dest.quiet_until,
         dest.quiet_silently, dest.muted_until
""")
_HOLD_UNTIL = with_statuses("""
UPDATE deliveries SET next_attempt_at = ?
WHERE channel = ? AND account_id = ? AND destination = ? AND status = :held AND next_attempt_at > ?
RETURNING id
""")
_TAKE_BACK = with_statuses("""
UPDATE deliveries
SET status = :pending, next_attempt_at = ?, leased_by = NULL, lease_until = NULL, last_error = ?
WHERE channel = ? AND status = :sending AND {condition} RETURNING id
""")


class DeliveryQueue:
    """One channel's deliveries, as this daemon looks after them."""

    def __init__(self, *, channel: str, daemon_id: str) -> None:
        self._channel = channel
        self._daemon_id = daemon_id

    @unit_of_work
    async def recover(self, dead: Sequence[str], now: datetime) -> int:
        """Take back what daemons that are certainly dead were sending; return how many."""
        return await self._take_back(f"leased_by IN ({marks(dead)})", dead, now) if dead else 0

    @unit_of_work
    async def put_back(self, *, sparing: Sequence[int]) -> None:
        """Put back what this daemon leased and never began to send; `sparing` are those it is sending."""
        spared = sparing or [_NO_DELIVERY]
        sql = _PUT_BACK.format(spared=marks(spared))
        await query(connection(), sql, [self._channel, self._daemon_id, *spared])

    @unit_of_work
    async def expire_leases(self, now: datetime, *, sparing: Sequence[int]) -> int:
        """Take back what a daemon held longer than its lease; return how many.

        A lease that ends later than any can was taken when that daemon's clock was wrong. `sparing` are
        the deliveries that the caller is sending itself, however long that takes.
        """
        spared = sparing or [_NO_DELIVERY]
        condition = f"(lease_until < ? OR lease_until > ?) AND id NOT IN ({marks(spared)})"
        return await self._take_back(condition, [now, now + LEASE + SKEW, *spared], now)

    @unit_of_work
    async def bring_forward(self, now: datetime, *, asked_for: timedelta) -> int:
        """Make due what waits longer than it can have to: its time was set by a clock that was ahead.

        What waits because a platform asked for it is believed as far as `asked_for`. Returns how many
        deliveries changed.
        """
        parts, latest = ["attempts <= forgiven AND next_attempt_at > ?"], [now + asked_for]
        for attempts in range(1, len(RETRY_DELAYS)):
            parts.append(f"attempts - forgiven = {attempts} AND next_attempt_at > ?")
            latest.append(now + max(longest_wait(attempts), asked_for) + SKEW)
        parts.append(f"attempts - forgiven >= {len(RETRY_DELAYS)} AND next_attempt_at > ?")
        latest.append(now + max(longest_wait(len(RETRY_DELAYS)), asked_for) + SKEW)
        sql = _BRING_FORWARD.format(too_late=" OR ".join(f"({part})" for part in parts))
        changed = len(await query(connection(), sql, [now, self._channel, *latest]))
        for row in await query(connection(), _HELD, [self._channel]):
            until = quiet_hours_of(row).quiet_until(now) or now
            if as_datetime(row["latest"]) > until:
                values = [until, self._channel, row["account_id"], row["destination"], until]
                changed += len(await query(connection(), _HOLD_UNTIL, values))
        return changed

    async def _take_back(self, condition: str, values: Sequence[Any], now: datetime) -> int:
        verdict = interrupted(now)
        sql = _TAKE_BACK.format(condition=condition)
        async with transaction() as connection:
            rows = await query(connection, sql, [now, verdict.reason, self._channel, *values])
            await DeliveryAttempt.bulk_create(
                [
                    DeliveryAttempt(
                        delivery_id=row["id"],
                        started_at=now,
                        duration_ms=0,
                        outcome=verdict.outcome,
                        reason=verdict.reason,
                    )
                    for row in rows
                ]
            )
        return len(rows)
