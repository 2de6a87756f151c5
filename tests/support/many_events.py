"""A history of any length, put into an SQLite file within seconds: events, deliveries, attempts, counts.

SQLite makes the rows itself, from one running number. Events lie evenly over the last `DAYS`, and go
round the accounts; a sixteenth of a percent is of the category `rare`, one in fifty went nowhere, one in a
hundred failed for good, and the newest wait.
"""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

DAYS = 80
WAITING = 100
"""How many of the newest events wait to be sent."""
CATEGORIES = ("sale", "bug", "question", "deploy", "signup", "backup", "login", "rare")
_AT_ONCE = 100_000  # events, lest the log of changes outgrows the database
_CATEGORY = (
    "CASE WHEN i % 1600 = 7 THEN 'rare' ELSE json_extract(:categories, '$[' || (i * 31 % 7) || ']') END"
)
_EVENTS = f"""
WITH RECURSIVE numbers(i) AS (SELECT :first UNION ALL SELECT i + 1 FROM numbers WHERE i + 1 < :after),
times AS (SELECT i, :began + CAST(i AS INTEGER) * :span / :count AS ms FROM numbers)
INSERT INTO events (id, account_id, category, title, description, fields_json, notice, created_at,
    goes_nowhere)
SELECT substr(printf('%012x', ms), 1, 8) || '-' || substr(printf('%012x', ms), 9) || '-7000-8000-'
       || printf('%012x', i),
    json_extract(:accounts, '$[' || (i % :of) || ']'), {_CATEGORY},
    CASE WHEN i % 3 = 0 THEN 'Order ' || i END,
    'Somebody bought ' || (i % 7 + 1) || ' lamps in shop ' || (i % 40),
    '{{"amount": ' || ((i % 1000) / 10.0) || ', "customer": "customer-' || (i % 5000) || '"}}', 0,
    strftime('%Y-%m-%d %H:%M:%f', ms / 1000.0, 'unixepoch') || '+00:00', i % 50 = 11
FROM times
"""  # noqa: S608
_NUMBERED = "SELECT *, rowid - 1 AS i FROM events WHERE rowid > :first AND rowid <= :after"
_STATUS = (
    "CASE WHEN i >= :count - :waiting THEN 'pending' WHEN i % 100 = 3 THEN 'failed' ELSE 'delivered' END"
)
_DELIVERIES = f"""
INSERT INTO deliveries
    (event_id, account_id, channel, destination, status, attempts, next_attempt_at, last_error, delivered_at)
SELECT id, account_id, channel, destination, {_STATUS}, i < :count - :waiting,
    CASE WHEN i >= :count - :waiting THEN '2999-01-01 00:00:00+00:00' END,
    CASE WHEN i % 100 = 3 THEN 'The mailbox is full.' END,
    CASE WHEN i % 100 <> 3 AND i < :count - :waiting THEN created_at END
FROM ({_NUMBERED}) JOIN (
    SELECT 'telegram' AS channel, 'telegram' AS destination, 1 AS every UNION ALL SELECT 'email', 'email', 2
    UNION ALL SELECT 'webhook', 'ops', 20
) ON i % every = 0 WHERE i % 50 <> 11
"""  # noqa: S608
_ATTEMPTS = """
INSERT INTO delivery_attempts (delivery_id, started_at, duration_ms, outcome, reason)
SELECT d.id, e.created_at, 120, d.status, d.last_error FROM events e JOIN deliveries d ON d.event_id = e.id
WHERE e.rowid > :first AND e.rowid <= :after AND d.status <> 'pending'
"""
_SLOT = "CAST(strftime('%s', e.created_at) AS INTEGER) / 900"
_MONTHLY = """
INSERT INTO monthly_usage (account_id, month, events)
SELECT account_id, substr(created_at, 1, 7), COUNT(*) FROM events GROUP BY 1, 2
"""
_MONTHLY_BY_CATEGORY = """
INSERT INTO category_usage (account_id, category, month, events, last_event_at)
SELECT account_id, category, substr(created_at, 1, 7), COUNT(*), MAX(created_at) FROM events GROUP BY 1, 2, 3
"""
_ACTIVITY = f"""
INSERT INTO category_activity (account_id, slot, category, events)
SELECT account_id, {_SLOT}, category, COUNT(*) FROM events e WHERE created_at >= :kept GROUP BY 1, 2, 3
"""  # noqa: S608
_DELIVERY_ACTIVITY = f"""
INSERT INTO delivery_activity (account_id, slot, category, destination, delivered, failed)
SELECT e.account_id, {_SLOT}, e.category, d.destination, SUM(d.status = 'delivered'), SUM(d.status = 'failed')
FROM events e JOIN deliveries d ON d.event_id = e.id
WHERE e.created_at >= :kept AND d.status <> 'pending' GROUP BY 1, 2, 3, 4
"""  # noqa: S608


def fill(path: Path, accounts: Sequence[int], count: int, now: datetime) -> None:
    """Put so many events of these accounts into a migrated database that has none; nobody else writes."""
    began = now - timedelta(days=DAYS)
    given = {
        "accounts": str(list(accounts)),
        "categories": str(list(CATEGORIES)).replace("'", '"'),
        "of": len(accounts),
        "count": count,
        "waiting": WAITING,
        "began": int(began.timestamp() * 1000),
        "span": DAYS * 86_400_000,
        "kept": f"{now - timedelta(days=40):%Y-%m-%d}",
    }
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA synchronous = OFF")
        for first in range(0, count, _AT_ONCE):
            part = {**given, "first": first, "after": min(first + _AT_ONCE, count)}
            with database:
                for statement in (_EVENTS, _DELIVERIES, _ATTEMPTS):
                    database.execute(statement, part)
        with database:
            for statement in (_MONTHLY, _MONTHLY_BY_CATEGORY, _ACTIVITY, _DELIVERY_ACTIVITY):
                database.execute(statement, given)
