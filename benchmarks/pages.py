"""How long each page of the dashboard takes to its first byte with many events, and what a first load weighs.

    .venv/bin/python -m benchmarks.pages [EVENTS] [FILE]

Fills an SQLite database with so many events (2,000,000 unless given) of four accounts, half of them one's,
and asks for each page `TIMES` times over HTTP as that one. A FILE is kept, and measured as it stands if it
is there already. Looking for a text is shown and not held to the limit.
"""

import asyncio
import statistics
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import Any
from urllib.parse import quote

import psutil
from aiohttp import ClientSession, CookieJar

from api.dashboard.assets import asset_url
from benchmarks import processes
from models import Account, Event, Plan
from models.database import migrate, open_database
from models.ids import event_id_text
from pingpilot.accounts.sign_in import new_sign_in_link
from pingpilot.clock import SystemClock
from tests.support.accounts import new_account
from tests.support.many_events import fill

TIMES, WARM_UP = 20, 3
LIMIT_MS, LIMIT_OF_A_CATEGORY_MS = 50.0, 100.0
_ASSETS = ("pingpilot.css", "pingpilot.js", "htmx.js", "icon.svg")


async def main(count: int, file: Path, *, is_new: bool) -> None:
    if is_new:
        await _make(file, count)
    variables = processes.environment(file)
    with processes.daemon(variables) as url:
        async with ClientSession(
            url, cookie_jar=CookieJar(unsafe=True), headers={"Accept": "text/html"}, auto_decompress=False
        ) as browser:
            link, paths = await _sign_in_link(file)
            async with browser.post(link, headers={"Sec-Fetch-Site": "same-origin"}) as answer:
                answer.raise_for_status()
            assets = sum([await _weight(browser, f"/{asset_url(name)}") for name in _ASSETS])
            print(f"assets of a first load: {assets / 1000:.1f} KB (compressed)")
            print(f"{'page':58} {'median':>8} {'most':>8} {'first':>8} {'CPU':>8} {'page':>8}")
            [process] = psutil.Process().children()
            slow = [path for path in paths if await _measured(browser, path, process.cpu_times)]
    if slow:
        sys.exit(f"Over the limit: {', '.join(slow)}")


async def _make(file: Path, count: int) -> None:
    began, url = perf_counter(), f"sqlite://{file}"
    await migrate(url)
    async with open_database(url):
        first, *others = [
            (await new_account(SystemClock(), f"{name}@example.com", plan=Plan.ENTERPRISE)).id
            for name in ("alice", "bob", "carol", "dave")
        ]
    fill(file, [*[first] * len(others), *others], count, datetime.now(UTC))
    print(f"{count:,} events, made in {perf_counter() - began:.0f} s")


async def _sign_in_link(file: Path) -> tuple[str, list[str]]:
    """Return a link that signs in, and the pages to ask for."""
    now = datetime.now(UTC)
    day, month = [f"{now - timedelta(days=days):%Y-%m-%d}" for days in (60, 30)]
    async with open_database(f"sqlite://{file}"):
        [account] = await Account.all().order_by("id").limit(1)
        [event] = await Event.filter(account_id=account.id).order_by("id").offset(1000).limit(1)
        link = await new_sign_in_link(account, "", now)
    one = event_id_text(event.id)
    filters = ["category=sale", "category=rare", "category=none"]
    filters += [f"status={status}" for status in ("PENDING", "FAILED", "DELIVERED", "NO_CHANNEL")]
    filters += [
        "destination=telegram",
        "destination=ops",
        "destination=gone",
        "destination=ops&status=FAILED",
    ]
    filters += [f"from={month}", f"from={day}&to={day}", "from=2001-01-01&to=2001-01-02", f"before={one}"]
    filters += ["category=rare&status=FAILED&destination=email", f"category=bug&status=FAILED&from={day}"]
    filters += [
        "category=rare&status=NO_CHANNEL",
        "text=shop 39",
        "text=nowhere",
        f"text=nowhere&from={day}&to={day}",
    ]
    pages = ["/", "/events", *(f"/events?{each}" for each in filters), f"/events/{one}", "/categories/sale"]
    return link.url, [*pages, "/settings/categories", "/settings/keys", "/settings/sessions"]


async def _measured(browser: ClientSession, path: str, cpu_times: Callable[[], Any]) -> bool:
    """Print what the page takes; return whether that is over the limit."""
    taken, size, before = list[float](), 0, sum(cpu_times()[:2])
    for _ in range(WARM_UP + TIMES):
        began = perf_counter()
        async with browser.get(quote(path, safe="/?=&-%_")) as answer:
            taken.append((perf_counter() - began) * 1000)
            size = len(await answer.read())
            if answer.status == 404:
                print(f"{path:58} is not there")
                return False
            answer.raise_for_status()
    median, most = statistics.median(taken[WARM_UP:]), max(taken[WARM_UP:])
    busy = (sum(cpu_times()[:2]) - before) * 1000 / len(taken)
    times = " ".join(f"{each:5.1f} ms" for each in (median, most, taken[0], busy))
    print(f"{path:58} {times} {size / 1000:5.1f} KB", flush=True)
    limit = LIMIT_OF_A_CATEGORY_MS if path.startswith("/categories/") else LIMIT_MS
    return median > limit and "text=" not in path


async def _weight(browser: ClientSession, path: str) -> int:
    async with browser.get(path, headers={"Accept-Encoding": "gzip"}) as answer:
        answer.raise_for_status()
        return len(await answer.read())


if __name__ == "__main__":
    given = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(given[1]) if len(given) > 1 else Path(folder) / "bench.sqlite3"
        asyncio.run(main(int(given[0]) if given else 2_000_000, path, is_new=not path.exists()))
