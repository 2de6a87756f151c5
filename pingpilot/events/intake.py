"""The group commit: whatever arrives while one commit is under way shares the next."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.exceptions import IntegrityError

from models import DeliveryStatus
from models.database import DATABASE_ERRORS, transaction, unit_of_work
from models.sql import insert_rows
from pingpilot.accounts.quota import month_of
from pingpilot.batching import Batcher
from pingpilot.clock import Clock
from pingpilot.events.ledger import Ledger
from pingpilot.events.submission import Acceptance, NotStored, Submission
from pingpilot.storage.watch import DatabaseWatch
from pingpilot.telemetry.metrics import Metrics

Accepted = Sequence[tuple[Submission, Acceptance]]


class Intake:
    """Accepts events: charges the quota, stores event and deliveries, all in one transaction a batch.

    `on_deliveries` is told the channels that have something to do after a commit, `database` what fails.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        database: DatabaseWatch,
        metrics: Metrics,
        on_deliveries: Callable[[set[str]], None],
    ) -> None:
        self._clock = clock
        self._database = database
        self._metrics = metrics
        self._on_deliveries = on_deliveries
        self._commits: Batcher[Submission, Acceptance] = Batcher(self._commit)

    async def submit(self, submission: Submission) -> Acceptance:
        """Return after the commit that holds the event and its deliveries.

        Raises `CategoryNotFound`, `IdempotencyKeyReused` or `QuotaExceeded`, each for this submission
        alone, or `NotStored` for all of a batch whose commit failed; for one whose account is gone, alone.
        """
        return await self._commits.submit(submission)

    async def _commit(self, batch: list[Submission]) -> list[Acceptance | Exception]:
        began = self._clock.monotonic()
        try:
            verdicts = await _store(batch, self._clock.now())
        except DATABASE_ERRORS as exc:
            if isinstance(exc, IntegrityError) and len(batch) > 1:
                return await self._commit_apart(batch)
            self._metrics.commit_failures.inc()
            self._database.failed(exc, "A batch of events could not be stored", events=len(batch))
            raise NotStored("The event could not be stored.") from exc
        accepted = _accepted(batch, verdicts)
        self._metrics.note_commit(len(accepted), self._clock.monotonic() - began)
        self._on_deliveries({channel for _, acceptance in accepted for channel in acceptance.channels})
        return verdicts

    async def _commit_apart(self, batch: list[Submission]) -> list[Acceptance | Exception]:
        """Commit each half by itself: an account deleted since its key was checked fails nobody else."""
        verdicts: list[Acceptance | Exception] = []
        middle = len(batch) // 2
        for half in (batch[:middle], batch[middle:]):
            try:
                verdicts += await self._commit(half)
            except NotStored as exc:
                verdicts += [exc] * len(half)
        return verdicts


@unit_of_work
async def _store(batch: list[Submission], now: datetime) -> list[Acceptance | Exception]:
    async with transaction() as connection:
        ledger = await Ledger.open(connection, batch, now)
        verdicts = [ledger.judge(submission) for submission in batch]
        await ledger.close()
        if accepted := _accepted(batch, verdicts):
            await _count_categories(connection, accepted, now)
            await _insert_events(connection, accepted, now)
            await _queue_deliveries(connection, accepted, now)
            await _remember_keys(connection, accepted, now)
    return verdicts


def _accepted(batch: Sequence[Submission], verdicts: Sequence[Acceptance | Exception]) -> Accepted:
    return [
        (submission, verdict)
        for submission, verdict in zip(batch, verdicts, strict=True)
        if isinstance(verdict, Acceptance) and not verdict.replayed
    ]


async def _count_categories(connection: BaseDBAsyncClient, accepted: Accepted, now: datetime) -> None:
    month = month_of(now)
    counts = Counter((each.caller.account_id, each.category) for each, _ in accepted)
    await insert_rows(
        connection,
        "category_usage",
        ("account_id", "category", "month", "events", "last_event_at"),
        [(account, name, month, count, now) for (account, name), count in sorted(counts.items())],
        "ON CONFLICT (account_id, category, month) DO UPDATE SET "
        "events = category_usage.events + excluded.events, last_event_at = excluded.last_event_at",
    )


async def _insert_events(connection: BaseDBAsyncClient, accepted: Accepted, now: datetime) -> None:
    await insert_rows(
        connection,
        "events",
        ("id", "account_id", "category", "description", "fields_json", "created_at"),
        [
            (event.event_id, each.caller.account_id, each.category, each.description, each.fields_json, now)
            for each, event in accepted
        ],
    )


async def _queue_deliveries(connection: BaseDBAsyncClient, accepted: Accepted, now: datetime) -> None:
    rows: list[tuple[Any, ...]] = [
        (event.event_id, each.caller.account_id, channel, DeliveryStatus.PENDING.value, now)
        for each, event in accepted
        for channel in event.channels
    ]
    if rows:
        columns = ("event_id", "account_id", "channel", "status", "next_attempt_at")
        await insert_rows(connection, "deliveries", columns, rows)


async def _remember_keys(connection: BaseDBAsyncClient, accepted: Accepted, now: datetime) -> None:
    rows = [
        (each.caller.account_id, each.idempotency_key, each.body_hash, event.event_id, now)
        for each, event in accepted
        if each.idempotency_key
    ]
    if rows:
        await insert_rows(
            connection,
            "idempotency_keys",
            ("account_id", "key", "body_hash", "event_id", "created_at"),
            rows,
            "ON CONFLICT (account_id, key) DO UPDATE SET body_hash = excluded.body_hash, "
            "event_id = excluded.event_id, created_at = excluded.created_at",
        )
