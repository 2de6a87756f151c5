"""Databases that benchmarks/growth.py fills with SQL of its own are ones that PingPilot can use."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.sizes import WAITS_FOR, Size, fill_file
from models.database import open_database
from pingpilot.accounts.callers import Authenticator
from pingpilot.accounts.quota import PlanLimits
from pingpilot.clock import SystemClock
from pingpilot.delivery.claiming import Claimer, Wish


def test_a_database_of_a_size_can_be_used(tmp_path: Path) -> None:
    file = tmp_path / "sized.sqlite3"

    keys = fill_file(file, Size(accounts=2, categories=2, destinations=3, waiting=5))

    async def used() -> None:
        async with open_database(f"sqlite://{file}"):
            caller = await Authenticator(limits=PlanLimits(), clock=SystemClock()).caller_of(keys[1])
            claims = await Claimer().claim(Wish(WAITS_FOR, "a", 9, datetime.now(UTC)))

        assert caller is not None
        assert {target.name for target in caller.targets} == {"telegram", "room-2", "room-3"}
        assert [claim.account_id for claim in claims] == [1, 2]

    asyncio.run(used())
