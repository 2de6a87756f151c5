"""The queue: a channel's deliveries in the database, claimed by lease."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from models import DeliveryAttempt
from models.database import connection, transaction, unit_of_work
from models.sql import Row, is_postgres, marks, query
from pingpilot.channels import CHANNELS
from pingpilot.delivery.claims import Claim, Company, claim_over, company_of
from pingpilot.delivery.retry import HOLDS_BACK, interrupted

LEASE = timedelta(minutes=3)
"""Longer than any send takes with its wait for a turn: a lease that runs out belongs to a dead daemon."""

MOST_COMBINED = 2000
"""Deliveries that one round of claims adds to those it found due."""
# One delivery of each account that has none being sent, where it is due: its oldest waiting one, or one
# that has stepped aside.
_DUE = """
SELECT id FROM deliveries
WHERE id IN (
    SELECT MIN(id) FROM deliveries
    WHERE id IN (
        SELECT MIN(id) FROM deliveries
        WHERE channel = ? AND status = 'pending' AND attempts <= ? GROUP BY account_id
        UNION ALL
        SELECT id FROM deliveries WHERE channel = ? AND status = 'pending' AND attempts > ?
    )
    AND next_attempt_at <= ?
    AND account_id NOT IN (SELECT account_id FROM deliveries WHERE channel = ? AND status = 'sending')
    GROUP BY account_id
)
AND status = 'pending'
ORDER BY next_attempt_at, id LIMIT ?
"""
_CLAIM = """
UPDATE deliveries SET status = 'sending', leased_by = ?, lease_until = ? WHERE id IN ({due}) RETURNING id
"""
# What waits behind a claimed delivery and can go out with it: for a first attempt all that is due and was
# never sent, for another one the set that went out together before, so that the platform knows the message
# again. An attempt that was interrupted counts for nothing; it is told by the error it left.
_COMPANIONS = """
SELECT h.id AS head, w.id, (e.notice OR COALESCE(c.urgent, FALSE)) AS passes FROM deliveries h
JOIN deliveries w ON w.account_id = h.account_id AND w.channel = h.channel AND w.status = 'pending'
    AND w.attempts = h.attempts AND w.next_attempt_at <= ?
    AND (h.attempts = 0 AND h.last_error IS NULL AND w.last_error IS NULL
         OR w.next_attempt_at = h.next_attempt_at)
JOIN events e ON e.id = w.event_id
LEFT JOIN categories c ON c.account_id = w.account_id AND c.name = e.category
WHERE h.id IN ({heads}) ORDER BY w.id LIMIT ?
"""
_CLAIMED = """
SELECT d.id, d.event_id, d.account_id, d.attempts - d.forgiven AS attempts, e.category, e.description,
       e.fields_json, e.notice, e.created_at, c.color, c.emoji, c.urgent, a.time_zone, a.combine, ac.enabled,
       ac.address, ac.suspended_reason, ac.quiet_from, ac.quiet_until, ac.quiet_silently, ac.muted_until
FROM deliveries d
JOIN events e ON e.id = d.event_id
JOIN accounts a ON a.id = d.account_id
LEFT JOIN categories c ON c.account_id = d.account_id AND c.name = e.category
LEFT JOIN account_channels ac ON ac.account_id = d.account_id AND ac.channel = d.channel
WHERE d.id IN ({ids}) ORDER BY d.id
"""


class DeliveryQueue:
    """One channel's deliveries, as this daemon claims them."""

    def __init__(self, *, channel: str, daemon_id: str) -> None:
        self._channel = channel
        self._daemon_id = daemon_id

    async def claim(self, most: int, now: datetime) -> list[Claim]:
        """Lease what is due, one message an account at a time, oldest first; return what to send."""
        due = _DUE + ("FOR UPDATE SKIP LOCKED" if is_postgres(connection()) else "")
        name = self._channel
        values = [name, HOLDS_BACK, name, HOLDS_BACK, now, name, most]
        lease = [self._daemon_id, now + LEASE]
        rows = await query(connection(), _CLAIM.format(due=due), [*lease, *values])
        if not rows:
            return []
        heads = await self._read([row["id"] for row in rows])
        groups = await self._claim_companions(heads, now)
        label = CHANNELS[self._channel].label
        return [claim_over(groups.get(row["id"], [row]), label, now) for row in heads]

    async def _read(self, ids: Sequence[int]) -> list[Row]:
        return await query(connection(), _CLAIMED.format(ids=marks(ids)), ids)

    async def _claim_companions(self, heads: Sequence[Row], now: datetime) -> dict[int, list[Row]]:
        """Lease what goes along with the heads; return each head with its own, oldest first."""
        company = {row["id"]: each for row in heads if (each := company_of(row, now))}
        if not company:
            return {}
        ids = list(company)
        sql = _COMPANIONS.format(heads=marks(ids))
        chosen = _chosen(await query(connection(), sql, [now, *ids, MOST_COMBINED]), company)
        if not chosen:
            return {}
        leased = await query(
            connection(),
            "UPDATE deliveries SET status = 'sending', leased_by = ?, lease_until = ? "  # noqa: S608
            f"WHERE id IN ({marks(chosen)}) AND status = 'pending' RETURNING id",
            [self._daemon_id, now + LEASE, *chosen],
        )
        rows = await self._read([row["id"] for row in leased])
        return {
            head["id"]: [head, *(row for row in rows if row["account_id"] == head["account_id"])]
            for head in heads
            if head["id"] in company
        }

    async def release_held(self, now: datetime) -> None:
        """Put those back in the queue whose quiet hours are over."""
        await query(
            connection(),
            "UPDATE deliveries SET status = 'pending' "
            "WHERE channel = ? AND status = 'held' AND next_attempt_at <= ? RETURNING id",
            [self._channel, now],
        )

    @unit_of_work
    async def recover(self, now: datetime) -> int:
        """Take back what this daemon was sending when it died; return how many. Called before it sends."""
        return await self._take_back("leased_by = ?", [self._daemon_id], now)

    @unit_of_work
    async def put_back(self, *, sparing: Sequence[int]) -> None:
        """Put back what this daemon leased and never began to send; `sparing` are those it is sending."""
        others = f"AND id NOT IN ({marks(sparing)}) " if sparing else ""
        await query(
            connection(),
            "UPDATE deliveries SET status = 'pending', leased_by = NULL, lease_until = NULL "  # noqa: S608
            f"WHERE channel = ? AND status = 'sending' AND leased_by = ? {others}RETURNING id",
            [self._channel, self._daemon_id, *sparing],
        )

    @unit_of_work
    async def expire_leases(self, now: datetime, *, sparing: Sequence[int]) -> int:
        """Take back what a daemon held longer than its lease; return how many.

        `sparing` are the deliveries that the caller is sending itself, however long that takes.
        """
        condition = "lease_until < ?"
        if sparing:
            condition += f" AND id NOT IN ({marks(sparing)})"
        return await self._take_back(condition, [now, *sparing], now)

    async def _take_back(self, condition: str, values: Sequence[Any], now: datetime) -> int:
        verdict = interrupted(now)
        async with transaction() as connection:
            rows = await query(
                connection,
                "UPDATE deliveries SET status = 'pending', next_attempt_at = ?, leased_by = NULL, "  # noqa: S608
                "lease_until = NULL, last_error = ? "
                f"WHERE channel = ? AND status = 'sending' AND {condition} RETURNING id",
                [now, verdict.reason, self._channel, *values],
            )
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


def _chosen(waiting: Sequence[Row], company: Mapping[int, Company]) -> list[int]:
    """Return those of what waits behind the heads that go along with one."""
    behind: defaultdict[int, list[int]] = defaultdict(list)
    for row in waiting:
        if company[row["head"]].takes(row):
            behind[row["head"]].append(row["id"])
    return [each for head, ids in behind.items() if len(ids) >= company[head].least for each in ids]
