"""A daemon and the platforms it talks to."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.support.daemon import Daemon, a_daemon
from tests.support.databases import PostgresCopies
from tests.support.platforms import Platforms, running_platforms


@pytest.fixture
def own_postgres(templates: Path) -> Iterator[PostgresCopies]:
    """A server that no other test uses."""
    with TemporaryDirectory(prefix="pingpilot-postgres-", ignore_cleanup_errors=True) as folder:
        copies = PostgresCopies(Path(folder), templates)
        yield copies
        copies.close()


@pytest.fixture
async def platforms() -> AsyncIterator[Platforms]:
    """All three, taking messages as fast as they come."""
    async with running_platforms() as running:
        running.lift_limits()
        yield running


@pytest.fixture
async def daemon(platforms: Platforms, sqlite_url: str, tmp_path: Path) -> AsyncIterator[Daemon]:
    """A daemon on SQLite with all platforms, yet to be started."""
    async with a_daemon(platforms.settings, database_url=sqlite_url, folder=tmp_path) as made:
        yield made


@pytest.fixture
async def key(daemon: Daemon, platforms: Platforms) -> str:
    """The API key of an account with all channels linked; the daemon runs from here on."""
    _, key = await asyncio.gather(daemon.start(), daemon.create_account())
    await platforms.discord.wait_connected()
    await platforms.telegram.wait_polling()
    await platforms.link(key)
    await platforms.discord.wait_for_messages(1)
    await platforms.telegram.wait_for_messages(2)  # the reply to /link, and the test notification
    return key
