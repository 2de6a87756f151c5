"""A database with a history in every table, as it is after a year of many accounts and one large one.

The rows are made here and copied in; both databases get the same. Of `LARGE`'s deliveries a few wait, as many
of all others' as make a long queue.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import asyncpg

from models.activity import slot_of
from models.failure_count import hour_of
from models.ids import first_id_at, next_to
from pingpilot.accounts.quota import month_of

OTHERS = 2000
FIRST_OTHER = 10_000
HELD_TOO_LONG = FIRST_OTHER + 1
"""The id of the first of so many accounts beside those that the program made."""
LARGE_EVENTS = 6500
MEDIUM_EVENTS = 600
EVENTS_EACH = 6
WAITING = 200
"""How many of the large account's newest deliveries wait to be sent to each destination."""
DAYS = 80
MUTED_FOR = timedelta(hours=8)
CATEGORIES = ("sale", "bug", "question", "deploy", "signup", "backup", "login")
DEAD_DAEMON = "dead-daemon"
_DELIVERY = (
    "id event_id account_id channel destination status attempts forgiven next_attempt_at leased_by "
    "lease_until last_error delivered_at"
)
Rows = Mapping[str, tuple[str, Iterable[tuple[Any, ...]]]]
"""Rows by table, with the names of their columns."""


async def fill(url: str, large: int, medium: int, now: datetime) -> None:
    """Put a history into every table of a migrated database that holds two accounts already."""
    rows = _rows(large, medium, now)
    if urlsplit(url).scheme == "sqlite":
        _fill_sqlite(Path(url.removeprefix("sqlite://")), rows)
    else:
        await _fill_postgres(url, rows)


def _fill_sqlite(path: Path, tables: Rows) -> None:
    """No statistics afterwards, since the program never asks SQLite for any."""
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("PRAGMA synchronous = OFF")
        for table, (columns, rows) in tables.items():
            marks = ", ".join("?" * len(columns.split()))
            sql = f"INSERT INTO {table} ({', '.join(columns.split())}) VALUES ({marks})"  # noqa: S608
            database.executemany(sql, (tuple(map(_for_sqlite, row)) for row in rows))


def _for_sqlite(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    return str(value) if isinstance(value, UUID) else value


async def _fill_postgres(url: str, tables: Rows) -> None:
    database = await asyncpg.connect(url)
    try:
        # The rows are known to be sound: foreign keys would be looked up for each of them
        await database.execute("SET session_replication_role = replica")
        for table, (columns, rows) in tables.items():
            await database.copy_records_to_table(table, records=rows, columns=columns.split())
            if "id" in columns.split() and table != "events":
                await database.execute(
                    f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT MAX(id) FROM {table}))"  # noqa: S608
                )
        await database.execute("VACUUM ANALYZE")
    finally:
        await database.close()


def _rows(large: int, medium: int, now: datetime) -> Rows:
    others = range(FIRST_OTHER, FIRST_OTHER + OTHERS)
    then, later = now - timedelta(days=40), now + timedelta(days=40)
    history = _History(large, medium, now)
    events = list(history.events())
    slot, hour, months = slot_of(now), hour_of(now), [month_of(now), month_of(now - timedelta(days=32))]
    used = [(large, name) for name in CATEGORIES] + [(each, "sale") for each in others]
    return {
        "accounts": (
            "id email plan time_zone combine is_operator created_at",
            [(each, f"other-{each}@example.com", "free", "UTC", True, False, then) for each in others],
        ),
        "destinations": (
            "account_id channel kind name enabled address user_id muted_until",
            [
                *[(large, "telegram", "room", f"place-{i}", True, f"-{i}", None, None) for i in range(9)],
                *[
                    (each, name, "direct", name, True, f"{name}-{each}", str(each), muted_until)
                    for each in others
                    for name, muted_until in (
                        ("telegram", None),
                        ("email", now + MUTED_FOR if _is_muted(each) else None),
                        ("discord", None),
                    )
                ],
            ],
        ),
        "api_keys": (
            "account_id name prefix hash scope created_at",
            [(each, "default", f"{each:08}", f"key-{each}", "manage", then) for each in others],
        ),
        "categories": (
            "account_id name color urgent created_at",
            [(each, "sale", "#112233", False, then) for each in others],
        ),
        "monthly_usage": (
            "account_id month events told_percent",
            [(each, month, 4, 0) for each in others for month in months],
        ),
        "category_usage": (
            "account_id category month events last_event_at",
            [(*each, month, 4, then) for each in used for month in months],
        ),
        "category_activity": (
            "account_id category slot events",
            [(*each, slot - back, 1) for each in used for back in (1, 40, 4000)]
            + [(large, "sale", slot - back, 1) for back in range(5, 2000, 2)],
        ),
        "delivery_activity": (
            "account_id category slot destination delivered failed",
            [(*each, slot - back, "telegram", 1, 0) for each in used for back in (1, 40, 4000)],
        ),
        "number_totals": (
            "account_id category field slot events total smallest largest",
            [(*each, "amount", slot - back, 1, 1.0, 1.0, 1.0) for each in used for back in (1, 40, 4000)],
        ),
        "events": (
            "id account_id category title description fields_json notice goes_nowhere created_at",
            events,
        ),
        "deliveries": (
            _DELIVERY,
            history.deliveries,
        ),
        "delivery_attempts": (
            "delivery_id started_at duration_ms outcome reason",
            ((each[0], each[12] or then, 12, each[5], each[11]) for each in history.deliveries if each[6]),
        ),
        "idempotency_keys": (
            "account_id key body_hash event_id created_at",
            [(account, f"key-{id_}", "hash", id_, at) for id_, account, at in history.named[::3]],
        ),
        "sessions": (
            "account_id hash browser address created_at seen_at expires_at by_proxy",
            [
                (each, f"{each}-{i}", "Firefox", "127.0.0.1", then, now, later, False)
                for each in others
                for i in range(2)
            ],
        ),
        "sign_in_links": (
            "account_id hash created_at expires_at",
            [(each, f"sign-in-{each}", then, now + timedelta(minutes=5)) for each in others],
        ),
        "sign_up_links": (
            "email is_invitation hash created_at expires_at",
            [(f"new-{i}@example.com", True, f"sign-up-{i}", then, later) for i in others],
        ),
        "link_codes": (
            "account_id hash created_at expires_at",
            [(each, f"code-{each}", then, now + timedelta(minutes=5)) for each in others],
        ),
        "link_guesses": (
            "channel user_id guessed_at",
            [("telegram", str(each), now - timedelta(minutes=5)) for each in others],
        ),
        "incoming_updates": (
            "bot update_id content received_at",
            [
                ("telegram:42", i, "sealed" if i > 1990 else None, now - timedelta(days=i % 3))
                for i in range(2000)
            ],
        ),
        "failure_counts": (
            "hour channel final reason failures",
            [
                (hour - back, "telegram", back % 2 == 0, f"Reason {i}", 3)
                for back in range(48)
                for i in range(60)
            ],
        ),
    }


def _is_muted(account: int) -> bool:
    """Whether e-mails to one of the other accounts are held."""
    return account >= FIRST_OTHER and account % 3 == 0


class _History:
    """Events from the oldest on, with the deliveries of each."""

    def __init__(self, large: int, medium: int, now: datetime) -> None:
        self._owners = [large] * LARGE_EVENTS + [medium] * MEDIUM_EVENTS
        self._owners += [FIRST_OTHER + i for i in range(OTHERS)] * EVENTS_EACH
        self._large, self._medium, self._now = large, medium, now
        self.deliveries: list[tuple[Any, ...]] = []
        self.named: list[tuple[UUID, int, datetime]] = []

    def events(self) -> Iterator[tuple[Any, ...]]:
        """Yield the events, evenly over the last days, with all accounts' side by side."""
        of_account = dict.fromkeys(self._owners, 0)
        total = len(self._owners)
        stride = 7919  # a prime, that goes round all of them
        left = {self._large: LARGE_EVENTS, self._medium: MEDIUM_EVENTS}
        for place in range(total):
            account = self._owners[place * stride % total]
            at = self._now - timedelta(days=DAYS) + timedelta(days=DAYS) * place / total
            number = of_account[account]
            of_account[account] += 1
            left[account] = left.get(account, EVENTS_EACH) - 1
            id_ = next_to(first_id_at(at), place)
            category = "sale" if account >= FIRST_OTHER else CATEGORIES[number % len(CATEGORIES)]
            if account == self._large and number % 1500 == 7:
                category = "rare"
            self.named.append((id_, account, at))
            self._deliver(id_, account, at, number, left[account])
            text = f"Somebody bought {number % 7} lamps"
            nowhere = self._goes_nowhere(account, number)
            yield id_, account, category, None, text, '{"amount": 1.5}', False, nowhere, at

    def _deliver(self, event: UUID, account: int, at: datetime, number: int, left: int) -> None:
        if self._goes_nowhere(account, number):
            return
        channels = ["telegram"] + ["email"] * (number % 2 == 0) + ["webhook"] * (number % 20 == 0)
        for channel in channels:
            is_done = left >= (4 if account >= FIRST_OTHER else WAITING)
            name = "ops" if channel == "webhook" else channel
            id_ = len(self.deliveries) + 1
            place = (id_, event, account, channel, name)
            if not is_done:
                self.deliveries.append((*place, *self._open(id_, account, channel)))
            elif number % 100 == 3:
                self.deliveries.append(
                    (*place, "failed", 9, 0, None, None, None, "The mailbox is full.", None)
                )
            else:
                self.deliveries.append((*place, "delivered", 1, 0, None, None, None, None, at))

    def _goes_nowhere(self, account: int, number: int) -> bool:
        """Whether it is the only one that does: the large account's oldest."""
        return account == self._large and number == 0

    def _open(self, id_: int, account: int, channel: str) -> tuple[Any, ...]:
        """Return an open delivery's status and what follows it."""
        now, due = self._now, self._now - timedelta(minutes=1)
        if channel == "email" and (_is_muted(account) or account == HELD_TOO_LONG):
            return "held", 0, 0, now + MUTED_FOR, None, None, None, None
        if id_ % 100 == 3:
            return "sending", 0, 0, due, DEAD_DAEMON, now + timedelta(minutes=2), None, None
        if id_ % 10 == 7:
            return "pending", 6, 0, now + timedelta(hours=2), None, None, "Timed out.", None
        return "pending", 0, 0, due, None, None, None, None
