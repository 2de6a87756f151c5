"""The page at `/docs`, as a person uses it: served by the daemon alone, with a box for the key."""

import os
from typing import Literal

import pytest
from playwright.async_api import Page, ViewportSize

from api.app import CALLS
from api.openapi.document import shown_path
from models import Plan
from tests.http.api import serving
from tests.support.clock import ManualClock

DESK: ViewportSize = {"width": 1280, "height": 720}
PHONE: ViewportSize = {"width": 390, "height": 844}
QUOTA = "#operations-Account-getQuota"


async def test_a_person_tries_a_call_with_their_key_which_survives_a_reload_until_it_is_taken_away(
    page: Page, sqlite: str, clock: ManualClock
) -> None:
    async with serving(clock) as api:
        program = await api.sign_up(plan=Plan.PRO)
        await page.goto(f"{api.url}/docs")

        await page.click("button.authorize")
        await page.locator(".modal-ux input").first.fill(program.key)
        await page.locator(".modal-ux button.authorize").first.click()
        await page.click(".modal-ux .btn-done")
        await page.click(QUOTA)
        await page.click(f"{QUOTA} .try-out__btn")
        await page.click(f"{QUOTA} .execute")
        answer = page.locator(f"{QUOTA} .live-responses-table .response")
        status = await answer.locator(".response-col_status").inner_text()
        body = await answer.locator(".response-col_description").inner_text()
        stored = await page.evaluate("[localStorage.length, document.cookie]")

        await page.reload()
        await page.wait_for_selector("button.authorize.locked")
        await page.click("button.authorize")
        await page.locator(".modal-ux").get_by_text("Logout").first.click()
        after_logout = await page.evaluate("sessionStorage.length")

    assert status.startswith("200")
    assert '"plan": "pro"' in body
    assert stored == [0, ""]
    assert after_logout == 0


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 360)])
async def test_the_page_follows_the_systems_colours_fits_and_can_be_read_folded_or_not(
    page: Page, sqlite: str, clock: ManualClock, scheme: Literal["light", "dark"], width: int
) -> None:
    await page.emulate_media(color_scheme=scheme)
    await page.set_viewport_size({"width": width, "height": 800})
    async with serving(clock) as api:
        await page.goto(f"{api.url}/docs")
        await page.click(f"{QUOTA} .opblock-summary-control")
        answers = page.locator(f"{QUOTA} details.answers")
        folded = not await answers.locator("table").first.is_visible()
        await answers.locator("summary").first.click()
        opened = await answers.locator("table").first.is_visible()
        brightness = await page.evaluate(_BRIGHTNESS)
        sideways = await page.evaluate("document.documentElement.scrollWidth")
        if folder := os.environ.get("SHOTS"):
            await page.screenshot(path=f"{folder}/docs-{scheme}-{width}.png", full_page=False)
        await page.set_viewport_size(PHONE)
        on_a_phone = await page.evaluate("document.documentElement.scrollWidth")

        await page.set_viewport_size(DESK)
        await page.click(".models .models-control")
        await page.wait_for_selector(".models .json-schema-2020-12-expand-deep-button")
        await page.mouse.move(0, 0)
        faint = await page.evaluate(_FAINT)

    assert (folded, opened, sideways, on_a_phone) == (True, True, width, PHONE["width"])
    assert brightness[0] > 200 if scheme == "light" else brightness[0] < 60
    assert abs(brightness[0] - brightness[1]) > 120  # a heading can be read on the page
    assert faint == []


async def test_every_call_is_there_with_a_body_that_can_be_sent_as_it_stands_and_nothing_comes_from_elsewhere(
    page: Page, sqlite: str, clock: ManualClock
) -> None:
    requested: list[str] = []
    page.on("request", lambda request: requested.append(request.url))
    async with serving(clock) as api:
        program = await api.sign_up()
        await page.set_extra_http_headers({"Authorization": f"Bearer {program.key}"})
        await page.goto(f"{api.url}/docs")
        await page.wait_for_selector(".opblock")
        shown = await page.locator(".opblock-summary").evaluate_all(_METHOD_AND_PATH)
        to_begin_with = len(requested)

        answers = [await _sent_as_it_stands(page, call) for call in _WITH_A_BODY]

    assert sorted(shown) == sorted(f"{call.method} {shown_path(call.path)}" for call in CALLS)
    assert to_begin_with
    assert all(url.startswith((api.url, "data:")) for url in requested)
    assert all(answer.startswith(("200", "201")) for answer in answers), answers


async def _sent_as_it_stands(page: Page, call: str) -> str:
    """Press "Try it out" and "Execute"; return the status and what is shown below it."""
    operation = page.locator(f"#operations-{call}")
    for button in (".opblock-summary-control", ".try-out__btn", ".execute"):
        await operation.locator(button).click()
    return await operation.locator(".live-responses-table .response").inner_text()


_WITH_A_BODY = ("Events-postEvent", "Categories-postCategory", "Account-patchAccount", "Keys-postKey")
_BRIGHTNESS = """
() => {
  const light = color => color.match(/[0-9.]+/g).slice(0, 3).map(Number).reduce((a, b) => a + b) / 3;
  const style = selector => getComputedStyle(document.querySelector(selector));
  return [light(style("body").backgroundColor), light(style(".swagger-ui .info .title").color)];
}
"""
_FAINT = """
() => {
  // Contrast as https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio has it
  const parts = color => [...color.match(/[0-9.]+/g).map(Number), 1].slice(0, 4);
  const over = (top, below) => [0, 1, 2].map(i => top[3] * top[i] + (1 - top[3]) * below[i]);
  const linear = part => part <= 10 ? part / 3295 : ((part / 255 + 0.055) / 1.055) ** 2.4;
  const luminance = ([red, green, blue]) =>
    0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
  const behind = element => {
    const color = parts(getComputedStyle(element).backgroundColor);
    return color[3] === 1 || !element.parentElement ? color : over(color, behind(element.parentElement));
  };
  const contrast = element => {
    const below = behind(element);
    const lights = [luminance(over(parts(getComputedStyle(element).color), below)), luminance(below)];
    return (Math.max(...lights) + 0.05) / (Math.min(...lights) + 0.05);
  };
  return [...document.querySelectorAll("#viewer *")]
    .filter(each => each.getClientRects().length && !each.closest("svg"))
    .filter(each => [...each.childNodes].some(node => node.nodeType === 3 && node.textContent.trim()))
    .filter(each => contrast(each) < 3)
    .map(each => `${each.className}: ${each.innerText}`);
}
"""
_METHOD_AND_PATH = """
summaries => summaries.map(each =>
  each.querySelector(".opblock-summary-method").innerText + " " +
  each.querySelector(".opblock-summary-path").dataset.path)
"""
