"""A category's page in a browser: it lives, sorts, downloads, and fits."""

import csv
from pathlib import Path

from playwright.async_api import Page, expect

from tests.browser.test_dashboard import sign_in
from tests.http.api import Api


async def test_a_category_is_watched_sorted_downloaded_and_fits(api: Api, page: Page, tmp_path: Path) -> None:
    shop = await api.sign_up("ada@example.com", channels=["email"])
    await sign_in(page, api, shop.account)
    await page.goto(f"{api.url}/categories/sale")
    empty = await page.inner_text("main")
    await page.evaluate("window.isTheSame = true")

    odd = {
        "name" * 60: "value" * 300,
        "<b>": "\u202e<i>",
        **{f"field {number}": number for number in range(60)},
    }
    for amount in (5, 100, 20):
        await shop.post(
            {"category": "sale", "description": f"A lamp for {amount}", "fields": {"amount": amount}}
        )
    await expect(page.locator(".wide tbody tr")).to_have_count(3)
    assert await page.evaluate("window.isTheSame")
    await expect(page.locator(".numbers")).to_contain_text("125")
    await page.click("th >> text=amount")
    await expect(page.locator("th[aria-sort='descending']")).to_contain_text("amount")
    most_first = await page.locator(".wide tbody th").all_inner_texts()
    await page.focus("th >> text=amount")
    await page.keyboard.press("Enter")
    await expect(page.locator("th[aria-sort='ascending']")).to_contain_text("amount")
    least_first = await page.locator(".wide tbody th").all_inner_texts()
    async with page.expect_download() as download:
        await page.click("button:text-is('Download')")
    file = tmp_path / "sale.csv"
    await (await download.value).save_as(file)
    await shop.post({"category": "sale", "description": "word" * 400, "fields": odd})
    sideways = list[int]()
    for width in (360, 768, 1180):
        await page.set_viewport_size({"width": width, "height": 800})
        await page.goto(f"{api.url}/categories/sale")
        if await page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            sideways.append(width)

    assert "No event in the last 30 days." in empty
    assert most_first == ["A lamp for 100", "A lamp for 20", "A lamp for 5"]
    assert least_first == [*reversed(most_first)]
    with file.open(encoding="utf-8-sig", newline="") as text:
        assert [row["amount"] for row in csv.DictReader(text)] == ["5", "100", "20"]
    assert (await download.value).suggested_filename.startswith("sale-")
    assert sideways == []
    assert "\u202e" not in await page.inner_text("main")
