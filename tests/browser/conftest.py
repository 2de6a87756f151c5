"""A real browser: Chromium, driven over its own protocol; started once, a fresh profile for each test."""

import os
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from playwright.async_api import Page, async_playwright, expect

_CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
# It may run as root in a container, and must look for nothing on the network
_ARGUMENTS = [
    "--headless=new",
    "--remote-debugging-port=0",  # one that is free: it writes which
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    # Pages of several tests at once, of which none waits for another
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
    "--disable-ipc-flooding-protection",
    "--disable-hang-monitor",
    "--disable-prompt-on-repost",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
    "about:blank",
]
_PATIENCE = 60_000  # milliseconds: a machine may be busy


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address at which the browser is driven."""
    if _CHROMIUM is None:
        if os.environ.get("CI"):
            pytest.fail("There is no Chromium: .ci/run installs it.")
        pytest.skip("There is no Chromium on this machine; install it to run the browser tests.")
    profile = tmp_path_factory.mktemp("chromium")
    nowhere = subprocess.DEVNULL
    browser = subprocess.Popen(
        [_CHROMIUM, f"--user-data-dir={profile}", *_ARGUMENTS], stdout=nowhere, stderr=nowhere
    )
    try:
        yield f"http://127.0.0.1:{_port_of(browser, profile / 'DevToolsActivePort')}"
    finally:
        browser.terminate()
        browser.wait()


def _port_of(browser: subprocess.Popen[bytes], file: Path) -> int:
    end = time.monotonic() + _PATIENCE / 1000
    while browser.poll() is None and time.monotonic() < end:
        if file.exists() and (lines := file.read_text().splitlines()):
            return int(lines[0])
        time.sleep(0.05)
    raise AssertionError(f"Chromium did not start: exit code {browser.returncode}")


@pytest.fixture
async def page(chromium: str) -> AsyncIterator[Page]:
    """A page with a fresh profile; any error in its console fails the test."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.connect_over_cdp(chromium, timeout=_PATIENCE)
        context = await browser.new_context()
        page = await context.new_page()
        page.set_default_timeout(_PATIENCE)
        expect.set_options(timeout=_PATIENCE)
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
        yield page
        await context.close()
    assert not errors
