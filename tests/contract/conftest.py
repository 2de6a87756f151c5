"""A daemon with a mail server, held to the contract from outside."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from models import Account, Destination, Plan
from models.database import open_database
from pingpilot.accounts.destinations import add_destination
from pingpilot.channels import DISCORD, TELEGRAM, WEBHOOK
from pingpilot.clock import SystemClock
from tests.support.accounts import link_chat
from tests.support.daemon import Daemon, a_daemon
from tests.support.platforms import running_platforms


@pytest.fixture
async def daemon(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Daemon]:
    """A running daemon that delivers by e-mail alone: each event has a delivery, and none needs a link."""
    async with running_platforms() as platforms:
        settings = {name: value for name, value in platforms.settings.items() if "_SMTP_" in name}
        settings["PINGPILOT_TRUSTED_PROXIES"] = "127.0.0.1"
        async with a_daemon(settings, database_url=sqlite_url, folder=tmp_path) as made:
            yield await made.start()


@pytest.fixture
async def key(daemon: Daemon, sqlite_url: str) -> str:
    """The key of an account without a limit; its chats and its webhook are switched off."""
    key = await daemon.create_account("shop@example.com", plan=Plan.ENTERPRISE, channels=["email"])
    async with open_database(sqlite_url):
        account = await Account.get(email="shop@example.com")
        for channel in (DISCORD, TELEGRAM):
            await link_chat(account, channel.name, SystemClock())
            await Destination.switch(account.id, channel.name, on=False)
        now = SystemClock().now()
        await add_destination(account, "hook", WEBHOOK, "https://hooks.example.com/", now)
        await Destination.switch(account.id, "hook", on=False)
    return key
