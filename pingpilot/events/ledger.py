"""The ledger: decides over each submission of a batch, under the lock of its accounts' month counters."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tortoise.backends.base.client import BaseDBAsyncClient

from models.activity import slot_of
from models.idempotency_key import IDEMPOTENCY_WINDOW
from models.ids import uuid7
from models.names import split
from models.sql import as_datetime, as_uuid, insert_rows, marks, query
from pingpilot.accounts.quota import Reached, month_end, month_of, percent_reached
from pingpilot.events.numbers import Sums
from pingpilot.events.routing import Route
from pingpilot.events.submission import (
    Acceptance,
    CategoryNotFound,
    IdempotencyKeyReused,
    QuotaExceeded,
    Submission,
)


@dataclass(frozen=True, slots=True)
class _KnownEvent:
    """The event that an idempotency key stands for."""

    body_hash: str
    event_id: UUID
    goes_nowhere: bool


class Ledger:
    """A batch's accounts as they are within its transaction. Made by `open`, ended by `close`."""

    def __init__(self, connection: BaseDBAsyncClient, now: datetime) -> None:
        self._connection = connection
        self._now = now
        self._charged: Counter[int] = Counter()
        self._accepted: Counter[tuple[int, str]] = Counter()
        self._sums = Sums()
        self._used: dict[int, int] = {}
        self._limits: dict[int, int] = {}
        self._told: dict[int, tuple[int, int | None]] = {}
        self._routes: dict[tuple[int, str], Route] = {}
        self._known: dict[tuple[int, str], _KnownEvent] = {}

    @classmethod
    async def open(
        cls, connection: BaseDBAsyncClient, batch: Sequence[Submission], now: datetime
    ) -> "Ledger":
        """Charge the whole batch, which locks its accounts' counters until the commit, then read the rest.

        The charge comes first since SQLite can't turn a read into a write while another process writes,
        and is for all since nearly always all are accepted; `close` gives the rest back.
        """
        ledger = cls(connection, now)
        ledger._charged = Counter(submission.caller.account_id for submission in batch)
        events = await ledger._charge(ledger._charged)
        ledger._used = {account: count - ledger._charged[account] for account, count in events.items()}
        accounts, names = sorted(events), sorted({submission.category for submission in batch})
        rows = await query(
            connection,
            "SELECT account_id, name, channels, fallback FROM categories "  # noqa: S608
            f"WHERE account_id IN ({marks(accounts)}) AND name IN ({marks(names)})",
            [*accounts, *names],
        )
        ledger._routes = {
            (row["account_id"], row["name"]): Route(split(row["channels"]), row["fallback"]) for row in rows
        }
        await ledger._read_idempotency_keys(batch)
        return ledger

    def judge(self, submission: Submission) -> Acceptance | Exception:
        """Return the submission's verdict, in the order of the API's checks, and count it if accepted.

        A replay is answered whatever became of its category and the quota since.
        """
        account = submission.caller.account_id
        known = self._known.get((account, submission.idempotency_key or ""))
        if known and known.body_hash == submission.body_hash:
            used = self._used[account]
            return Acceptance(known.event_id, used, replayed=True, goes_nowhere=known.goes_nowhere)
        if (account, submission.category) not in self._routes:
            return CategoryNotFound(submission.category)
        if known:
            return IdempotencyKeyReused("The idempotency key was used for another event.")
        limit, used = submission.caller.limit, self._used[account]
        if limit is not None:
            self._limits[account] = limit
            if used >= limit:
                return QuotaExceeded(limit, month_end(self._now))
        self._used[account] += 1
        self._accepted[account, submission.category] += 1
        if submission.numbers:
            self._sums.add(account, submission.category, submission.numbers)
        route = self._routes[account, submission.category]
        targets = route.targets_for(submission.caller)
        event_id, goes_nowhere = uuid7(), not targets
        if submission.idempotency_key:
            known = _KnownEvent(submission.body_hash, event_id, goes_nowhere)
            self._known[account, submission.idempotency_key] = known
        return Acceptance(event_id, self._used[account], targets, goes_nowhere=goes_nowhere)

    def reached(self) -> list[Reached]:
        """Return the accounts to be told now how much of their limit they have used, and were not yet.

        By where they stand, not by what this batch added: a limit may have been lowered since.
        """
        found = []
        for account, limit in self._limits.items():
            used, (told, told_limit) = self._used[account], self._told[account]
            percent = percent_reached(used, limit)
            if percent > (told if told_limit == limit else 0):
                found.append(Reached(account, percent, used, limit))
        return found

    async def close(self) -> None:
        """Give back what was charged for submissions that were not accepted; count the others by category,
        and add up their numbers.
        """
        refunds = Counter[int]()
        refunds.subtract(self._charged)
        for (account, _), count in self._accepted.items():
            refunds[account] += count
        if any(refunds.values()):
            await self._charge({account: count for account, count in refunds.items() if count})
        if self._accepted:
            month = month_of(self._now)
            await insert_rows(
                self._connection,
                "category_usage",
                ("account_id", "category", "month", "events", "last_event_at"),
                [
                    (account, name, month, count, self._now)
                    for (account, name), count in sorted(self._accepted.items())
                ],
                "ON CONFLICT (account_id, category, month) DO UPDATE SET "
                "events = category_usage.events + excluded.events, last_event_at = excluded.last_event_at",
            )
            slot = slot_of(self._now)
            await insert_rows(
                self._connection,
                "category_activity",
                ("account_id", "slot", "category", "events"),
                [(account, slot, name, count) for (account, name), count in sorted(self._accepted.items())],
                "ON CONFLICT (account_id, slot, category) DO UPDATE SET "
                "events = category_activity.events + excluded.events",
            )
            await self._sums.store(self._connection, slot)

    async def _charge(self, events: Mapping[int, int]) -> dict[int, int]:
        """Add to the month counters and return what they are then.

        In the accounts' order, lest two daemons wait for each other.
        """
        month = month_of(self._now)
        rows = await insert_rows(
            self._connection,
            "monthly_usage",
            ("account_id", "month", "events"),
            [(account, month, count) for account, count in sorted(events.items())],
            "ON CONFLICT (account_id, month) DO UPDATE SET events = monthly_usage.events + excluded.events "
            "RETURNING account_id, events, told_percent, told_limit",
        )
        self._told = {
            row["account_id"]: (row["told_percent"], row["told_limit"]) for row in rows
        } | self._told
        return {row["account_id"]: row["events"] for row in rows}

    async def _read_idempotency_keys(self, batch: Sequence[Submission]) -> None:
        named = [submission for submission in batch if submission.idempotency_key]
        if not named:
            return
        accounts = sorted({submission.caller.account_id for submission in named})
        keys = sorted({submission.idempotency_key or "" for submission in named})
        rows = await query(
            self._connection,
            "SELECT account_id, key, body_hash, event_id, created_at, EXISTS "  # noqa: S608
            "(SELECT 1 FROM deliveries d WHERE d.event_id = k.event_id) AS is_sent FROM idempotency_keys k "
            f"WHERE account_id IN ({marks(accounts)}) AND key IN ({marks(keys)})",
            [*accounts, *keys],
        )
        self._known = {
            (row["account_id"], row["key"]): _KnownEvent(
                row["body_hash"], as_uuid(row["event_id"]), goes_nowhere=not row["is_sent"]
            )
            for row in rows
            # A day on either side: one from a clock that was ahead is not remembered for ever
            if abs(as_datetime(row["created_at"]) - self._now) < IDEMPOTENCY_WINDOW
        }
