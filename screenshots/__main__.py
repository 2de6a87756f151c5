"""Takes the pictures: starts the sandbox, sends events, fills in a month, and photographs it in a browser."""

import asyncio
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from playwright.async_api import Browser, Locator, Page, async_playwright

from pingpilot.client import AsyncClient
from screenshots.shop import fill

IMAGES = Path(__file__).parent.parent / "docs" / "images"
LARGEST = 200 * 1024
_EMAIL = "you@example.com"
_PATIENCE = 60.0  # seconds
_CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A running sandbox: where its API, its page and its database are, its key, and a link to sign in."""

    url: str
    window: str
    database_url: str
    key: str
    sign_in: str


def check_machine() -> None:
    """End with a sentence where something is missing that the pictures need."""
    if _CHROMIUM is None:
        sys.exit("There is no Chromium: install it (on Debian: apt-get install chromium).")
    fonts = subprocess.run(["fc-list", ":charset=1f4b0"], capture_output=True, text=True, check=False)
    if "Emoji" not in fonts.stdout:
        sys.exit(
            "There is no font with emoji: install one (on Debian: apt-get install fonts-noto-color-emoji)."
        )
    IMAGES.mkdir(parents=True, exist_ok=True)


def free_port() -> int:
    """Return a port that nobody listens on: whatever runs here stays as it is."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def database_in(folder: Path) -> str:
    """Return the address of the sandbox's database, which it makes anew at each start."""
    return f"sqlite://{next(folder.glob('pingpilot-sandbox-*/sandbox.sqlite3'))}"


async def main() -> None:
    """Take all pictures anew."""
    with tempfile.TemporaryDirectory(prefix="pingpilot-screenshots-") as folder:
        async with running_sandbox(Path(folder)) as sandbox, async_playwright() as playwright:
            browser = await playwright.chromium.launch(
                executable_path=_CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
            )
            await fill(sandbox.database_url, _EMAIL)
            await take_platforms(browser, sandbox)
            await take_dashboard(browser, sandbox)
            await browser.close()


@asynccontextmanager
async def running_sandbox(folder: Path) -> AsyncIterator[Sandbox]:
    """Run `pingpilot sandbox` with its data in a folder."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PINGPILOT_")}
    environment |= {
        "PINGPILOT_DATA_DIR": str(folder),
        "PINGPILOT_HTTP_PORT": str(free_port()),
        "PINGPILOT_LOG_LEVEL": "warning",
        "TMPDIR": str(folder),
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pingpilot", "sandbox"),
        env=environment,
        cwd=folder,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout
    try:
        async with asyncio.timeout(_PATIENCE):
            said = (await process.stdout.readuntil(b"ends the sandbox.")).decode()
        reading = asyncio.create_task(process.stdout.read())  # lest it waits for somebody to read on
        yield Sandbox(
            url=re.findall(r"PingPilot is up at (http://[\d.:]+)", said)[0],
            window=re.findall(r"^  (http://127\.0\.0\.1:\d+/)$", said, re.MULTILINE)[0],
            database_url=database_in(folder),
            key=re.findall(r"pp_\w{43}", said)[0],
            sign_in=re.findall(r"http://\S+/sign-in/\S+", said)[0],
        )
        process.terminate()
        await reading
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def take_platforms(browser: Browser, sandbox: Sandbox) -> None:
    """Take an event on Discord, on Telegram and in the mailbox."""
    page = await new_page(browser, "light", width=1240, height=830, scale=1.25)
    await page.goto(sandbox.window)
    async with AsyncClient(sandbox.url, sandbox.key) as client:
        await client.send(
            "sale",
            "Ada bought 2 × Desk lamp 💡 and a Notebook.",
            title="Order 1042",
            url="https://shop.example.com/orders/1042",
            fields={"amount": 99.99, "country": "DE", "returning": True},
        )
        await page.locator("#discord-log .embed").wait_for()
        await page.locator("#telegram-log .bubble", has_text="Order 1042").wait_for()
        await page.fill("[aria-label='To the bot on Discord']", "/quota")
        await page.press("[aria-label='To the bot on Discord']", "Enter")
        await page.locator("#discord-log .bot", has_text="events used").wait_for()
        await page.locator(".mail").first.click()
        await page.frame_locator("iframe").locator("text=Order 1042").wait_for()
        await page.evaluate("document.activeElement.blur()")
        await take(page.locator(".platforms"), "platforms")
        await client.send(
            "signup", "hedy@example.org signed up", fields={"plan": "Premium", "from": "search"}
        )


async def take_dashboard(browser: Browser, sandbox: Sandbox) -> None:
    """Take the overview in both schemes and on a phone, the list of events, and an event."""
    page = await new_page(browser, "light", width=1180, height=1000, scale=1.25)
    await page.goto(sandbox.sign_in)
    await page.click("button:text-is('Sign in')")
    await page.locator(".events", has_text="hedy@example.org").wait_for()
    schemes: list[Literal["light", "dark"]] = ["light", "dark"]
    for scheme in schemes:
        await page.emulate_media(color_scheme=scheme)
        await page.goto(sandbox.url)
        await take(page, f"overview-{scheme}")
    await page.emulate_media(color_scheme="light")
    await page.goto(f"{sandbox.url}/events")
    await take(page, "events")
    await page.click("text=Order 1042")
    await page.frame_locator("iframe").locator("text=Order 1042").wait_for()
    # As high as the page: what is outside of the window is not drawn, which a frame's content may stay
    await page.set_viewport_size({"width": 1180, "height": await page.evaluate("document.body.scrollHeight")})
    await take(page, "event", scale="css")
    await page.set_viewport_size({"width": 360, "height": 800})
    await page.emulate_media(color_scheme="dark")
    await page.goto(sandbox.url)
    await take(page, "phone")


async def new_page(
    browser: Browser, scheme: Literal["light", "dark"], *, width: int, height: int, scale: float
) -> Page:
    """Open a browser that knows nothing yet."""
    context = await browser.new_context(
        color_scheme=scheme,
        viewport={"width": width, "height": height},
        device_scale_factor=scale,
        reduced_motion="reduce",
    )
    page = await context.new_page()
    page.set_default_timeout(_PATIENCE * 1000)
    return page


async def take(what: Page | Locator, name: str, *, scale: Literal["css", "device"] = "device") -> None:
    """Write a picture, and say how large it is; `css` is for a large one, in fewer points."""
    file = IMAGES / f"{name}.png"
    await what.screenshot(path=file, animations="disabled", scale=scale)
    size = file.stat().st_size
    print(f"{file.name}: {size // 1024} KiB{'' if size <= LARGEST else ', which is much for a README'}")


if __name__ == "__main__":
    check_machine()
    asyncio.run(main())
