"""A real browser: Chromium, driven over its own protocol; started once, a fresh profile for each test.

So is its driver, which belongs to an event loop: all tests in this folder, and their fixtures, share one.
"""

import os
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright, expect

from models.database import open_database
from tests.conftest import PATIENT
from tests.http.api import Api, Program, serving
from tests.support.clock import ManualClock

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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the tests of this folder on the loop of the browser's driver."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


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


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser(chromium: str) -> AsyncIterator[Browser]:
    expect.set_options(timeout=_PATIENCE)
    async with async_playwright() as playwright:
        yield await playwright.chromium.connect_over_cdp(chromium, timeout=_PATIENCE)


@pytest_asyncio.fixture(loop_scope="session")
async def page(browser: Browser) -> AsyncIterator[Page]:
    """A page with a fresh profile; any error in its console fails the test."""
    context = await browser.new_context()
    page = await context.new_page()
    page.set_default_timeout(_PATIENCE)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
    yield page
    await context.close()
    assert not errors


@pytest_asyncio.fixture(loop_scope="session")
async def sqlite(sqlite_url: str) -> AsyncIterator[str]:
    """An open SQLite database; returns its URL."""
    async with open_database(sqlite_url, patience=PATIENT):
        yield sqlite_url


@pytest_asyncio.fixture(loop_scope="session")
async def api(sqlite: str) -> AsyncIterator[Api]:
    """The daemon's pages, at the browser's time: it keeps cookies by it."""
    async with serving(ManualClock(datetime.now(UTC))) as served:
        yield served


@pytest_asyncio.fixture(loop_scope="session")
async def shop(api: Api) -> Program:
    return await api.sign_up("ada@example.com", channels=["email"])
