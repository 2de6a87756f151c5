"""The ledger: decides over each submission of a batch, by its accounts' month counters."""

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from models.activity import slot_of
from models.idempotency_key import IDEMPOTENCY_WINDOW
from models.ids import uuid7
from models.names import split
from models.sql import as_datetime, as_uuid
from models.work import Ask, AskAll, Charge, Insert, Work
from pingpilot.accounts.callers import AsRead, by_key, still_as_read
from pingpilot.accounts.quota import Reached, month_end, month_of, percent_reached
from pingpilot.events.numbers import Sums
from pingpilot.events.routing import Route
from pingpilot.events.submission import (
    Acceptance,
    CallerChanged,
    CategoryNotFound,
    IdempotencyKeyReused,
    NotStored,
    QuotaExceeded,
    Submission,
)

_ACCOUNTS = """
SELECT a.id, u.events, u.told_percent, u.told_limit FROM accounts a
LEFT JOIN monthly_usage u ON u.account_id = a.id AND u.month = ? WHERE a.id = ANY(?)
"""
# In the accounts' order, lest two daemons wait for each other
_LOCK = """
SELECT account_id FROM monthly_usage WHERE account_id = ANY(?) AND month = ?
ORDER BY account_id FOR NO KEY UPDATE
"""
_ROUTES = """
SELECT account_id, name, channels, fallback FROM categories WHERE account_id = ANY(?) AND name = ANY(?)
"""
_KEYS = """
SELECT account_id, key, body_hash, event_id, created_at,
       EXISTS (SELECT 1 FROM deliveries d WHERE d.event_id = k.event_id)
FROM idempotency_keys k WHERE account_id = ANY(?) AND key = ANY(?)
"""


@dataclass(frozen=True, slots=True)
class _KnownEvent:
    """The event that an idempotency key stands for."""

    body_hash: str
    event_id: UUID
    goes_nowhere: bool


class Ledger:
    """A batch's accounts as they were read. Made by `open`, ended by `close`.

    Between the two nobody is kept waiting: `overtaken` are the accounts for which another daemon's events
    were counted meanwhile, whose submissions are to be judged anew.
    """

    def __init__(self, now: datetime) -> None:
        self._now = now
        self.overtaken: Set[int] = frozenset()
        self._accepted: Counter[tuple[int, str]] = Counter()
        self._sums = Sums()
        self._counted: dict[int, int | None] = {}  # as they were read; None: there is no row yet
        self._used: dict[int, int] = {}
        self._limits: dict[int, int] = {}
        self._told: dict[int, tuple[int, int | None]] = {}
        self._routes: dict[tuple[int, str], Route] = {}
        self._known: dict[tuple[int, str], _KnownEvent] = {}
        self._as_read: Mapping[int, AsRead] = {}

    @classmethod
    def open(cls, batch: Sequence[Submission], now: datetime, *, locks: bool = False) -> Work["Ledger"]:
        """Read what the batch is judged by, at one moment; `close` looks whether it still is so.

        With `locks`, other daemons wait with the counters of these accounts until the transaction's end: it
        will be so then. SQLite has no such locks, and needs none.
        """
        ledger, accounts = cls(now), [*{each.caller.account_id for each in batch}]
        if locks:
            yield Ask(_LOCK, [accounts, month_of(now)])
        asks = {
            "accounts": Ask(_ACCOUNTS, [month_of(now), accounts]),
            "routes": Ask(_ROUTES, [accounts, [*{each.category for each in batch}]]),
        }
        if still := still_as_read((each.caller for each in batch), now):
            asks["callers"] = still
        if keys := {each.idempotency_key for each in batch if each.idempotency_key}:
            asks["keys"] = Ask(_KEYS, [accounts, [*keys]])
        rows = dict(zip(asks, (yield AskAll([*asks.values()])), strict=True))
        for account, events, percent, limit in rows["accounts"]:
            ledger._counted[account], ledger._used[account] = events, events or 0
            ledger._told[account] = percent or 0, limit
        ledger._routes = {
            (account, name): Route(split(channels), fallback)
            for account, name, channels, fallback in rows["routes"]
        }
        ledger._as_read = by_key(rows.get("callers", ()))
        ledger._known = {
            (account, key): _KnownEvent(body_hash, as_uuid(event), goes_nowhere=not is_sent)
            for account, key, body_hash, event, created_at, is_sent in rows.get("keys", ())
            # A day on either side: one from a clock that was ahead is not remembered for ever
            if abs(as_datetime(created_at) - now) < IDEMPOTENCY_WINDOW
        }
        return ledger

    def judge(self, submission: Submission) -> Acceptance | Exception:  # noqa: PLR0911  # one a check
        """Return the submission's verdict, in the order of the API's checks, and count it if accepted.

        A replay is answered whatever became of its category and the quota since.
        """
        if self._has_changed(submission):
            return CallerChanged("The key was revoked, or its account changed.")
        account = submission.caller.account_id
        if account not in self._used:
            return NotStored("The account is gone.")
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

    def close(self, then: Sequence[Insert] = ()) -> Work[list[Reached]]:
        """Charge the accounts for what was accepted, count it by category, add up its numbers, and insert
        what else is given; return who is to be told of their quota.

        Of an account in `overtaken`, nothing went in.
        """
        by_account = Counter[int]()
        for (account, _), count in self._accepted.items():
            by_account[account] += count
        if by_account:
            counts = [
                (account, self._counted[account], by_account[account]) for account in sorted(by_account)
            ]
            charged = yield Charge(month_of(self._now), counts, [*self._counts(), *then])
            self.overtaken = by_account.keys() - {account for (account,) in charged}
        return self._reached()

    def _counts(self) -> list[Insert]:
        accepted, month, slot = sorted(self._accepted.items()), month_of(self._now), slot_of(self._now)
        return [
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
        ]

    def _reached(self) -> list[Reached]:
        """Return the accounts to be told now how much of their limit they have used, and were not yet.

        By where they stand, not by what this batch added: a limit may have been lowered since.
        """
        found = []
        for account, limit in self._limits.items():
            used, (told, told_limit) = self._used[account], self._told[account]
            percent = percent_reached(used, limit)
            if percent > (told if told_limit == limit else 0) and account not in self.overtaken:
                found.append(Reached(account, percent, used, limit))
        return found
