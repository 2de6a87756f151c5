"""What a statement would read, in a database with a history."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from models import Account
from models.database import connection, reader
from models.ids import uuid7
from models.sql import insert_rows, is_postgres, query
from pingpilot.channels import CHANNELS

HISTORY = 1000


async def deliver_much(account: Account, now: datetime) -> None:
    """Leave a history of settled deliveries behind, of which the planner knows."""
    events = [(uuid7(), account.id, "sale", "Sold!", "{}", now) for _ in range(HISTORY)]
    columns = ("id", "account_id", "category", "description", "fields_json", "created_at")
    await insert_rows(connection(), "events", columns, events)
    settled = [(event[0], account.id, name, name, "delivered") for event in events for name in CHANNELS]
    place = ("event_id", "account_id", "channel", "destination", "status")
    await insert_rows(connection(), "deliveries", place, settled)
    await connection().execute_script("ANALYZE")


async def plan_of(sql: str, values: Sequence[Any]) -> str:
    """Return how the open database would carry out the statement, in its own words."""
    explain = "EXPLAIN" if is_postgres(connection()) else "EXPLAIN QUERY PLAN"
    return str(await query(reader(), f"{explain} {sql}", values))


def reads_all_deliveries(plan: str) -> bool:
    """Whether the plan goes through the whole table, called `deliveries` or `d`."""
    return any(scan in plan for scan in ("Seq Scan on deliveries", "SCAN deliveries", "SCAN d'", "SCAN d "))
