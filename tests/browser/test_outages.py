"""A page that is open while the daemon can't answer."""

from playwright.async_api import Page, expect

from models import Account
from tests.http.api import Api

from .test_accessibility import ada, api, sign_in

__all__ = ["ada", "api"]


async def test_what_is_shown_stays_while_the_daemon_stops_and_is_true_again_afterwards(
    api: Api, ada: Account, page: Page
) -> None:
    assert page.context.browser is not None
    context = await page.context.browser.new_context()
    shown = await context.new_page()  # the browser's console has a line for what is refused
    await sign_in(shown, api, ada)
    await expect(shown.locator("#live")).to_contain_text("This page notices by itself.")

    api.services.stopping = True
    async with shown.expect_response(lambda response: response.url.endswith("?steps")) as refused:
        api.services.settlements.announce(ada.id, [])
    await (await refused.value).finished()
    assert (await refused.value).status == 503
    api.services.stopping = False
    ada.monthly_events = 4711
    await ada.save()
    api.services.settlements.announce(ada.id, [])

    await expect(shown.locator("#live")).to_contain_text("of 4,711")  # which a page that was wiped never says
    await context.close()
