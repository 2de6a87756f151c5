"""Several daemons on one PostgreSQL behind a pooler, from their very first start on."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from api.resources.health import DATABASE_MARK
from models import Delivery, DeliveryStatus
from models.database import open_database
from tests.support.daemon import a_daemon
from tests.support.databases import PostgresCopies
from tests.support.pgbouncer import a_pgbouncer
from tests.support.platforms import Platforms
from tests.support.waiting import eventually


async def test_three_that_start_at_once_on_an_empty_database_make_it_once_and_all_work(
    platforms: Platforms, postgres_copies: PostgresCopies, tmp_path: Path
) -> None:
    direct = postgres_copies.new_empty()
    settings = {name: value for name, value in platforms.settings.items() if "SMTP" in name}
    settings["PINGPILOT_DATABASE_DIRECT_URL"] = direct
    async with AsyncExitStack() as stack:
        server = parse_qs(urlsplit(direct).query)["host"][0]
        through = await stack.enter_async_context(a_pgbouncer(server, tmp_path))
        daemons = []
        for number in range(3):
            (folder := tmp_path / str(number)).mkdir()
            made = a_daemon(settings, database_url=through(direct), folder=folder)
            daemons.append(await stack.enter_async_context(made))
        await asyncio.gather(*(each.start() for each in daemons))
        marks = {(await each.get("/readyz")).headers[DATABASE_MARK] for each in daemons}
        key = await daemons[0].create_account(channels=["email"])
        answers = await asyncio.gather(*(each.post(key, {"category": "sale"}) for each in daemons * 4))

        async def delivered() -> int:
            async with open_database(direct):
                return await Delivery.filter(status=DeliveryStatus.DELIVERED).count()

        await eventually(delivered, len(answers))
        codes = await asyncio.gather(*(each.stop() for each in daemons))
    postgres_copies.drop(direct)

    assert len(marks) == 1
    assert {each.status for each in answers} == {200}
    assert codes == [0, 0, 0]
    assert "warning" not in "".join(each.log for each in daemons)
