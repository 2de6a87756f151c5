"""One event, all the way."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.daemon import Daemon, a_daemon
from tests.support.platforms import ADA, GRACE, Platforms

SALE = {"category": "sale", "description": "Somebody bought a lamp", "fields": {"amount": 99.99}}


@pytest.fixture
async def daemon(platforms: Platforms, database_url: str, tmp_path: Path) -> AsyncIterator[Daemon]:
    """A daemon on each kind of database."""
    async with a_daemon(platforms.settings, database_url=database_url, folder=tmp_path) as made:
        yield made


async def test_an_event_arrives_on_every_channel_and_both_bots_answer(
    daemon: Daemon, platforms: Platforms
) -> None:
    await daemon.start()
    key = await daemon.create_account("alice@example.com")
    await link_with_codes(daemon, platforms)

    answer = await daemon.post(key, SALE)
    discord = (await platforms.discord.wait_for_messages(2))[-1]
    telegram = (await platforms.telegram.wait_for_messages(3))[-1]
    mail = (await platforms.mail.wait_for_messages(1))[-1]

    assert answer.status == 200
    assert discord.embeds[0]["title"] == "💰 Sale"
    assert discord.user_id == ADA.id
    assert "Somebody bought a lamp" in telegram.text
    assert telegram.chat_id == GRACE.id
    assert "Somebody bought a lamp" in mail.message["Subject"]
    assert mail.recipients == ["alice@example.com"]
    await assert_bots_answer(platforms)


async def link_with_codes(daemon: Daemon, platforms: Platforms) -> None:
    await platforms.discord.wait_connected()
    await platforms.telegram.wait_polling()
    for_discord = await daemon.command("link-code", "--account", "alice@example.com", "--json")
    for_telegram = await daemon.command("link-code", "--account", "alice@example.com", "--json")
    linked = await platforms.discord.command(ADA, f"/link {for_discord.json['code']}")
    assert "Linked to" in linked.content
    await platforms.telegram.say(GRACE, f"/link {for_telegram.json['code']}")
    await platforms.discord.wait_for_messages(1)
    await platforms.telegram.wait_for_messages(2)


async def assert_bots_answer(platforms: Platforms) -> None:
    on_discord = [await platforms.discord.command(ADA, text) for text in ("/quota", "/categories")]
    on_telegram = [await platforms.telegram.say(GRACE, text) for text in ("/quota", "/categories")]
    for quota, categories in (
        [reply.content for reply in on_discord],
        [replies[0].text for replies in on_telegram],
    ):
        assert "1 of 100 events used" in quota
        assert "sale" in categories
        assert "1 this month" in categories
