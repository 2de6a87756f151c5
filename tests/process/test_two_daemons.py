"""Two daemons on one PostgreSQL: what one does, the other one acts on at once."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import asyncpg
import pytest

from api.dashboard.visitors import COOKIE
from models import Account
from models.database import open_database
from pingpilot.accounts.sessions import begin_session
from pingpilot.cluster.news import APART, CHANNEL
from tests.support.daemon import Daemon, a_daemon
from tests.support.databases import PostgresCopies
from tests.support.platforms import Platforms

POLLED = 1.0
"""Seconds for which a daemon does not look at the database by itself, at least."""
CROWD = 150


@pytest.fixture
async def pair(
    platforms: Platforms, postgres_copies: PostgresCopies, tmp_path: Path
) -> AsyncIterator[tuple[Daemon, Daemon]]:
    """A daemon that can't send anything, and another one that sends e-mails."""
    url = postgres_copies.new(tmp_path)
    mails = {name: text for name, text in platforms.settings.items() if "SMTP" in name}
    for name in ("accepts", "sends"):
        (tmp_path / name).mkdir()
    async with (
        a_daemon({}, database_url=url, folder=tmp_path / "accepts") as accepts,
        a_daemon(mails, database_url=url, folder=tmp_path / "sends") as sends,
    ):
        await asyncio.gather(accepts.start(), sends.start())
        await sends.wait_for_part("email", "up")
        yield accepts, sends
    postgres_copies.drop(url)


async def a_session(url: str) -> str:
    """Return the token of a browser that is signed in."""
    async with open_database(url):
        account = await Account.get()
        return await begin_session(account, browser="", address="", now=datetime.now(UTC))


async def test_what_one_accepts_the_other_delivers_and_the_first_one_tells_at_once(
    pair: tuple[Daemon, Daemon],
) -> None:
    accepts, sends = pair
    url, loop = accepts.settings["PINGPILOT_DATABASE_URL"], asyncio.get_running_loop()
    key = await accepts.create_account(channels={"email"}, monthly_events=10_000)
    notifications: list[str] = []
    outsider = await asyncpg.connect(url)
    await outsider.add_listener(CHANNEL, lambda *told: notifications.append(told[3]))

    began = loop.time()
    for _ in range(10):
        answer = await accepts.post(key, {"category": "sale"}, prefer="wait=30")
        assert answer.body["deliveryStatus"] == "DELIVERED"
    took = loop.time() - began

    notifications.clear()
    began = loop.time()
    answers = await asyncio.gather(
        *(accepts.post(key, {"category": "sale"}, prefer="wait=30") for _ in range(CROWD))
    )
    # Each of them tells at most so often, and once at once
    most = 2 * ((loop.time() - began) / APART + 1)
    await outsider.close()

    async with (
        aiohttp.ClientSession(cookies={COOKIE: await a_session(url)}) as browser,
        browser.get(f"{accepts.base_url}/live") as stream,
    ):
        async with asyncio.timeout(30):
            first = await stream.content.readuntil(b"\r\n\r\n")  # nobody knows which page this is
            await sends.post(key, {"category": "sale"})
            second = await stream.content.readuntil(b"\r\n\r\n")

    assert took < 10 * POLLED / 2
    assert {each.body["deliveryStatus"] for each in answers} == {"DELIVERED"}
    assert 0 < len(notifications) <= most
    assert b"event: changed" in first
    assert b"event: changed" in second
    assert "cut off" not in accepts.log + sends.log
