"""A daemon with a mail server, held to the contract from outside."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.daemon import Daemon, a_daemon
from tests.support.platforms import running_platforms


@pytest.fixture
async def daemon(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Daemon]:
    """A running daemon that delivers by e-mail alone: each event has a delivery, and none needs a link."""
    async with running_platforms() as platforms:
        settings = {name: value for name, value in platforms.settings.items() if "_SMTP_" in name}
        async with a_daemon(settings, database_url=sqlite_url, folder=tmp_path) as made:
            yield await made.start()


@pytest.fixture
async def key(daemon: Daemon) -> str:
    """The key of an account without a limit."""
    return await daemon.create_account("shop@example.com", "--plan", "enterprise")
