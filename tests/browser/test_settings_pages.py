"""Destinations and the account in a browser: a link is noticed at once, and all works without scripts."""

import re

from playwright.async_api import Page, expect

from models import Account, Destination, Fact
from pingpilot.accounts.linking import TELEGRAM_USERNAME, ChatUser, link
from tests.http.api import Api, Program

from .test_dashboard import sign_in


async def test_the_page_notices_that_a_code_was_used_and_keeps_what_is_typed(
    api: Api, shop: Program, page: Page
) -> None:
    await Fact.keep(TELEGRAM_USERNAME, "pingpilot_bot")
    await sign_in(page, api, shop.account)
    await page.goto(f"{api.url}/settings")
    await page.click("#telegram button:has-text('Link a chat')")
    await expect(page.locator("#Code-title")).to_be_focused()
    await page.click("#email summary:has-text('Quiet hours')")
    await page.fill("[id='email.from']", "22:00")
    await page.evaluate("window.isTheSame = true")

    code = re.search(r"/link ([2-9A-Z]{8})", await page.inner_text("#Code"))
    assert code
    is_drawn = await page.locator("#Code .qr").is_visible()
    user = ChatUser("telegram", "4711", "grace")
    await link(user, code[1], address="4711", now=api.clock.now())
    api.services.settlements.announce(shop.account.id, [])  # as for the message that every link brings

    await expect(page.locator("#Code-state")).to_have_text("Linked: events go to 'telegram' from now on.")
    await expect(page.locator("#telegram")).to_contain_text("@grace")
    assert is_drawn
    assert not await page.locator("#Code .qr").is_visible()
    assert await page.input_value("[id='email.from']") == "22:00"
    assert await page.evaluate("window.isTheSame")
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme=scheme)
        for path in ("destinations", "account"):
            await page.goto(f"{api.url}/settings/{path}")
            for details in await page.query_selector_all("details"):
                await details.evaluate("each => each.open = true")
            await page.set_viewport_size({"width": 360, "height": 800})
            assert not await page.evaluate("document.documentElement.scrollWidth > innerWidth")


async def test_an_owner_does_it_all_without_scripts_and_deletes_the_account(
    api: Api, shop: Program, page: Page
) -> None:
    assert page.context.browser is not None
    context = await page.context.browser.new_context(java_script_enabled=False)
    still = await context.new_page()
    await sign_in(still, api, shop.account)
    await still.goto(f"{api.url}/settings/destinations")
    await still.focus("#email summary:has-text('Mute')")
    await still.keyboard.press("Enter")
    await still.select_option("[id='email.for']", "8h")
    await still.click("#email button:text-is('Mute')")
    muted = await still.inner_text("#email")
    await still.click("#email button:has-text('Switch off')")
    await still.click("text=Account")
    await still.fill("#zone", "Asia/Tokyo")
    await still.click("button:text-is('Save')")
    saved = await still.inner_text("[role=status]")
    async with still.expect_download() as downloading:
        await still.click("button:text-is('Download')")
    file = (await downloading.value).suggested_filename
    await still.click("summary:has-text('for ever')")
    await still.fill("#confirm", "ada@example.com")
    await still.click("button:text-is('Delete the account')")

    assert "Muted until" in muted
    assert not (await Destination.get(name="email")).enabled
    assert (saved, (await Account.get()).time_zone) == ("Saved.", "Asia/Tokyo")
    assert file.startswith("pingpilot-")
    assert "The account ada@example.com is deleted" in await still.inner_text("main")
    await context.close()
