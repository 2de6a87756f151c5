"""What a start loads, and what waits until it is asked for."""

from pathlib import Path

import aiohttp
import pytest

from tests.support.daemon import a_daemon, command
from tests.support.platforms import Platforms

TOLD = {"PYTHONPROFILEIMPORTTIME": "1"}
"""Has Python write each module that it loads to standard error."""
WHEN_ASKED = {
    "asyncpg",
    "email_validator",
    "jinja2",
    "pingpilot.cli.accounts",
    "pingpilot.doctor",
    "pingpilot.sandbox",
    "regex",
    "rich.text",
    "segno",
    "tortoise.migrations.api",
}


def loaded(told: str) -> set[str]:
    """Return the names of the modules of what was written."""
    return {line.rpartition("|")[2].strip() for line in told.splitlines() if line.startswith("import time:")}


async def test_a_daemon_does_without_what_nobody_asked_for(
    platforms: Platforms, sqlite_url: str, tmp_path: Path
) -> None:
    settings = platforms.settings | TOLD
    async with a_daemon(settings, database_url=sqlite_url, folder=tmp_path) as daemon:
        await daemon.start()
        for part in ("discord", "telegram", "email", "webhook"):
            await daemon.wait_for_part(part, "up")
        idle = loaded(daemon.log)
        async with aiohttp.ClientSession() as browser, browser.get(f"{daemon.base_url}/sign-in") as page:
            assert page.status == 200
        asked = loaded(daemon.log)

    assert {"aiohttp", "discord", "telegram.ext", "tortoise"} <= idle
    assert idle & WHEN_ASKED == set()
    assert "jinja2" in asked - idle


async def test_the_api_is_up_before_the_platforms_libraries_are_loaded(
    platforms: Platforms, sqlite_url: str, tmp_path: Path
) -> None:
    settings = platforms.settings | TOLD
    async with a_daemon(settings, database_url=sqlite_url, folder=tmp_path) as daemon:
        await daemon.start()
        await daemon.wait_for_part("discord", "up")

    before, up, _ = daemon.log.partition("PingPilot is up")
    assert up
    assert loaded(before) & {"discord", "telegram"} == set()


@pytest.mark.parametrize(
    ("words", "spared"),
    [
        (("--help",), {"pingpilot.cli.accounts", "pydantic", "tortoise"}),
        (("send", "sale"), {"pydantic", "tortoise"}),
        (("account", "list"), {"aiohttp", "api", "bots", "pingpilot.cli.keys", "rich.text"}),
    ],
)
async def test_a_command_loads_no_other(
    sqlite_url: str, tmp_path: Path, words: tuple[str, ...], spared: set[str]
) -> None:
    ended = await command(*words, settings={"PINGPILOT_DATABASE_URL": sqlite_url} | TOLD, folder=tmp_path)

    assert "pingpilot.cli.app" in loaded(ended.err)
    assert loaded(ended.err) & spared == set()
