"""What people see in a browser: the unsubscribe page, and an e-mail's HTML."""

from datetime import UTC, datetime
from email import message_from_bytes, policy
from typing import Literal

import pytest
from playwright.async_api import Page

from models import Destination
from models.ids import uuid7
from pingpilot.delivery.channel import Notification
from pingpilot.email.message import build_message
from pingpilot.email.sender import mailbox
from tests.http.api import serving
from tests.support.clock import ManualClock


async def test_a_person_stops_the_e_mails_with_one_button(
    page: Page, sqlite: str, clock: ManualClock
) -> None:
    async with serving(clock) as api:
        program = await api.sign_up("ada@example.com", channels=["email"])
        link = api.services.unsubscriber.url_for(program.account.id)

        await page.goto(link.replace("http://localhost", api.url))
        asked = await page.inner_text("main")
        still_on = await Destination.get(account_id=program.account.id, channel="email")
        await page.click("button")
        done = await page.inner_text("main")

        switched_off = await Destination.get(account_id=program.account.id, channel="email")
    assert "ada@example.com" in asked
    assert still_on.enabled
    assert "sends no e-mails to ada@example.com" in done
    assert not switched_off.enabled


async def test_the_buttons_do_what_they_read_wherever_the_page_came_from(
    page: Page, sqlite: str, clock: ManualClock
) -> None:
    async with serving(clock) as api:
        program = await api.sign_up("ada@example.com", channels=["email"])
        link = api.services.unsubscriber.url_for(program.account.id).replace("http://localhost", api.url)

        await page.goto(link)
        for label in ("Stop the e-mails", "Send e-mails again"):
            await page.click(f"button:text-is('{label}')")
        undone, address = await page.inner_text("h1"), page.url
        await page.goto(address)  # as the address bar or a bookmark has it
        await page.click("button:text-is('Stop the e-mails')")
        stopped = await page.inner_text("h1")

        row = await Destination.get(account_id=program.account.id, channel="email")
    assert undone == "E-mails are on again"
    assert stopped == "No more e-mails"
    assert not row.enabled


async def test_an_e_mail_shows_its_text_as_text_and_loads_nothing(page: Page) -> None:
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    notification = Notification(
        event_id=uuid7(),
        delivery_id=1,
        category="sale",
        emoji="💰",
        color=0xFFEB3B,
        description="<script>document.title = 'gone'</script> & <img src=http://127.0.0.1:9/x>",
        fields=(("<b>name</b>", "<i>value</i>"),),
        created_at=datetime(2026, 11, 23, tzinfo=UTC),
    )

    await page.set_content(_html_of(notification))
    shown = await page.inner_text("body")

    assert "<script>document.title = 'gone'</script>" in shown
    assert "<b>name</b>" in shown
    assert "<i>value</i>" in shown
    assert requests == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_links_and_code_in_a_mail_fit_a_phone(page: Page, scheme: Literal["light", "dark"]) -> None:
    traceback = 'Traceback:\n  File "/srv/' + "long/" * 40 + '"\nValueError: x'
    notification = Notification(
        event_id=uuid7(),
        delivery_id=1,
        category="error",
        emoji=None,
        color=0xF9A825,
        description=f"See https://example.com/{'a' * 200} and `{'b' * 100}`.\n\n{traceback}",
        fields=(("log", traceback),),
        created_at=datetime(2026, 11, 23, tzinfo=UTC),
    )

    await page.set_viewport_size({"width": 360, "height": 640})
    await page.emulate_media(color_scheme=scheme)
    await page.set_content(_html_of(notification))

    assert await page.evaluate("document.documentElement.scrollWidth") == 360
    code = page.locator("code")
    assert "monospace" in await code.evaluate("each => getComputedStyle(each).fontFamily")
    assert await page.locator("a.link").get_attribute("href") == f"https://example.com/{'a' * 200}"


def _html_of(notification: Notification) -> str:
    raw = build_message(
        notification,
        sender=mailbox("PingPilot <alerts@example.com>"),
        recipient="ada@example.com",
        unsubscribe_url="http://127.0.0.1:9/unsubscribe/1.a",
    )
    body = message_from_bytes(raw, policy=policy.default).get_body(("html",))
    assert body is not None
    return str(body.get_content())
