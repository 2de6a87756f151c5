"""The question for the backlog costs what is open, not what was ever delivered."""

from models import Account
from models.database import connection
from models.sql import is_postgres, marks
from pingpilot.channels import CHANNELS
from pingpilot.delivery.backlog import WAITING
from tests.support.plans import deliver_much, plan_of, reads_all_deliveries

from .scripted import Engine


async def test_the_backlog_is_counted_without_reading_what_is_settled(engine: Engine, alice: Account) -> None:
    await engine.post(alice, "open")
    await deliver_much(alice, engine.clock.now())

    plan = await plan_of(WAITING.format(channels=marks(list(CHANNELS))), list(CHANNELS))

    assert "idx_deliveries_" in plan
    assert not reads_all_deliveries(plan)
    assert "SEARCH deliveries USING COVERING INDEX" in plan or is_postgres(connection())
