"""The backlog: how much waits for each channel and for how long, asked of the database for the metrics."""

import asyncio
from datetime import timedelta
from typing import Any

from models.database import DATABASE_ERRORS, reader, unit_of_work
from models.sql import Row, as_datetime, marks, query
from pingpilot.channels import CHANNELS
from pingpilot.clock import Clock
from pingpilot.telemetry.metrics import Metrics

PATIENCE = timedelta(seconds=2)
"""How long the database may take to answer before it counts as away."""
FRESH = timedelta(seconds=5)
"""How long an answer serves all who ask: anybody may, and a million open deliveries take it 300 ms."""
# Reads the entries of open deliveries in the index (channel, status, …), however many are settled
WAITING = """
SELECT waiting.channel, waiting.status, waiting.depth, e.created_at FROM (
    SELECT channel, status, COUNT(*) AS depth, MIN(id) AS oldest FROM deliveries
    WHERE channel IN ({channels}) AND status IN ('pending', 'sending', 'held') GROUP BY channel, status
) AS waiting
JOIN deliveries d ON d.id = waiting.oldest JOIN events e ON e.id = d.event_id
"""


class Backlog:
    """Keeps the metrics of the queue, which all daemons of a database share, as fresh as they are read."""

    def __init__(self, *, metrics: Metrics, clock: Clock, patience: timedelta = PATIENCE) -> None:
        self._metrics = metrics
        self._clock = clock
        self._patience = patience.total_seconds()
        self._question: asyncio.Future[list[Row]] | None = None
        self._asked_at = 0.0

    async def refresh(self) -> None:
        """Ask the database and show what it says; while it is away, show no number rather than an old one."""
        question = self._question
        if question is None or (question.done() and not self._is_fresh()):
            question = self._question = asyncio.ensure_future(_waiting())
            question.add_done_callback(_look_at)
            self._asked_at = self._clock.monotonic()
        await asyncio.wait([question], timeout=self._patience)  # not cancelled: that does harm
        self._show(question)

    def _is_fresh(self) -> bool:
        return self._clock.monotonic() - self._asked_at < FRESH.total_seconds()

    def _show(self, question: asyncio.Future[list[Row]]) -> None:
        try:
            rows = question.result()
        except (asyncio.InvalidStateError, *DATABASE_ERRORS):
            self._metrics.database_up.set(0)
            self._metrics.hide_queue()
        else:
            self._metrics.database_up.set(1)
            self._show_rows(rows)

    def _show_rows(self, rows: list[Row]) -> None:
        for channel in CHANNELS:
            self._show_channel(channel, {row["status"]: row for row in rows if row["channel"] == channel})

    def _show_channel(self, channel: str, by_status: dict[str, Row]) -> None:
        held = by_status.pop("held", None)
        now = self._clock.now()
        ages = [now - as_datetime(row["created_at"]) for row in by_status.values()]
        self._metrics.show_queue(
            channel,
            depth=sum(row["depth"] for row in by_status.values()),
            oldest_age=max([timedelta(), *ages]),
            held=held["depth"] if held else 0,
        )


@unit_of_work
async def _waiting() -> list[Row]:
    return await query(reader(), WAITING.format(channels=marks(list(CHANNELS))), list(CHANNELS))


def _look_at(question: asyncio.Future[Any]) -> None:
    """Spare asyncio's complaint about a failure nobody waited for."""
    if not question.cancelled():
        question.exception()
