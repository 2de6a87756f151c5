"""The ledger: decides over each submission of a batch, under the lock of its accounts' month counters."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from models.activity import slot_of
from models.idempotency_key import IDEMPOTENCY_WINDOW
from models.ids import uuid7
from models.names import split
from models.sql import as_datetime, as_uuid
from models.work import Ask, Insert, Work
from pingpilot.accounts.callers import AsRead, read_again
from pingpilot.accounts.quota import Reached, month_end, month_of, percent_reached
from pingpilot.events.numbers import Sums
from pingpilot.events.routing import Route
from pingpilot.events.submission import (
    Acceptance,
    CallerChanged,
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

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._charged: Counter[int] = Counter()
        self._accepted: Counter[tuple[int, str]] = Counter()
        self._sums = Sums()
        self._used: dict[int, int] = {}
        self._limits: dict[int, int] = {}
        self._told: dict[int, tuple[int, int | None]] = {}
        self._routes: dict[tuple[int, str], Route] = {}
        self._known: dict[tuple[int, str], _KnownEvent] = {}
        self._as_read: Mapping[int, AsRead] = {}

    @classmethod
    def open(cls, batch: Sequence[Submission], now: datetime) -> Work["Ledger"]:
        """Charge the whole batch, which locks its accounts' counters until the commit, then read the rest.

        It is charged for all since nearly always all are accepted; `close` gives the rest back. Only those
        whose sender is not who they were, whose account may be gone, are left out.
        """
        ledger = cls(now)
        ledger._as_read = yield from read_again((each.caller for each in batch), now)
        ledger._charged = Counter(each.caller.account_id for each in batch if not ledger._has_changed(each))
        if not ledger._charged:
            return ledger
        events = yield from ledger._charge(ledger._charged)
        ledger._used = {account: count - ledger._charged[account] for account, count in events.items()}
        rows = yield Ask(
            "SELECT account_id, name, channels, fallback FROM categories "
            "WHERE account_id = ANY(?) AND name = ANY(?)",
            [[*events], [*{submission.category for submission in batch}]],
        )
        ledger._routes = {
            (account, name): Route(split(channels), fallback) for account, name, channels, fallback in rows
        }
        yield from ledger._read_idempotency_keys(batch)
        return ledger

    def judge(self, submission: Submission) -> Acceptance | Exception:
        """Return the submission's verdict, in the order of the API's checks, and count it if accepted.

        A replay is answered whatever became of its category and the quota since.
        """
        if self._has_changed(submission):
            return CallerChanged("The key was revoked, or its account changed.")
        account = submission.caller.account_id
        known = self._known.get((account, submission.idempotency_key or ""))
        if known and known.body_hash == submission.body_hash:
            used = self._used[account]
            return Acceptance(known.event_id, used, replayed=True, goes_nowhere=known.goes_nowhere)
        if (account, submission.category) not in self._routes:
            return CategoryNotFound(submission.category, self._used[account])
        if known:
            return IdempotencyKeyReused(
                "The idempotency key was used for another event.", self._used[account]
            )
        limit, used = submission.caller.limit, self._used[account]
        if limit is not None:
            self._limits[account] = limit
            if used >= limit:
                return QuotaExceeded(limit, month_end(self._now), used)
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

    def _has_changed(self, submission: Submission) -> bool:
        # Of one sender, a batch may hold what was read before a change and after it: each is compared
        caller = submission.caller
        return caller.as_read is not None and caller.as_read != self._as_read.get(caller.key_id)

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

    def close(self, then: Sequence[Insert] = ()) -> Work[None]:
        """Give back what was charged for submissions that were not accepted; count the others by category,
        add up their numbers, and insert what else is given.
        """
        refunds = Counter[int]()
        refunds.subtract(self._charged)
        for (account, _), count in self._accepted.items():
            refunds[account] += count
        if any(refunds.values()):
            yield from self._charge({account: count for account, count in refunds.items() if count})
        if not self._accepted:
            return
        accepted, month, slot = sorted(self._accepted.items()), month_of(self._now), slot_of(self._now)
        yield [
            Insert(
                "category_usage",
                ("account_id", "category", "month", "events", "last_event_at"),
                [(account, name, month, count, self._now) for (account, name), count in accepted],
                "ON CONFLICT (account_id, category, month) DO UPDATE SET "
                "events = category_usage.events + excluded.events, last_event_at = excluded.last_event_at",
            ),
            Insert(
                "category_activity",
                ("account_id", "slot", "category", "events"),
                [(account, slot, name, count) for (account, name), count in accepted],
                "ON CONFLICT (account_id, slot, category) DO UPDATE SET "
                "events = category_activity.events + excluded.events",
            ),
            *self._sums.inserts(slot),
            *then,
        ]

    def _charge(self, events: Mapping[int, int]) -> Work[dict[int, int]]:
        """Add to the month counters and return what they are then.

        In the accounts' order, lest two daemons wait for each other.
        """
        month = month_of(self._now)
        rows = yield Insert(
            "monthly_usage",
            ("account_id", "month", "events"),
            [(account, month, count) for account, count in sorted(events.items())],
            "ON CONFLICT (account_id, month) DO UPDATE SET events = monthly_usage.events + excluded.events "
            "RETURNING account_id, events, told_percent, told_limit",
        )
        self._told = {account: (percent, limit) for account, _, percent, limit in rows} | self._told
        return {account: count for account, count, _, _ in rows}

    def _read_idempotency_keys(self, batch: Sequence[Submission]) -> Work[None]:
        named = [submission for submission in batch if submission.idempotency_key]
        if not named:
            return
        rows = yield Ask(
            "SELECT account_id, key, body_hash, event_id, created_at, EXISTS "
            "(SELECT 1 FROM deliveries d WHERE d.event_id = k.event_id) AS is_sent FROM idempotency_keys k "
            "WHERE account_id = ANY(?) AND key = ANY(?)",
            [
                [*{submission.caller.account_id for submission in named}],
                [*{submission.idempotency_key for submission in named}],
            ],
        )
        self._known = {
            (row["account_id"], row["key"]): _KnownEvent(
                row["body_hash"], as_uuid(row["event_id"]), goes_nowhere=not row["is_sent"]
            )
            for row in rows
            # A day on either side: one from a clock that was ahead is not remembered for ever
            if abs(as_datetime(row["created_at"]) - self._now) < IDEMPOTENCY_WINDOW
        }
