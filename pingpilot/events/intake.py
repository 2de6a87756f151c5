"""The group commit: whatever arrives while one commit is under way shares the next."""

from collections.abc import Callable, Coroutine, Sequence, Set
from datetime import datetime
from typing import Any, NamedTuple

import structlog

from models import DeliveryStatus
from models.backends.errors import IntegrityConflict
from models.database import in_one_go
from models.work import Insert, Work
from pingpilot.accounts.quota import ALL, PlanLimits, Reached
from pingpilot.batching import Batcher
from pingpilot.clock import Clock
from pingpilot.errors import CommitInDoubt, DatabaseUnavailable, Undone
from pingpilot.events.ledger import Ledger
from pingpilot.events.live import Live
from pingpilot.events.quota_notices import tell_of_quota
from pingpilot.events.submission import Acceptance, NotStored, Submission
from pingpilot.storage.watch import DatabaseWatch
from pingpilot.telemetry.metrics import Metrics

Accepted = Sequence[tuple[Submission, Acceptance]]
Verdicts = list[Acceptance | Exception]

_LOCKS_FOR = 1.0
"""Seconds for which other daemons wait in turn, after one of them was faster with an account's counter."""

log = structlog.get_logger(__name__)


class _Stored(NamedTuple):
    """What became of a batch; of the accounts that were `overtaken`, nothing is stored or final."""

    verdicts: Verdicts
    accepted: Accepted
    reached: Sequence[Reached]
    overtaken: Set[int]


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
        self._locks_until = 0.0
        self._commits: Batcher[Submission, Acceptance] = Batcher(self._commit)

    @property
    def is_busy(self) -> bool:
        """Whether somebody waits for an event to be stored."""
        return self._commits.is_busy

    def submit(self, submission: Submission) -> Coroutine[Any, Any, Acceptance]:
        """Return after the commit that holds the event and its deliveries.

        Raises `CallerChanged`, `CategoryNotFound`, `IdempotencyKeyReused` or `QuotaExceeded`, each for this
        submission alone, or `NotStored` for all of a batch whose commit failed; for one whose account is
        gone, alone.
        Where nobody knows whether it was stored, it is another `DatabaseUnavailable`.
        """
        return self._commits.submit(submission)

    async def _commit(self, batch: list[Submission]) -> list[Acceptance | Exception]:
        began, now = self._clock.monotonic(), self._clock.now()
        locks = began < self._locks_until
        try:
            try:
                stored = await in_one_go(_store(batch, now, locks=locks), apart=not locks)
            except Undone:  # whom it was in the way of, such as a migration, goes on and ends
                stored = await in_one_go(_store(batch, now, locks=locks), apart=not locks)
        except (DatabaseUnavailable, IntegrityConflict) as exc:
            if isinstance(exc, IntegrityConflict) and len(batch) > 1:
                middle = len(batch) // 2  # an account deleted since its key was checked fails nobody else
                return [*await self._outcomes(batch[:middle]), *await self._outcomes(batch[middle:])]
            self._metrics.commit_failures.inc()
            self._database.failed(exc, "A batch of events could not be stored", events=len(batch))
            if isinstance(exc, CommitInDoubt):
                raise
            raise NotStored("The event could not be stored.") from exc
        accepted, verdicts = stored.accepted, stored.verdicts
        self._metrics.note_commit(len(accepted), self._clock.monotonic() - began)
        self._on_deliveries({each.channel for _, acceptance in accepted for each in acceptance.targets})
        self._live.announce({each.caller.account_id for each, _ in accepted})
        if stored.reached:
            await self._tell(stored.reached, now)
        if left := [place for place, each in enumerate(batch) if each.caller.account_id in stored.overtaken]:
            self._locks_until = self._clock.monotonic() + _LOCKS_FOR
            for place, verdict in zip(
                left, await self._outcomes([batch[place] for place in left]), strict=True
            ):
                verdicts[place] = verdict
        return verdicts

    async def _outcomes(self, part: list[Submission]) -> Verdicts:
        """Commit a part of a batch, whose failure is no other part's."""
        try:
            return await self._commit(part)
        except (NotStored, CommitInDoubt) as exc:
            return [exc] * len(part)

    async def _tell(self, reached: Sequence[Reached], now: datetime) -> None:
        for each in reached:
            log.warning(
                "A month's quota is used up" if each.percent == ALL else "A month's quota is nearly used up",
                account_id=each.account_id,
                used=each.used,
                limit=each.limit,
            )
        try:
            self._on_deliveries(await tell_of_quota(reached, self._limits.contact, now))
        except (DatabaseUnavailable, IntegrityConflict) as exc:  # the events are stored all the same
            self._database.failed(exc, "Accounts could not be told of their quota")


def _store(batch: Sequence[Submission], now: datetime, *, locks: bool) -> Work[_Stored]:
    """Judge a batch and store what is accepted."""
    ledger = yield from Ledger.open(batch, now, locks=locks)
    verdicts = [ledger.judge(submission) for submission in batch]
    accepted = [
        (submission, verdict)
        for submission, verdict in zip(batch, verdicts, strict=True)
        if isinstance(verdict, Acceptance) and not verdict.replayed
    ]
    reached = yield from ledger.close(_inserts(accepted, now))
    if ledger.overtaken:
        accepted = [each for each in accepted if each[0].caller.account_id not in ledger.overtaken]
    return _Stored(verdicts, accepted, reached, ledger.overtaken)


def _inserts(accepted: Accepted, now: datetime) -> list[Insert]:
    """Return what stores the accepted: events, deliveries and idempotency keys."""
    events, deliveries, keys = list[tuple[Any, ...]](), list[tuple[Any, ...]](), list[tuple[Any, ...]]()
    pending = DeliveryStatus.PENDING.value
    for each, acceptance in accepted:
        account, event = each.caller.account_id, acceptance.event_id
        said = (each.title, each.url, each.description, each.fields_json)
        events.append((event, account, each.category, *said, acceptance.goes_nowhere, now))
        for target in acceptance.targets:
            place = (target.channel, target.name, target.lane)
            deliveries.append((event, account, *place, pending, now))
        if each.idempotency_key:
            keys.append((account, each.idempotency_key, each.body_hash, event, now))
    columns: tuple[str, ...] = ("id", "account_id", "category")
    columns += ("title", "url", "description", "fields_json", "goes_nowhere", "created_at")
    inserts = [Insert("events", columns, events)]
    columns = ("event_id", "account_id", "channel", "destination", "lane", "status", "next_attempt_at")
    inserts.append(Insert("deliveries", columns, deliveries))
    columns = ("account_id", "key", "body_hash", "event_id", "created_at")
    # Where there is one already, its 24 hours are over
    anew = "ON CONFLICT (account_id, key) DO UPDATE SET body_hash = excluded.body_hash, "
    anew += "event_id = excluded.event_id, created_at = excluded.created_at"
    inserts.append(Insert("idempotency_keys", columns, keys, anew))
    return [each for each in inserts if each.rows]
