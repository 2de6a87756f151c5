"""The question for the backlog costs what is open, not what was ever delivered."""

from models import Account
from models.database import connection, reader
from models.ids import uuid7
from models.sql import insert_rows, is_postgres, marks, query
from pingpilot.channels import CHANNELS
from pingpilot.delivery.backlog import WAITING

from .scripted import Engine

HISTORY = 1000


async def deliver_much(account: Account, engine: Engine) -> None:
    """Leave a history of settled deliveries behind, and one that is open."""
    now = engine.clock.now()
    events = [(uuid7(), account.id, "sale", "Sold!", "{}", now) for _ in range(HISTORY)]
    columns = ("id", "account_id", "category", "description", "fields_json", "created_at")
    await insert_rows(connection(), "events", columns, events)
    settled = [(event[0], account.id, name, "delivered") for event in events for name in CHANNELS]
    await insert_rows(connection(), "deliveries", ("event_id", "account_id", "channel", "status"), settled)
    await engine.post(account, "open")
    await connection().execute_script("ANALYZE")


async def test_the_backlog_is_counted_without_reading_what_is_settled(engine: Engine, alice: Account) -> None:
    await deliver_much(alice, engine)
    sql, values = WAITING.format(channels=marks(list(CHANNELS))), list(CHANNELS)

    explain = "EXPLAIN" if is_postgres(connection()) else "EXPLAIN QUERY PLAN"
    plan = str(await query(reader(), f"{explain} {sql}", values))

    assert "idx_deliveries_" in plan
    assert "Seq Scan on deliveries" not in plan
    assert "SCAN deliveries" not in plan
    assert "SCAN d " not in plan
    assert "SEARCH deliveries USING COVERING INDEX" in plan or is_postgres(connection())
