"""Intake: accepts events. Charges the quota and stores events and deliveries, many requests a commit."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.transactions import in_transaction

from models import DeliveryStatus
from models.database import DATABASE_ERRORS, unit_of_work
from models.ids import uuid7
from models.sql import Row, as_datetime, as_uuid, insert_rows, marks, query
from pingpilot.authentication import Caller
from pingpilot.batching import Batcher
from pingpilot.clock import Clock
from pingpilot.errors import PingPilotError
from pingpilot.quota import month_end, month_of

IDEMPOTENCY_WINDOW = timedelta(hours=24)

log = structlog.get_logger(__name__)


class CategoryNotFound(PingPilotError):
    """The account has no category of this name."""


class QuotaExceeded(PingPilotError):
    """The month's quota is used up; `limit` events were accepted until `resets_at`."""

    def __init__(self, limit: int, resets_at: datetime) -> None:
        super().__init__("The month's quota is used up.")
        self.limit = limit
        self.resets_at = resets_at


class IdempotencyKeyReused(PingPilotError):
    """The idempotency key named another event within the last 24 hours."""


class NotStored(PingPilotError):
    """The commit failed; nothing of the batch is stored, and trying again is safe."""


@dataclass(frozen=True, slots=True)
class Submission:
    """One event somebody wants accepted. `body_hash` tells two bodies under one key apart."""

    caller: Caller
    category: str
    description: str
    fields_json: str
    idempotency_key: str | None = None
    body_hash: str = ""


@dataclass(frozen=True, slots=True)
class Acceptance:
    """The word that an event is on the disk. `events_used` is the month's count with it."""

    event_id: UUID
    events_used: int
    replayed: bool = False


class Intake:
    """Accepts events in group commits: whatever arrives during one commit shares the next."""

    def __init__(self, *, clock: Clock, on_deliveries: Callable[[set[str]], None]) -> None:
        self._clock = clock
        self._on_deliveries = on_deliveries
        self._commits: Batcher[Submission, Acceptance] = Batcher(self._commit)

    async def submit(self, submission: Submission) -> Acceptance:
        """Return after the commit that holds the event and its deliveries.

        Raises `CategoryNotFound`, `IdempotencyKeyReused`, `QuotaExceeded` or `NotStored`, each for this
        submission alone but the last.
        """
        return await self._commits.submit(submission)

    async def _commit(self, batch: list[Submission]) -> list[Acceptance | Exception]:
        try:
            verdicts = await _store(batch, self._clock.now())
        except DATABASE_ERRORS as exc:
            log.exception("A batch of events could not be stored", events=len(batch))
            raise NotStored("The event could not be stored.") from exc
        self._on_deliveries(
            {
                channel
                for submission, verdict in zip(batch, verdicts, strict=True)
                if isinstance(verdict, Acceptance) and not verdict.replayed
                for channel in submission.caller.channels
            }
        )
        return verdicts


@unit_of_work
async def _store(batch: list[Submission], now: datetime) -> list[Acceptance | Exception]:
    async with in_transaction() as connection:
        ledger = await _Ledger.lock(connection, batch, now)
        verdicts = [ledger.judge(submission) for submission in batch]
        accepted = [
            (submission, verdict.event_id)
            for submission, verdict in zip(batch, verdicts, strict=True)
            if isinstance(verdict, Acceptance) and not verdict.replayed
        ]
        if accepted:
            await _write(connection, accepted, now)
    return verdicts


class _Ledger:
    """What decides over a batch, read under the lock that the accounts' month counters are."""

    def __init__(self, now: datetime, used: dict[int, int], categories: set[tuple[int, str]]) -> None:
        self._now = now
        self._used = used
        self._categories = categories
        self._known: dict[tuple[int, str], tuple[str, UUID]] = {}

    @classmethod
    async def lock(
        cls, connection: BaseDBAsyncClient, batch: Sequence[Submission], now: datetime
    ) -> "_Ledger":
        """Take the counters' locks, then read. The first statement writes: SQLite can't upgrade a read.

        Accounts are locked in order, lest two daemons wait for each other.
        """
        accounts = sorted({submission.caller.account_id for submission in batch})
        counters = await insert_rows(
            connection,
            "monthly_usage",
            ("account_id", "month", "events"),
            [(account, month_of(now), 0) for account in accounts],
            "ON CONFLICT (account_id, month) DO UPDATE SET events = monthly_usage.events "
            "RETURNING account_id, events",
        )
        used = {row["account_id"]: row["events"] for row in counters}
        ledger = cls(now, used, await _known_categories(connection, batch))
        await ledger._recall(connection, batch)
        return ledger

    async def _recall(self, connection: BaseDBAsyncClient, batch: Sequence[Submission]) -> None:
        named = [submission for submission in batch if submission.idempotency_key]
        if not named:
            return
        accounts = sorted({submission.caller.account_id for submission in named})
        keys = sorted({submission.idempotency_key or "" for submission in named})
        rows = await query(
            connection,
            "SELECT account_id, key, body_hash, event_id, created_at FROM idempotency_keys "  # noqa: S608
            f"WHERE account_id IN ({marks(accounts)}) AND key IN ({marks(keys)})",
            [*accounts, *keys],
        )
        self._known = {
            (row["account_id"], row["key"]): (row["body_hash"], as_uuid(row["event_id"]))
            for row in rows
            if self._is_remembered(row)
        }

    def _is_remembered(self, row: Row) -> bool:
        return as_datetime(row["created_at"]) > self._now - IDEMPOTENCY_WINDOW

    def judge(self, submission: Submission) -> Acceptance | Exception:
        """Return the submission's verdict, in the order of the API's checks, and count it if accepted."""
        account = submission.caller.account_id
        if (account, submission.category) not in self._categories:
            return CategoryNotFound(submission.category)
        if first := self._known.get((account, submission.idempotency_key or "")):
            return self._replay(submission, *first)
        limit, used = submission.caller.limit, self._used[account]
        if limit is not None and used >= limit:
            return QuotaExceeded(limit, month_end(self._now))
        self._used[account] = used + 1
        acceptance = Acceptance(uuid7(), used + 1)
        if submission.idempotency_key:
            self._known[account, submission.idempotency_key] = (submission.body_hash, acceptance.event_id)
        return acceptance

    def _replay(self, submission: Submission, body_hash: str, event_id: UUID) -> Acceptance | Exception:
        if body_hash != submission.body_hash:
            return IdempotencyKeyReused("The idempotency key was used for another event.")
        return Acceptance(event_id, self._used[submission.caller.account_id], replayed=True)


async def _known_categories(
    connection: BaseDBAsyncClient, batch: Sequence[Submission]
) -> set[tuple[int, str]]:
    accounts = sorted({submission.caller.account_id for submission in batch})
    names = sorted({submission.category for submission in batch})
    rows = await query(
        connection,
        "SELECT account_id, name FROM categories "  # noqa: S608
        f"WHERE account_id IN ({marks(accounts)}) AND name IN ({marks(names)})",
        [*accounts, *names],
    )
    return {(row["account_id"], row["name"]) for row in rows}


async def _write(
    connection: BaseDBAsyncClient, accepted: Sequence[tuple[Submission, UUID]], now: datetime
) -> None:
    await _charge(connection, [submission for submission, _ in accepted], now)
    await insert_rows(
        connection,
        "events",
        ("id", "account_id", "category", "description", "fields_json", "created_at"),
        [
            (event_id, each.caller.account_id, each.category, each.description, each.fields_json, now)
            for each, event_id in accepted
        ],
    )
    await _queue(connection, accepted, now)
    await _remember(connection, accepted, now)


async def _charge(connection: BaseDBAsyncClient, accepted: Sequence[Submission], now: datetime) -> None:
    month = month_of(now)
    accounts = Counter(each.caller.account_id for each in accepted)
    categories = Counter((each.caller.account_id, each.category) for each in accepted)
    await insert_rows(
        connection,
        "monthly_usage",
        ("account_id", "month", "events"),
        [(account, month, count) for account, count in sorted(accounts.items())],
        "ON CONFLICT (account_id, month) DO UPDATE SET events = monthly_usage.events + excluded.events",
    )
    await insert_rows(
        connection,
        "category_usage",
        ("account_id", "category", "month", "events", "last_event_at"),
        [(account, name, month, count, now) for (account, name), count in sorted(categories.items())],
        "ON CONFLICT (account_id, category, month) DO UPDATE SET "
        "events = category_usage.events + excluded.events, last_event_at = excluded.last_event_at",
    )


async def _queue(
    connection: BaseDBAsyncClient, accepted: Sequence[tuple[Submission, UUID]], now: datetime
) -> None:
    rows: list[tuple[Any, ...]] = [
        (event_id, each.caller.account_id, channel, DeliveryStatus.PENDING.value, now)
        for each, event_id in accepted
        for channel in each.caller.channels
    ]
    if rows:
        columns = ("event_id", "account_id", "channel", "status", "next_attempt_at")
        await insert_rows(connection, "deliveries", columns, rows)


async def _remember(
    connection: BaseDBAsyncClient, accepted: Sequence[tuple[Submission, UUID]], now: datetime
) -> None:
    rows = [
        (each.caller.account_id, each.idempotency_key, each.body_hash, event_id, now)
        for each, event_id in accepted
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
