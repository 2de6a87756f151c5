"""Platforms that are away or refuse the daemon."""

import pytest

from tests.support.daemon import Daemon
from tests.support.platforms import ADA, GRACE, Platforms

BUG = {"category": "bug", "description": "The lamp does not light"}
WRONG = {
    "discord": {"PINGPILOT_DISCORD_TOKEN": "an-old-token-of-the-discord-bot"},
    "telegram": {"PINGPILOT_TELEGRAM_TOKEN": "7000000042:an-old-token-of-the-telegram-bot"},
    "email": {"PINGPILOT_SMTP_PASSWORD": "an-old-password"},
}


async def test_events_are_accepted_while_all_platforms_are_away_and_delivered_once_they_come(
    daemon: Daemon, platforms: Platforms, key: str
) -> None:
    await daemon.stop()
    await platforms.stop()

    await daemon.start()
    answer = await daemon.post(key, BUG)
    for name in ("discord", "telegram", "email"):
        await daemon.wait_for_part(name, "retrying")
    await platforms.start()
    discord = await platforms.discord.wait_for_messages(2, timeout=20)
    telegram = await platforms.telegram.wait_for_messages(3, timeout=20)
    mails = await platforms.mail.wait_for_messages(1, timeout=20)

    assert answer.status == 200
    assert discord[-1].embeds[0]["description"] == BUG["description"]
    assert BUG["description"] in telegram[-1].text
    assert BUG["description"] in mails[-1].message["Subject"]
    for name in ("discord", "telegram", "email"):
        await daemon.wait_for_part(name, "up")


@pytest.mark.parametrize("refused", ["discord", "telegram", "email"])
async def test_a_refused_login_pauses_its_channel_and_no_other(
    daemon: Daemon, platforms: Platforms, refused: str
) -> None:
    daemon.settings |= WRONG[refused]
    await daemon.start()
    others = [name for name in WRONG if name != refused]
    key = await daemon.create_account("alice@example.com", channels=others)
    await link(platforms, others, key)

    answer = await daemon.post(key, BUG, prefer="wait=10")

    await daemon.wait_for_part(refused, "paused")
    for name in others:
        await daemon.wait_for_part(name, "up")
    metrics = await daemon.metrics()
    states = {name: metrics.of("pingpilot_part_state", part=name, state="paused") for name in WRONG}
    assert states == {**dict.fromkeys(others, 0), refused: 1}
    assert answer.status == 200
    assert answer.body["deliveryStatus"] == "DELIVERED"
    assert [each["channel"] for each in answer.body["deliveries"]] == others


async def test_a_bot_answers_although_messages_have_used_up_what_its_chat_takes(
    daemon: Daemon, platforms: Platforms, key: str
) -> None:
    platforms.telegram.chat_limit = (1, 1)
    await daemon.post(key, BUG)
    await platforms.telegram.wait_for_messages(3)

    replies = await platforms.telegram.say(GRACE, "/quota", timeout=3)

    assert "1 of 100 events used" in replies[0].text


async def link(platforms: Platforms, channels: list[str], key: str) -> None:
    if "discord" in channels:
        await platforms.discord.wait_connected()
        await platforms.discord.command(ADA, f"/link {key}")
    if "telegram" in channels:
        await platforms.telegram.wait_polling()
        await platforms.telegram.say(GRACE, f"/link {key}")
