"""The list of events in a browser: filters, keys, copying, and a page's icon, all of it while it is live."""

import re

from playwright.async_api import Page, expect

from models import Delivery
from tests.http.api import Api, Program

from .test_dashboard import sign_in


async def test_a_person_goes_through_the_list_with_the_keyboard_while_it_is_live(
    api: Api, shop: Program, page: Page
) -> None:
    await sign_in(page, api, shop.account)
    for name in ("first", "second", "third"):
        await shop.post({"category": "sale", "description": f"The {name} lamp"})
    await page.goto(f"{api.url}/events")
    where = "document.activeElement.innerText"

    await page.keyboard.press("j")
    await page.keyboard.press("j")
    await page.keyboard.press("j")
    await page.keyboard.press("j")  # there is no fourth
    last = await page.evaluate(where)
    await page.keyboard.press("k")
    before = await page.evaluate(where)
    await shop.post({"category": "sale", "description": "The fourth lamp"})
    await expect(page.locator("#live")).to_contain_text("The fourth lamp")
    after = await page.evaluate(where)
    await page.keyboard.press("k")
    await page.keyboard.press("k")
    newest = await page.evaluate(where)
    await page.keyboard.press("Enter")
    await expect(page.locator("h1")).to_have_text("The fourth lamp")

    assert (last, before, after, newest) == (
        "The first lamp",
        "The second lamp",
        "The second lamp",
        "The fourth lamp",
    )


async def test_keys_lead_to_the_text_filter_and_are_not_taken_while_typing(
    api: Api, shop: Program, page: Page
) -> None:
    await sign_in(page, api, shop.account)
    for name in ("jk", "other"):
        await shop.post({"category": "sale", "description": f"The {name} lamp"})
    await page.goto(f"{api.url}/events")

    await page.keyboard.press("?")
    await expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await page.keyboard.press("/")
    await page.keyboard.type("jk?/")
    typed = await page.input_value("#text")
    await page.fill("#text", "JK")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/events?text=JK*")
    listed = await page.inner_text("#live")
    await page.click("text=30 days")
    kept = page.url
    await page.get_by_role("link", name="text “JK”").click()
    await page.wait_for_url(lambda url: "text" not in url)
    await expect(page.locator("#live")).to_contain_text("The other lamp")
    await page.keyboard.press("?")
    await page.get_by_label("Use j, k and /").uncheck()
    await page.keyboard.press("Escape")
    await page.keyboard.press("/")
    focused = await page.evaluate("document.activeElement.id")

    assert typed == "jk?/"
    assert "The jk lamp" in listed
    assert "other" not in listed
    assert "text=JK&from=" in kept
    assert focused != "text"


async def test_the_icon_shows_a_failure_as_it_happens_and_a_command_is_copied(
    api: Api, shop: Program, page: Page
) -> None:
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await sign_in(page, api, shop.account)
    posted = await shop.post({"category": "bug", "description": "It's a crash"})
    await page.goto(f"{api.url}/events/{posted.body['eventId']}")
    icon = page.locator("link[rel=icon]")
    healthy = await icon.get_attribute("href")

    await Delivery.all().update(status="failed", last_error="The mailbox is full.")
    api.services.settlements.announce(shop.account.id, [])
    await expect(page.locator("#live")).to_contain_text("The mailbox is full.")
    await expect(icon).to_have_attribute("href", re.compile("/icon-failed.svg$"))
    command = page.get_by_role("region", name="Send it again")
    await command.get_by_role("button", name="Copy").click()
    await expect(page.get_by_role("status")).to_have_text("Copied")
    copied = await page.evaluate("navigator.clipboard.readText()")
    # As over plain http
    await page.evaluate("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    await command.get_by_role("button", name="Cop").click()
    await expect(page.get_by_role("status")).to_have_text("Copied")
    await page.click("button:text-is('Try again')")
    await expect(page.locator("#live")).to_contain_text("waiting to be sent")

    assert healthy is not None
    assert healthy.endswith("/icon.svg")
    assert copied == await command.locator("pre code").inner_text()
    assert r"It'\''s a crash" in copied
    assert str(await icon.get_attribute("href")).endswith("/icon.svg")
