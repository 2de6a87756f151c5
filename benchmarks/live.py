"""Accepted events a second with live pages open, against the same daemon without.

    .venv/bin/python -m benchmarks.live [ROUNDS] [SECONDS]

Needs `wrk`. Each round measures the daemon without pages, with `PAGES` of them, and without again; a round's
ratio is the rate with pages over the mean of the two. A page is what a browser's tab is to the daemon: it
loads the list of events, listens to the stream, and loads the list anew, packed, each time that it is told
to. The pages are opened from a process of their own.
"""

import asyncio
import json
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aiohttp import ClientSession, ClientTimeout, CookieJar, TCPConnector

from benchmarks import processes
from benchmarks.intake import create_account
from benchmarks.wrk import post

PAGES = 20
TARGET = 0.9


def main(rounds: int, seconds: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        variables = processes.environment(folder / "bench.sqlite3")
        key = create_account(variables)
        with processes.daemon(variables) as url:
            post(url, key, folder, seconds)  # a list that is full
            ratios = []
            for number in range(1, rounds + 1):
                before = post(url, key, folder, seconds).rate
                with _open_pages(url, variables) as loaded:
                    rate = post(url, key, folder, seconds).rate
                after = post(url, key, folder, seconds).rate
                ratios.append(rate / statistics.mean((before, after)))
                print(
                    f"round {number}: {before:,.0f}/s, with {PAGES} pages {rate:,.0f}/s, {after:,.0f}/s, "
                    f"ratio {ratios[-1]:.3f}; lists loaded meanwhile: {loaded[0]}",
                    flush=True,
                )
    median = statistics.median(ratios)
    print(f"median ratio {median:.3f} (target {TARGET:.2f}), best {max(ratios):.3f}")
    if median < TARGET:
        sys.exit("Live pages cost the intake too much.")


@contextmanager
def _open_pages(url: str, variables: dict[str, str]) -> Iterator[list[int]]:
    """Open the pages; give a list that has, once they are closed, how often they loaded the list anew."""
    made = subprocess.run(
        [sys.executable, "-m", "pingpilot", "sign-in", "bench@example.com", "--json"],
        env=variables,
        check=True,
        capture_output=True,
    )
    link = url + re.sub("^https?://[^/]+", "", json.loads(made.stdout)["url"])
    command = [sys.executable, "-m", "benchmarks.live", "pages", url, link]
    loaded = list[int]()
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as tabs:
        assert tabs.stdin is not None and tabs.stdout is not None  # noqa: S101, PT018  # for mypy
        tabs.stdout.readline()  # all are open
        try:
            yield loaded
        finally:
            tabs.stdin.close()
            loaded.append(int(tabs.stdout.read() or 0))


async def _browse(url: str, link: str) -> None:
    """Keep the pages open until standard input ends; print how often they loaded the list."""
    async with ClientSession(
        cookie_jar=CookieJar(unsafe=True),
        connector=TCPConnector(limit=0),
        timeout=ClientTimeout(total=None),
        headers={"Accept": "text/html", "Accept-Encoding": "gzip"},
        auto_decompress=False,
    ) as browser:
        async with browser.post(link, headers={"Sec-Fetch-Site": "same-origin"}) as answer:
            answer.raise_for_status()
        loads = list[int]()
        async with asyncio.TaskGroup() as group:
            open_ = [asyncio.Event() for _ in range(PAGES)]
            tabs = [group.create_task(_tab(browser, url, loads, each)) for each in open_]
            await asyncio.gather(*(each.wait() for each in open_))
            print("open", flush=True)
            await asyncio.to_thread(sys.stdin.read)
            for tab in tabs:
                tab.cancel()
        print(len(loads))


async def _tab(browser: ClientSession, url: str, loads: list[int], is_open: asyncio.Event) -> None:
    async with browser.get(f"{url}/live") as stream:
        stream.raise_for_status()
        async for line in stream.content:
            is_open.set()  # the first message comes at once: the page has seen nothing
            if line.strip() == b"event: changed":
                async with browser.get(f"{url}/events") as page:
                    loads.append(len(await page.read()))


if __name__ == "__main__":
    if sys.argv[1:2] == ["pages"]:
        asyncio.run(_browse(*sys.argv[2:4]))
    else:
        main(*(int(text) for text in (*sys.argv[1:], "5", "10")[:2]))
