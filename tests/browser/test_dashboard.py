"""The dashboard in a browser: it fits, it lives, it asks nobody else, and works without scripts."""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import count
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Page, Route, expect

from models import Account, Delivery
from pingpilot.accounts.sign_in import new_sign_in_link
from tests.http.api import Api, Program

PAGES = ("", "events", "settings/categories", "settings/keys", "settings/sessions")


async def sign_in(page: Page, api: Api, account: Account) -> None:
    link = await new_sign_in_link(account, api.url, api.clock.now())
    await page.goto(link.url)
    await page.click("button:text-is('Sign in')")
    await page.wait_for_url(f"{api.url}/")


def one_second_after_another() -> Callable[[Route], Awaitable[None]]:
    """Return what lets scripts arrive one by one, as over a slow line."""
    pauses = count()

    async def arrive(route: Route) -> None:
        await asyncio.sleep(next(pauses))
        await route.continue_()

    return arrive


async def test_a_person_signs_in_and_sees_an_event_arrive_without_a_reload(
    api: Api, shop: Program, page: Page
) -> None:
    asked = list[str]()
    page.on("request", lambda request: asked.append(request.url))
    await page.route("**/*.js", one_second_after_another())
    await sign_in(page, api, shop.account)
    await page.evaluate("window.isTheSame = true")

    await shop.post({"category": "sale", "description": "Somebody bought a lamp"})
    await expect(page.locator(".events")).to_contain_text("Somebody bought a lamp")
    waiting = await page.locator(".square").first.get_attribute("class")
    await Delivery.all().update(status="delivered", delivered_at=api.clock.now())
    delivery = await Delivery.get()
    api.services.settlements.announce(shop.account.id, [])
    await expect(page.locator(".square.good")).to_have_count(1)

    assert waiting == "square waiting"
    assert delivery.status == "delivered"
    assert await page.evaluate("window.isTheSame")
    assert {urlsplit(url).netloc for url in asked} == {urlsplit(api.url).netloc}


async def test_a_list_that_is_filtered_stays_so_when_it_changes(api: Api, shop: Program, page: Page) -> None:
    await sign_in(page, api, shop.account)
    await page.goto(f"{api.url}/events?category=bug")

    await shop.post({"category": "sale", "description": "A lamp"})
    await shop.post({"category": "bug", "description": "A crash"})
    await expect(page.locator("#live")).to_contain_text("A crash")

    assert "A lamp" not in await page.inner_text("#live")


async def test_an_event_that_failed_is_tried_again_with_a_button(api: Api, shop: Program, page: Page) -> None:
    await sign_in(page, api, shop.account)
    posted = await shop.post({"category": "bug", "description": "A crash"})
    await Delivery.all().update(status="failed", last_error="The mailbox is full.")
    await page.goto(f"{api.url}/events")

    await page.click("text=A crash")
    failed = await page.inner_text("main")
    await page.click("button:text-is('Try again')")

    assert "The mailbox is full." in failed
    assert page.url.endswith(posted.body["eventId"])
    assert "waiting to be sent" in await page.inner_text("main")


@pytest.mark.parametrize("width", [360, 768, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_every_page_fits_and_follows_the_systems_colours(
    shop: Program, page: Page, width: int, scheme: str
) -> None:
    await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # one of the two
    await page.set_viewport_size({"width": width, "height": 800})
    api = shop.api
    await sign_in(page, api, shop.account)
    long = {"name" * 60: "value" * 300, "short": 1}
    posted = await shop.post({"category": "sale", "description": "word" * 400, "fields": long})
    event = f"events/{posted.body['eventId']}"

    sideways, grounds = list[str](), set[str]()
    for path in (*PAGES, event):
        await page.goto(f"{api.url}/{path}")
        if await page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            sideways.append(path)
        grounds.add(await page.evaluate("getComputedStyle(document.body).backgroundColor"))

    assert sideways == []
    assert grounds == {"rgb(247, 247, 245)" if scheme == "light" else "rgb(19, 20, 18)"}


async def test_all_of_it_is_reached_with_the_keyboard_alone(api: Api, shop: Program, page: Page) -> None:
    await sign_in(page, api, shop.account)
    await shop.post({"category": "sale", "description": "A lamp"})
    await page.goto(f"{api.url}/events")

    reached = list[str]()
    for _ in range(30):
        await page.keyboard.press("Tab")
        reached.append(await page.evaluate("document.activeElement.name || document.activeElement.innerText"))

    for name in ("Skip to the content", "Overview", "Settings", "category", "status", "Show", "A lamp"):
        assert name in reached


async def test_it_works_without_scripts(api: Api, shop: Program, page: Page) -> None:
    assert page.context.browser is not None
    context = await page.context.browser.new_context(java_script_enabled=False)
    still = await context.new_page()
    await sign_in(still, api, shop.account)
    await shop.post({"category": "sale", "description": "A lamp"})
    await still.goto(f"{api.url}/events")
    await still.select_option("#category", "sale")
    await still.click("button:text-is('Show')")
    await still.click("text=A lamp")
    await still.click("text=Settings")
    await still.click("text=Sessions")
    await still.click("button:text-is('Sign out')")

    assert still.url == f"{api.url}/sign-in"
    await context.close()
