"""The page at `/docs`, as a person uses it: served by the daemon alone, with a box for the key."""

from playwright.async_api import Page

from api.app import CALLS
from api.openapi.document import shown_path
from models import Plan
from tests.http.api import serving
from tests.support.clock import ManualClock

PHONE = {"width": 390, "height": 844}
QUOTA = "#operations-Account-getQuota"


async def test_the_page_lists_every_call_and_loads_nothing_from_elsewhere(
    page: Page, sqlite: str, clock: ManualClock
) -> None:
    requested: list[str] = []
    page.on("request", lambda request: requested.append(request.url))
    async with serving(clock) as api:
        await page.goto(f"{api.url}/docs")
        await page.wait_for_selector(".opblock")

        shown = await page.locator(".opblock-summary").evaluate_all(_METHOD_AND_PATH)

    assert sorted(shown) == sorted(f"{call.method} {shown_path(call.path)}" for call in CALLS)
    assert requested
    assert all(url.startswith((api.url, "data:")) for url in requested)


async def test_a_person_tries_a_call_with_their_key(page: Page, sqlite: str, clock: ManualClock) -> None:
    async with serving(clock) as api:
        program = await api.sign_up(plan=Plan.PRO)
        await page.goto(f"{api.url}/docs")

        await page.click("button.authorize")
        await page.fill(".modal-ux input", program.key)
        await page.click(".modal-ux button.authorize")
        await page.click(".modal-ux .btn-done")
        await page.click(QUOTA)
        await page.click(f"{QUOTA} .try-out__btn")
        await page.click(f"{QUOTA} .execute")
        answer = page.locator(f"{QUOTA} .live-responses-table .response")
        status = await answer.locator(".response-col_status").inner_text()
        body = await answer.locator(".response-col_description").inner_text()
        stored = await page.evaluate("[localStorage.length, sessionStorage.length, document.cookie]")

    assert status.startswith("200")
    assert '"plan": "pro"' in body
    assert stored == [0, 0, ""]


async def test_the_bodies_that_calls_are_shown_with_can_be_sent_as_they_stand(
    page: Page, sqlite: str, clock: ManualClock
) -> None:
    async with serving(clock) as api:
        program = await api.sign_up()
        await page.set_extra_http_headers({"Authorization": f"Bearer {program.key}"})
        await page.goto(f"{api.url}/docs")

        answers = [await _sent_as_it_stands(page, call) for call in _WITH_A_BODY]

    assert all(answer.startswith(("200", "201")) for answer in answers), answers


async def test_a_phone_shows_an_open_call_without_scrolling_sideways(
    page: Page, sqlite: str, clock: ManualClock
) -> None:
    await page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    async with serving(clock) as api:
        await page.goto(f"{api.url}/docs")
        await page.click(QUOTA)
        await page.wait_for_selector(f"{QUOTA} .responses-table")

        width = await page.evaluate("document.documentElement.scrollWidth")

    assert width == PHONE["width"]


async def _sent_as_it_stands(page: Page, call: str) -> str:
    """Press "Try it out" and "Execute"; return the status and what is shown below it."""
    operation = page.locator(f"#operations-{call}")
    for button in (".opblock-summary-control", ".try-out__btn", ".execute"):
        await operation.locator(button).click()
    return await operation.locator(".live-responses-table .response").inner_text()


_WITH_A_BODY = ("Events-postEvent", "Categories-postCategory", "Account-patchAccount", "Keys-postKey")
_METHOD_AND_PATH = """
summaries => summaries.map(each =>
  each.querySelector(".opblock-summary-method").innerText + " " +
  each.querySelector(".opblock-summary-path").dataset.path)
"""
