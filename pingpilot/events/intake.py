"""The group commit: whatever arrives while one commit is under way shares the next."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import structlog
from tortoise.backends.base.client import BaseDBAsyncClient

from models import DeliveryStatus
from models.backends.errors import IntegrityConflict
from models.database import transaction, unit_of_work
from models.sql import insert_rows, marks, query
from pingpilot.accounts.quota import ALL, PlanLimits, Reached
from pingpilot.batching import Batcher
from pingpilot.clock import Clock
from pingpilot.errors import CommitInDoubt, DatabaseUnavailable
from pingpilot.events.ledger import Ledger
from pingpilot.events.live import Live
from pingpilot.events.quota_notices import tell_of_quota
from pingpilot.events.submission import Acceptance, NotStored, Submission
from pingpilot.storage.watch import DatabaseWatch
from pingpilot.telemetry.metrics import Metrics

Accepted = Sequence[tuple[Submission, Acceptance]]
Row = tuple[Any, ...]
Verdicts = list[Acceptance | Exception]

# Apart from the insert: hardly any event goes nowhere, and the others need not say so
_MARK = "UPDATE events SET goes_nowhere = TRUE WHERE id IN ({ids}) RETURNING id"

log = structlog.get_logger(__name__)


class Intake:
    """Accepts events: charges the quota, stores event and deliveries, all in one transaction a batch.

    `on_deliveries` is told the channels that have something to do after a commit, `database` what fails,
    `live` the accounts that got events.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        database: DatabaseWatch,
        metrics: Metrics,
        limits: PlanLimits,
        on_deliveries: Callable[[set[str]], None],
        live: Live | None = None,
    ) -> None:
        self._clock = clock
        self._database = database
        self._metrics = metrics
        self._limits = limits
        self._on_deliveries = on_deliveries
        self._live = live or Live()
        self._commits: Batcher[Submission, Acceptance] = Batcher(self._commit)

    async def submit(self, submission: Submission) -> Acceptance:
        """Return after the commit that holds the event and its deliveries.

        Raises `CategoryNotFound`, `IdempotencyKeyReused` or `QuotaExceeded`, each for this submission
        alone, or `NotStored` for all of a batch whose commit failed; for one whose account is gone, alone.
        Where nobody knows whether it was stored, it is another `DatabaseUnavailable`.
        """
        return await self._commits.submit(submission)

    async def _commit(self, batch: list[Submission]) -> list[Acceptance | Exception]:
        began = self._clock.monotonic()
        try:
            verdicts, reached, told = await self._store(batch, self._clock.now())
        except (DatabaseUnavailable, IntegrityConflict) as exc:
            if isinstance(exc, IntegrityConflict) and len(batch) > 1:
                return await self._commit_apart(batch)
            self._metrics.commit_failures.inc()
            self._database.failed(exc, "A batch of events could not be stored", events=len(batch))
            if isinstance(exc, CommitInDoubt):
                raise
            raise NotStored("The event could not be stored.") from exc
        accepted = _accepted(batch, verdicts)
        self._metrics.note_commit(len(accepted), self._clock.monotonic() - began)
        self._on_deliveries(
            {each.channel for _, acceptance in accepted for each in acceptance.targets} | told
        )
        self._live.announce({each.caller.account_id for each, _ in accepted})
        for each in reached:
            log.warning(
                "A month's quota is used up" if each.percent == ALL else "A month's quota is nearly used up",
                account_id=each.account_id,
                used=each.used,
                limit=each.limit,
            )
        return verdicts

    @unit_of_work
    async def _store(
        self, batch: list[Submission], now: datetime
    ) -> tuple[Verdicts, list[Reached], set[str]]:
        """Return the verdicts, who is told of their quota, and the channels that have to do with that."""
        async with transaction() as connection:
            ledger = await Ledger.open(connection, batch, now)
            verdicts = [ledger.judge(submission) for submission in batch]
            await ledger.close()
            if accepted := _accepted(batch, verdicts):
                await _insert(connection, accepted, now)
            reached = ledger.reached()
            told = await tell_of_quota(reached, self._limits.contact, now)
        return verdicts, reached, told

    async def _commit_apart(self, batch: list[Submission]) -> list[Acceptance | Exception]:
        """Commit each half by itself: an account deleted since its key was checked fails nobody else."""
        verdicts: list[Acceptance | Exception] = []
        middle = len(batch) // 2
        for half in (batch[:middle], batch[middle:]):
            try:
                verdicts += await self._commit(half)
            except (NotStored, CommitInDoubt) as exc:
                verdicts += [exc] * len(half)
        return verdicts


def _accepted(batch: Sequence[Submission], verdicts: Sequence[Acceptance | Exception]) -> Accepted:
    return [
        (submission, verdict)
        for submission, verdict in zip(batch, verdicts, strict=True)
        if isinstance(verdict, Acceptance) and not verdict.replayed
    ]


async def _insert(connection: BaseDBAsyncClient, accepted: Accepted, now: datetime) -> None:
    """Store what was accepted: events, deliveries and idempotency keys, a statement each."""
    events, deliveries, keys = list[Row](), list[Row](), list[Row]()
    for each, acceptance in accepted:
        account, event = each.caller.account_id, acceptance.event_id
        said = (each.title, each.url, each.description, each.fields_json)
        events.append((event, account, each.category, *said, now))
        for target in acceptance.targets:
            place = (target.channel, target.name)
            deliveries.append((event, account, *place, DeliveryStatus.PENDING.value, now))
        if each.idempotency_key:
            keys.append((account, each.idempotency_key, each.body_hash, event, now))
    columns: tuple[str, ...] = ("id", "account_id", "category")
    columns += ("title", "url", "description", "fields_json", "created_at")
    await insert_rows(connection, "events", columns, events)
    if nowhere := [acceptance.event_id for _, acceptance in accepted if acceptance.goes_nowhere]:
        await query(connection, _MARK.format(ids=marks(nowhere)), nowhere)
    if deliveries:
        columns = ("event_id", "account_id", "channel", "destination", "status", "next_attempt_at")
        await insert_rows(connection, "deliveries", columns, deliveries)
    if keys:
        await insert_rows(
            connection,
            "idempotency_keys",
            ("account_id", "key", "body_hash", "event_id", "created_at"),
            keys,
            "ON CONFLICT (account_id, key) DO UPDATE SET body_hash = excluded.body_hash, "  # after 24 hours
            "event_id = excluded.event_id, created_at = excluded.created_at",
        )
