"""The queue: a channel's deliveries in the database, claimed by lease."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from models import DeliveryAttempt
from models.database import connection, transaction, unit_of_work
from models.delivery import with_statuses
from models.sql import as_datetime, is_postgres, marks, query
from pingpilot.channels import CHANNELS
from pingpilot.clock import SKEW
from pingpilot.delivery.attempts import HOLDS_BACK, RETRY_DELAYS, interrupted, longest_wait
from pingpilot.delivery.claims import Claim, claim_over, companions_wanted
from pingpilot.delivery.due import DueDelivery, quiet_hours_of, read_due

LEASE = timedelta(minutes=3)
"""Longer than any send takes with its wait for a turn: a lease that runs out belongs to a dead daemon."""

MOST_COMBINED = 2000
"""Deliveries that one round of claims adds to those it found due."""
_NO_DELIVERY = 0  # an id that none has, since SQL knows no empty list
# One delivery of each destination that has none being sent, where it is due: its oldest waiting one, or
# one that has stepped aside. No account's second before all others' first, those being sent counted: slow
# destinations, of which one may have many, leave slots to the other accounts, however much waits for them.
_DUE = with_statuses("""
SELECT deliveries.id FROM deliveries
JOIN (
    SELECT MIN(id) AS id, ROW_NUMBER() OVER (PARTITION BY account_id ORDER BY MIN(id)) AS place
    FROM deliveries
    WHERE id IN (
        SELECT MIN(id) FROM deliveries
        WHERE channel = ? AND status = :pending AND attempts <= ? GROUP BY account_id, destination
        UNION ALL
        SELECT id FROM deliveries WHERE channel = ? AND status = :pending AND attempts > ?
    )
    AND next_attempt_at <= ?
    AND (account_id, destination) NOT IN (
        SELECT account_id, destination FROM deliveries WHERE channel = ? AND status = :sending
    )
    GROUP BY account_id, destination
) head ON head.id = deliveries.id
WHERE deliveries.status = :pending
ORDER BY head.place + (
    SELECT COUNT(DISTINCT busy.destination) FROM deliveries busy
    WHERE busy.channel = ? AND busy.status = :sending AND busy.account_id = deliveries.account_id
), deliveries.next_attempt_at, deliveries.id LIMIT ?
""")
# What is due is chosen once, before anything is changed: within the IN, PostgreSQL may choose it again for
# each row that it compares, and then skips what it has locked itself, so that its LIMIT holds for nothing
_CLAIM = with_statuses("""
WITH due AS {once} ({due})
UPDATE deliveries SET status = :sending, leased_by = ?, lease_until = ?
WHERE id IN (SELECT id FROM due) RETURNING id
""")
_CLAIM_STILL_PENDING = with_statuses("""
UPDATE deliveries SET status = :sending, leased_by = ?, lease_until = ?
WHERE id IN ({ids}) AND status = :pending RETURNING id
""")
# What waits behind a claimed delivery and can go out with it: for a first attempt all that is due and was
# never sent, for another one the set that went out together before, so that the platform knows the message
# again. An attempt that was interrupted counts for nothing; it is told by the error it left.
_COMPANIONS = with_statuses("""
SELECT h.id AS head, w.id, (e.notice OR COALESCE(c.urgent, FALSE)) AS passes FROM deliveries h
JOIN deliveries w ON w.account_id = h.account_id AND w.channel = h.channel AND w.status = :pending
    AND w.destination = h.destination
    AND w.attempts = h.attempts AND w.next_attempt_at <= ?
    AND (h.attempts = 0 AND h.last_error IS NULL AND w.last_error IS NULL
         OR w.next_attempt_at = h.next_attempt_at)
JOIN events e ON e.id = w.event_id
LEFT JOIN categories c ON c.account_id = w.account_id AND c.name = e.category
WHERE h.id IN ({heads}) ORDER BY w.id LIMIT ?
""")
_RELEASE = with_statuses("""
UPDATE deliveries SET status = :pending
WHERE channel = ? AND status = :held AND next_attempt_at <= ? RETURNING id
""")
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
    """One channel's deliveries, as this daemon claims them."""

    def __init__(self, *, channel: str, daemon_id: str) -> None:
        self._channel = channel
        self._daemon_id = daemon_id

    async def claim(self, most: int, now: datetime) -> list[Claim]:
        """Lease what is due, one message a destination at a time, oldest first; return what to send."""
        due, once = _DUE, ""
        if is_postgres(connection()):
            due, once = f"{_DUE} FOR UPDATE OF deliveries SKIP LOCKED", "MATERIALIZED"
        name = self._channel
        values = [name, HOLDS_BACK, name, HOLDS_BACK, now, name, name, most]
        lease = [self._daemon_id, now + LEASE]
        rows = await query(connection(), _CLAIM.format(due=due, once=once), [*values, *lease])
        if not rows:
            return []
        heads = await read_due([row["id"] for row in rows], now)
        companions = await self._claim_companions(heads, now)
        label = CHANNELS[self._channel].label
        return [claim_over([head, *companions[head.place]], label, now) for head in heads]

    async def _claim_companions(
        self, heads: Sequence[DueDelivery], now: datetime
    ) -> defaultdict[tuple[int, str], list[DueDelivery]]:
        """Lease what goes along with the heads, one a destination; return it by destination, oldest first."""
        leased: defaultdict[tuple[int, str], list[DueDelivery]] = defaultdict(list)
        wanted = {head.id: each for head in heads if (each := companions_wanted(head, now))}
        if not wanted:
            return leased
        sql = _COMPANIONS.format(heads=marks(list(wanted)))
        behind: defaultdict[int, list[int]] = defaultdict(list)
        for row in await query(connection(), sql, [now, *wanted, MOST_COMBINED]):
            if wanted[row["head"]].passing in (None, bool(row["passes"])):
                behind[row["head"]].append(row["id"])
        chosen = [each for head, ids in behind.items() if len(ids) >= wanted[head].least for each in ids]
        if chosen:
            sql = _CLAIM_STILL_PENDING.format(ids=marks(chosen))
            rows = await query(connection(), sql, [self._daemon_id, now + LEASE, *chosen])
            for due in await read_due([row["id"] for row in rows], now):
                leased[due.place].append(due)
        return leased

    async def release_held(self, now: datetime) -> None:
        """Put those back in the queue whose quiet hours are over."""
        await query(connection(), _RELEASE, [self._channel, now])

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
