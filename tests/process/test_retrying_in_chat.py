"""What failed is tried again from a chat, and arrives."""

from pingpilot.sandbox.faults import Fault
from pingpilot.sandbox.terminal import discord_buttons, telegram_buttons
from tests.support.daemon import Daemon
from tests.support.platforms import ADA, GRACE, Platforms

BUG = {"category": "bug", "description": "The lamp does not light"}
REFUSED = Fault.reply("message", 554, "5.7.1 Refused")


async def test_a_button_pressed_on_discord_after_a_restart_delivers_the_mail(
    daemon: Daemon, platforms: Platforms, key: str
) -> None:
    platforms.mail.faults.add(REFUSED)
    posted = await daemon.post(key, BUG, prefer="wait=20")
    listed = await platforms.discord.command(ADA, "/failed")
    await daemon.stop()
    await daemon.start()
    await platforms.discord.wait_connected()

    shown = await platforms.discord.press(ADA, discord_buttons(listed)["Retry 1"])
    [mail] = await platforms.mail.wait_for_messages(1)

    history = await daemon.command("deliveries", "list", "--channel", "email", "--json")
    assert (posted.status, posted.body["deliveryStatus"]) == (500, "FAILED")
    assert "554" in listed.content
    assert shown.content.startswith("🔁 Trying again: **bug** on E-mail.")
    assert BUG["description"] in mail.message["Subject"]
    assert history.json[0]["attempts"] == 2


async def test_a_button_pressed_on_telegram_delivers_the_mail(
    daemon: Daemon, platforms: Platforms, key: str
) -> None:
    platforms.mail.faults.add(REFUSED)
    await daemon.post(key, BUG, prefer="wait=20")
    [listed] = await platforms.telegram.say(GRACE, "/failed")

    [shown] = await platforms.telegram.press(GRACE, telegram_buttons(listed)["Retry 1"], listed)
    [mail] = await platforms.mail.wait_for_messages(1)

    assert shown.text.splitlines() == ["🔁 Trying again: bug on E-mail.", "No failed deliveries."]
    assert BUG["description"] in mail.message["Subject"]
