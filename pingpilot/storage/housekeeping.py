"""Housekeeping: removes what is no longer needed, a little at a time, so that intake never waits for it."""

import asyncio
import random
from datetime import timedelta
from functools import partial

import structlog

from models import failure_count, incoming_update
from models.activity import KEPT_FOR, slot_of
from models.database import connection, unit_of_work
from models.delivery import with_statuses
from models.idempotency_key import IDEMPOTENCY_WINDOW
from models.ids import first_id_at
from models.sql import query
from pingpilot.clock import Clock
from pingpilot.errors import DatabaseUnavailable

EVERY = timedelta(minutes=10)
BATCH = 200
"""Rows removed in one statement: a few milliseconds of the database's time."""
_KEPT_AFTER_END = timedelta(days=1)  # so that a late click is told that its time is over
_BREATH = 0.05  # seconds between batches, for everybody else

_OLD_ROWS = """
DELETE FROM {table} WHERE id IN (
    SELECT id FROM {table} WHERE {column} < ? ORDER BY {column} LIMIT ?
) RETURNING id
"""
# Deliveries, attempts and keys go with their event (ON DELETE CASCADE)
_OLD_EVENTS = with_statuses("""
DELETE FROM events WHERE id IN (
    SELECT e.id FROM events e WHERE e.id < ? AND NOT EXISTS (
        SELECT 1 FROM deliveries d WHERE d.event_id = e.id AND d.status NOT IN (:delivered, :failed)
    ) ORDER BY e.id LIMIT ?
) RETURNING id
""")

log = structlog.get_logger(__name__)


class Housekeeper:
    """Removes what has run out (idempotency keys, sessions, links), counts that are too old to be shown, and
    events older than `retention` whose deliveries are all settled.
    """

    def __init__(self, *, clock: Clock, retention: timedelta) -> None:
        self._clock = clock
        self._retention = retention

    async def run(self) -> None:
        """Tidy up now and then, for ever; a database that is away is tried again next time."""
        while True:
            try:
                await self.tidy()
            except DatabaseUnavailable as exc:
                log.warning("Housekeeping could not finish", reason=str(exc))
            # With jitter: daemons that were started together shall not tidy together ever after
            await self._clock.sleep(EVERY.total_seconds() * random.uniform(0.8, 1.2))  # noqa: S311

    async def tidy(self) -> int:
        """Remove all that is due; return how many events went."""
        now = self._clock.now()
        ended, oldest_slot = now - _KEPT_AFTER_END, slot_of(now - KEPT_FOR)
        for table, column, before in (
            ("idempotency_keys", "created_at", now - IDEMPOTENCY_WINDOW),
            ("incoming_updates", "received_at", now - incoming_update.KEPT_FOR),
            ("sessions", "expires_at", ended),
            ("sign_in_links", "expires_at", ended),
            ("sign_up_links", "expires_at", ended),
            ("failure_counts", "hour", failure_count.hour_of(now - failure_count.KEPT_FOR)),
            ("category_activity", "slot", oldest_slot),
            ("delivery_activity", "slot", oldest_slot),
            ("number_totals", "slot", oldest_slot),
        ):
            await self._remove(_OLD_ROWS.format(table=table, column=column), before)
        removed = await self._remove(_OLD_EVENTS, first_id_at(now - self._retention))
        if removed:
            log.info("Old events removed", count=removed)
        return removed

    async def _remove(self, sql: str, before: object) -> int:
        removed = 0
        delete = unit_of_work(partial(query, connection(), sql, [before, BATCH]))
        while count := len(await delete()):
            removed += count
            await asyncio.sleep(_BREATH)
        return removed
