"""The operator's pages in a browser: they fit, and an invitation becomes an account without a shell."""

from playwright.async_api import Page, expect

from models import Account, FailureCount, Plan
from models.failure_count import hour_of
from pingpilot.accounts.sign_up import Newcomers, SignUp
from pingpilot.telemetry.health import State
from tests.http.api import Api

from .test_dashboard import sign_in


async def test_an_operator_invites_somebody_who_makes_an_account(api: Api, page: Page) -> None:
    operator = (await api.sign_up("ada@example.com", channels=["email"])).account
    long = "x" * 60 + "@" + "department-with-a-long-name." * 5 + "example.com"
    await api.sign_up(long, channels=["email"])
    api.services.newcomers, api.services.base_url = Newcomers(SignUp.INVITE, Plan.FREE, ("email",)), api.url
    api.services.health.report("telegram", State.PAUSED, "The token is refused: " + "x" * 300)
    await FailureCount.create(
        hour=hour_of(api.clock.now()), channel="email", final=True, reason="y" * 160, failures=1234567
    )
    await sign_in(page, api, operator)

    sideways = []
    for width in (360, 768, 1180):
        await page.set_viewport_size({"width": width, "height": 800})
        for path in ("operator", "operator/accounts", "operator/accounts?q=nobody"):
            await page.goto(f"{api.url}/{path}")
            if await page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                sideways.append((path, width))
    await page.click("nav a:text-is('Operator')")
    await page.click("nav a:text-is('Accounts')")
    await page.fill("#email", "grace@example.com")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(page.locator("main [role=status]")).to_contain_text("grace@example.com is invited")
    await page.context.clear_cookies()
    await page.goto(api.mailer.sent[0][1].partition("works once: ")[2].split()[0])
    await page.click("button:text-is('Make my account')")
    await page.wait_for_url(f"{api.url}/")

    assert sideways == []
    assert "grace@example.com · Free" in await page.inner_text("header")
    assert await page.locator("nav a:text-is('Operator')").count() == 0
    assert await Account.filter(email="grace@example.com").exists()
