"""The first steps in a browser: they tick themselves off, and lose neither code nor key meanwhile."""

from playwright.async_api import Page, expect

from models import Account, Fact
from pingpilot.accounts.linking import TELEGRAM_USERNAME, ChatUser, link
from tests.http.api import EVENT, Api
from tests.http.channels import ScriptedChannel, dispatching

from .test_accessibility import ada, api, sign_in

__all__ = ["ada", "api"]


async def test_a_new_account_links_a_chat_sends_an_event_and_sees_it_arrive_on_one_page(
    api: Api, ada: Account, page: Page
) -> None:
    await sign_in(page, api, ada)
    steps = page.locator(".steps > li")
    await expect(page.locator(".tick.good")).to_have_count(0)

    await page.click("button:text-is('Get a code')")
    code = await page.inner_text(".code")
    await page.evaluate("window.isTheSame = true")
    async with page.expect_response(lambda response: response.url.endswith("?steps")):
        api.services.settlements.announce(ada.id, [])  # something else changed: the code stays
    await expect(page.locator(".code")).to_have_text(code)
    telegram = ChatUser("telegram", "4711", "ada")
    await link(telegram, code, address="4711", now=api.clock.now())
    api.services.settlements.announce(ada.id, [])  # as the chat's first message does
    await expect(steps.nth(0)).to_contain_text("They go to Telegram.")
    await expect(page.locator(".code")).to_have_count(0)
    assert await page.evaluate("window.isTheSame")

    await page.click("button:text-is('Make a key')")
    await page.evaluate("window.isTheSame = true")
    await page.locator("summary:text-is('JavaScript, in Node.js')").click()
    key = (await page.locator("#steps-commands code").first.inner_text()).partition("Bearer ")[2][:46]
    async with dispatching(api, ScriptedChannel("telegram")):
        reply = await api.call(
            "POST", EVENT, headers={"Authorization": f"Bearer {key}"}, data=b'{"category": "sale"}'
        )
        await expect(page.locator(".tick.good")).to_have_count(3)

    assert reply.status == 200
    assert key in await page.locator("#steps-commands code").first.inner_text()
    assert await page.locator("details[open] summary").all_inner_texts() == ["curl", "JavaScript, in Node.js"]
    await expect(steps.nth(2)).to_contain_text("It arrived: Telegram.")
    assert await page.evaluate("window.isTheSame")
    await page.click("text=Go on to the overview")
    await expect(page.locator(".steps")).to_have_count(0)
    assert await Fact.read(TELEGRAM_USERNAME) == "ping_bot"
