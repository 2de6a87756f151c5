"""Two daemons on one PostgreSQL that Telegram posts to in turn."""

import asyncio
from pathlib import Path

import pytest

from tests.support.daemon import a_daemon
from tests.support.platforms import GRACE, Platforms


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
async def test_whichever_daemon_telegram_posts_to_the_bot_answers_once(
    platforms: Platforms, database_url: str, tmp_path: Path
) -> None:
    settings = {**platforms.settings, "PINGPILOT_TELEGRAM_WEBHOOK": "on"}
    folders = [tmp_path / name for name in ("one", "other")]
    for folder in folders:
        folder.mkdir()
    telegram = platforms.telegram
    async with (
        a_daemon(settings, database_url=database_url, folder=folders[0]) as one,
        a_daemon(settings, database_url=database_url, folder=folders[1]) as other,
    ):
        telegram.webhook.spread_over = [one.base_url, other.base_url]
        await asyncio.gather(one.start(), other.start())
        key = await one.create_account(channels=["telegram"])
        await telegram.wait_listening()

        linked = await telegram.say(GRACE, f"/link {key}", timeout=15)
        await telegram.wait_for_messages(2)  # the test notification too
        answers = [await telegram.say(GRACE, "/help", timeout=15) for _ in range(4)]

    assert "Linked to" in linked[0].text
    assert telegram.deleted[0][0] == GRACE.id  # the message with the key
    assert [len(each) for each in answers] == [1] * 4
    assert len(telegram.messages) == 6
    assert telegram.webhook.answers == {200: 5}
    assert telegram.calls["getUpdates"] == 0
