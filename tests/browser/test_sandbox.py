"""The sandbox's page in a browser: an event arrives on all platforms, a bot answers, a mail opens."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest_asyncio
from playwright.async_api import Page, expect

from tests.commandline.sandbox import Sandbox


@pytest_asyncio.fixture(loop_scope="session")
async def sandbox(tmp_path: Path) -> AsyncIterator[Sandbox]:
    made = Sandbox(tmp_path)
    yield made
    await made.close()


async def test_a_person_sees_an_event_on_all_platforms_and_talks_to_the_bots(
    sandbox: Sandbox, page: Page
) -> None:
    await sandbox.start(terminal=False)
    asked = list[str]()
    page.on("request", lambda request: asked.append(request.url))
    window = re.findall(r"^  (http://127\.0\.0\.1:\d+/)$", sandbox.printed, re.MULTILINE)[0]
    await page.goto(window)
    await page.evaluate("window.isTheSame = true")

    await post(
        sandbox, {"category": "sale", "description": "Somebody bought a lamp", "fields": {"amount": 9.5}}
    )
    for place in ("#discord-log .embed", "#telegram-log .bubble", "#email-log .mail", "#webhook-log code"):
        await expect(page.locator(place).last).to_contain_text("Somebody bought a lamp")
    assert await page.evaluate("window.isTheSame")

    # What is being typed stays while something arrives
    await page.fill("[aria-label='To the bot on Discord']", "/quota")
    await post(sandbox, {"category": "bug", "description": "A crash"})
    await expect(page.locator("#discord-log")).to_contain_text("A crash")
    await page.press("[aria-label='To the bot on Discord']", "Enter")
    await expect(page.locator("#discord-log .bot").last).to_contain_text("2 of 100 events used")
    assert await page.evaluate("document.activeElement.ariaLabel") == "To the bot on Discord"

    await page.fill("[aria-label='To the bot on Telegram']", "add group team")
    await page.press("[aria-label='To the bot on Telegram']", "Enter")
    await expect(page.locator("#telegram-log .note").last).to_contain_text("There is a group #team")
    await page.select_option("[aria-label='Where on Telegram']", "#team")
    await page.fill("[aria-label='To the bot on Telegram']", "/help")
    await page.press("[aria-label='To the bot on Telegram']", "Enter")
    await expect(page.locator("#telegram-log .bot .place").last).to_have_text("#team")

    await page.locator("form[action='discord'] button", has_text="Refuse").click()
    await post(sandbox, {"category": "bug", "description": "Refused"})
    await sandbox.shows("Refused", times=3)  # Telegram, the mail's subject and its text
    await page.fill("[aria-label='To the bot on Discord']", "/failed")
    await page.press("[aria-label='To the bot on Discord']", "Enter")
    await page.locator("#discord-log button", has_text="Retry 1").click()
    await expect(page.locator("#discord-log .embed").last).to_contain_text("Refused")

    await page.locator(".mail", has_text="Somebody bought a lamp").click()
    mail = page.frame_locator("iframe[title='The mail']")
    await expect(mail.locator("body")).to_contain_text("Somebody bought a lamp")
    await post(sandbox, {"category": "bug", "description": "Another crash"})
    await expect(page.locator("#email-log")).to_contain_text("All 4 mails")
    await expect(mail.locator("body")).to_contain_text("Somebody bought a lamp")

    for width in (360, 768, 1180):
        await page.set_viewport_size({"width": width, "height": 800})
        assert not await page.evaluate("document.documentElement.scrollWidth > innerWidth")
    assert {urlsplit(url).netloc for url in asked} == {urlsplit(window).netloc}
    assert "Traceback" not in sandbox.printed


async def post(sandbox: Sandbox, event: dict[str, object]) -> None:
    async with (
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {sandbox.key}"}) as session,
        session.post(f"{sandbox.base_url}/api/v1/event", json=event) as answer,
    ):
        assert answer.status == 200, await answer.text()
