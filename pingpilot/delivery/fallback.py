"""Stand-ins: what failed for good goes out again over its category's fallback channel."""

from collections.abc import Sequence

from models.database import connection
from models.sql import is_postgres, marks, query

_AT_ONCE = 500  # a suspension may fail a backlog of thousands; statements take so many values
# One an event: two channels may fail at the same time. Notices go to every channel anyway.
_STAND_IN = """
INSERT INTO deliveries
  (event_id, account_id, channel, status, attempts, forgiven, next_attempt_at, stands_in_for)
SELECT e.id, e.account_id, c.fallback, 'pending', 0, 0, e.created_at, MIN(d.id)
FROM deliveries d
JOIN events e ON e.id = d.event_id
JOIN categories c ON c.account_id = e.account_id AND c.name = e.category
JOIN account_channels ac ON ac.account_id = e.account_id AND ac.channel = c.fallback
WHERE d.id IN ({failed}) AND d.status = 'failed' AND NOT e.notice
  AND ac.enabled AND ac.address IS NOT NULL AND ac.suspended_reason IS NULL
  AND NOT EXISTS (SELECT 1 FROM deliveries other WHERE other.event_id = e.id AND other.channel = c.fallback)
GROUP BY e.id, e.account_id, c.fallback, e.created_at
RETURNING id
"""
_LOCK = """
SELECT id FROM events WHERE id IN (SELECT event_id FROM deliveries WHERE id IN ({failed}))
ORDER BY id FOR NO KEY UPDATE
"""


async def add_stand_ins(failed: Sequence[int]) -> None:
    """Queue a delivery over the fallback channel for each event of these deliveries that has none there yet.

    Called within the transaction that failed them. The fallback's dispatcher finds what is new by itself.
    """
    for start in range(0, len(failed), _AT_ONCE):
        some = failed[start : start + _AT_ONCE]
        if is_postgres(connection()):  # two channels' transactions must see each other's stand-ins
            await query(connection(), _LOCK.format(failed=marks(some)), some)
        await query(connection(), _STAND_IN.format(failed=marks(some)), some)
