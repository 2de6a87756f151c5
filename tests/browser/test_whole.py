"""The running program in a browser, with both bots and a mail server: from a link to the first event."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from playwright.async_api import Page, expect

from tests.support.daemon import Daemon, a_daemon
from tests.support.platforms import ADA, GRACE, Platforms, running_platforms
from tests.support.waiting import until


@pytest_asyncio.fixture(loop_scope="session")
async def platforms() -> AsyncIterator[Platforms]:
    async with running_platforms() as running:
        running.lift_limits()
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def daemon(platforms: Platforms, sqlite_url: str, tmp_path: Path) -> AsyncIterator[Daemon]:
    async with a_daemon(platforms.settings, database_url=sqlite_url, folder=tmp_path) as made:
        yield await made.start()


async def test_the_page_watches_chats_being_linked_and_an_event_arrive(
    daemon: Daemon, platforms: Platforms, page: Page
) -> None:
    old_key = await daemon.create_account("ada@example.com")
    await platforms.discord.wait_connected()
    await platforms.telegram.wait_polling()
    link = await daemon.command("sign-in", "ada@example.com", "--json")
    await page.goto(link.json["url"])
    await page.click("button:text-is('Sign in')")
    step, ticks = page.locator(".steps > li").first, page.locator(".tick.good")

    await page.click("button:text-is('Get a code')")
    await expect(page.locator(".qr svg")).to_be_visible()
    await page.evaluate("window.isTheSame = true")
    await platforms.telegram.say(GRACE, f"/start {await page.inner_text('.code')}")
    await expect(step).to_contain_text("Ready: Telegram")
    assert await page.evaluate("window.isTheSame")
    await page.click("button:text-is('Get a code')")
    await page.evaluate("window.isTheSame = true")
    await platforms.discord.command(ADA, f"/link {await page.inner_text('.code')}")
    await expect(step).to_contain_text("They go to")
    assert await page.evaluate("window.isTheSame")
    await page.click("button:text-is('Send one from here')")
    await expect(ticks).to_have_count(3)
    by_mail = await platforms.mail.wait_for_messages(1)

    await page.goto(f"{daemon.base_url}/settings/keys")
    await page.select_option("select[name=overlap]", "0")
    await page.click("button:text-matches('^Rotate')")
    new_key = await page.locator("pre code").first.inner_text()
    refused = await daemon.post(old_key, {"category": "sale"})
    accepted = await daemon.post(new_key, {"category": "sale"})
    await page.goto(f"{daemon.base_url}/events")
    await expect(page.locator(".events li")).to_have_count(2)

    # After the answer to the link and the test message, it waits for its second
    await until(lambda: any("My first event" in each.text for each in platforms.telegram.messages))
    assert "My first event" in by_mail[0].message["Subject"]
    assert (refused.status, accepted.status) == (401, 200)
