"""Every page of the dashboard for everybody: axe, the keyboard, a phone, no scripts, and no other host."""

from typing import Any, Literal
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from axe_playwright_python.base import AXE_SCRIPT
from playwright.async_api import Page

from models import Account, Fact
from pingpilot.accounts.linking import DISCORD_INSTALL, TELEGRAM_USERNAME
from pingpilot.accounts.sign_in import new_sign_in_link
from tests.dashboard.routes import filled, furnish, rows
from tests.http.api import Api
from tests.support.mailer import Mailer

SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
WIDTHS = (360, 1180)
_ALL: dict[str, Any] = {"resultTypes": ["violations"]}
_OF_LOOKS: dict[str, Any] = {
    **_ALL,
    "runOnly": ["color-contrast", "link-in-text-block", "target-size", "scrollable-region-focusable"],
    "rules": {"target-size": {"enabled": True}},
}
LONG = "A lamp of " + "very" * 40 + " good make, <b>sold</b> & sent"


@pytest_asyncio.fixture(loop_scope="session")
async def api(api: Api) -> Api:
    """With the addresses of every bot, and mails that go nowhere."""
    api.services.senders = {name: Mailer() for name in ("discord", "telegram", "email")}
    await Fact.keep(TELEGRAM_USERNAME, "ping_bot")
    await Fact.keep(DISCORD_INSTALL, "https://discord.com/oauth2/authorize?client_id=1")
    return api


@pytest_asyncio.fixture(loop_scope="session")
async def ada(api: Api) -> Account:
    return (await api.sign_up("ada@example.com")).account


async def sign_in(page: Page, api: Api, account: Account) -> None:
    link = await new_sign_in_link(account, api.url, api.clock.now())
    await page.goto(link.url)
    await page.click("button:text-is('Sign in')")
    await page.wait_for_url(f"{api.url}/")


async def addresses(api: Api, account: Account, *, is_full: bool) -> list[str]:
    """Return all pages, of an account that has one of everything, or of one that has just begun."""
    if not is_full:
        return [row.path for row in rows("GET", pages=True).values() if "{" not in row.path]
    ids = await furnish(api, account, LONG, events=3)
    return [filled(row, ids)[0] for row in rows("GET", pages=True).values()]


async def complaints(page: Page, where: str, *, options: dict[str, Any]) -> list[str]:
    """Return what axe finds on the page as it is shown, of any severity, and whether it scrolls sideways."""
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(AXE_SCRIPT)
    said = [f"{where}: {each}" for each in await page.evaluate(_VIOLATIONS, options)]
    if await page.evaluate("document.documentElement.scrollWidth > innerWidth"):
        said.append(f"{where}: scrolls sideways")
    return said


_VIOLATIONS = """
async options => (await axe.run(document, options)).violations.map(
  each => each.id + ': ' + each.nodes[0].html.slice(0, 120))
"""


async def look_at(page: Page, where: str) -> list[str]:
    """Look at a page in both schemes, on a phone and on a desk."""
    said = list[str]()
    for scheme in SCHEMES:
        await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        for width in WIDTHS:
            await page.set_viewport_size({"width": width, "height": 800})
            # Each rule once on either width and in either scheme; what depends on both, in all four
            is_first = (scheme == "light") == (width == WIDTHS[0])
            options = _ALL if is_first else _OF_LOOKS
            said += await complaints(page, f"{where} {scheme} {width}", options=options)
    return said


@pytest.mark.parametrize("is_full", [False, True], ids=["empty", "full"])
async def test_axe_finds_nothing_and_nothing_scrolls_sideways_or_comes_from_elsewhere(
    api: Api, ada: Account, page: Page, is_full: bool
) -> None:
    asked = list[str]()
    page.on("request", lambda request: asked.append(request.url))
    said = list[str]()
    if not is_full:
        for path in ("/", "/sign-in"):
            await page.goto(api.url + path)
            said += await look_at(page, f"signed out {path}")
    await sign_in(page, api, ada)
    for path in await addresses(api, ada, is_full=is_full):
        await page.goto(api.url + path)
        said += await look_at(page, path)
    if not is_full:
        await page.goto(api.url)
        await page.click("button:text-is('Get a code')")
        said += await look_at(page, "a code")
        await page.click("button:text-is('Make a key')")
        said += await look_at(page, "a key")

    assert said == []
    assert {urlsplit(url).netloc for url in asked} == {urlsplit(api.url).netloc}


async def test_what_is_refused_is_for_everybody_too(api: Api, ada: Account, page: Page) -> None:
    assert page.context.browser is not None
    context = await page.context.browser.new_context()
    refused = await context.new_page()  # the browser's console has a line for each
    await sign_in(refused, api, ada)
    said = list[str]()
    for path in ("/nothing", f"/events/evt_{'0' * 32}", "/sign-in/none", "/confirm-mailbox/none"):
        await refused.goto(api.url + path)
        said += await look_at(refused, path)
    await refused.goto(f"{api.url}/settings/keys")
    await refused.fill("#name", "default")
    await refused.click("button:text-is('Make it')")
    said += await look_at(refused, "a name in use")
    alert = await refused.locator("[role=alert]").count()
    await context.close()

    assert said == []
    assert alert == 1


async def test_the_keyboard_reaches_everything_in_order_and_its_place_is_seen(
    api: Api, ada: Account, page: Page
) -> None:
    await sign_in(page, api, ada)
    lost = list[str]()
    for path in ("/", *await addresses(api, ada, is_full=True)):
        await page.goto(api.url + path)
        await page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
        for _ in range(await page.evaluate(_WATCH)):
            await page.keyboard.press("Tab")
        lost += [f"{path}: {each}" for each in await page.evaluate(_MISSED)]

    assert lost == []


async def test_it_works_without_scripts(api: Api, ada: Account, page: Page) -> None:
    assert page.context.browser is not None
    context = await page.context.browser.new_context(java_script_enabled=False)
    still = await context.new_page()
    ids = await furnish(api, ada, "A crash")
    await sign_in(still, api, ada)
    await still.click("text=Events >> nth=0")
    await still.select_option("#status", "FAILED")
    await still.click("button:text-is('Show')")
    filtered = still.url
    await still.click(".said a")
    await still.click("button:text-is('Try again')")
    retried = await still.inner_text("main")
    await still.click("text=Settings")
    await still.click("text=API keys")
    await still.fill("#name", "web server")
    await still.click("button:text-is('Make it')")
    made = await still.inner_text("main")
    await context.close()

    assert "status=FAILED" in filtered
    assert ids["event"] in retried
    assert "waiting to be sent" in retried
    assert "pp_" in made.partition("shown this once")[0]


_WATCH = """
() => {
  const all = 'a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex="0"]';
  const reached = each =>
    each.checkVisibility() && !each.disabled && !(each.type === 'radio' && !each.checked);
  window.wanted = [...document.querySelectorAll(all)].filter(reached);
  window.visited = [];
  window.unseen = [];
  addEventListener('focusin', ({target}) => {
    const drawn = [null, '::after'].map(part => getComputedStyle(target, part));  // a row's is the link's
    const isSeen = style => style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 1;
    if (!drawn.some(isSeen)) unseen.push(target);
    visited.push(target);
  });
  // And what the browser makes focusable by itself: what scrolls, and each part of a time
  return wanted.length + 5 + 8 * document.querySelectorAll('input[type^=date], input[type=time]').length;
}
"""
_MISSED = """
() => {
  const named = each => each.outerHTML.slice(0, 90);
  const later = (a, b) => a.compareDocumentPosition(b) & Node.DOCUMENT_POSITION_FOLLOWING;
  const order = [...new Set(visited)];  // after the last one, it begins anew
  return [
    ...wanted.filter(each => !visited.includes(each)).map(each => 'not reached: ' + named(each)),
    ...order.slice(1).filter((each, i) => !later(order[i], each)).map(each => 'early: ' + named(each)),
    ...unseen.map(each => 'focus not seen: ' + named(each)),
  ];
}
"""
