"""A real browser: Chromium, driven over its own protocol."""

import os
import shutil
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Page, async_playwright, expect

_CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
# It may run as root in a container, and must look for nothing on the network
_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_PATIENCE = 60_000  # milliseconds: a machine may be busy


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    """A page of a fresh browser; any error in its console fails the test."""
    if _CHROMIUM is None:
        if os.environ.get("CI"):
            pytest.fail("There is no Chromium: .ci/run installs it.")
        pytest.skip("There is no Chromium on this machine; install it to run the browser tests.")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=_CHROMIUM, args=_ARGUMENTS)
        page = await browser.new_page()
        page.set_default_timeout(_PATIENCE)
        expect.set_options(timeout=_PATIENCE)
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
        yield page
        await browser.close()
    assert not errors
