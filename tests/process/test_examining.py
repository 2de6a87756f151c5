"""The doctor's visit to a running daemon, asked for on the operator's page."""

import asyncio
import re
import sys
from datetime import timedelta

import aiohttp
import pytest

from pingpilot.config import load_settings
from pingpilot.daemon.examining import Examiner
from pingpilot.telemetry.findings import Level
from tests.support.clock import ManualClock
from tests.support.daemon import Daemon


async def test_an_operator_has_the_doctor_look_while_events_are_taken(daemon: Daemon, key: str) -> None:
    link = (await daemon.command("sign-in", "alice@example.com", "--json")).json["url"]
    headers = {"Accept": "text/html", "Sec-Fetch-Site": "same-origin"}
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True), headers=headers) as browser:
        await browser.post(link)
        asked = asyncio.create_task(browser.post(f"{daemon.base_url}/operator", data={"do": "examine"}))
        accepted = [await daemon.post(key, {"category": "sale"}) for _ in range(3)]
        async with await asked as answer:
            page = re.sub(r"<[^>]+>", "", await answer.text())

    assert [each.status for each in accepted] == [200, 200, 200]
    assert f"port The daemon runs at {daemon.base_url}" in " ".join(page.split())
    assert "schema Up to date." in page


@pytest.mark.parametrize(
    ("program", "within"),
    [("import time; time.sleep(60)", 0.2), ("print('no JSON')", 30), ("raise SystemExit(1)", 30)],
    ids=["hangs", "speaks", "crashes"],
)
async def test_a_doctor_that_can_not_look_is_a_finding(
    program: str, within: float, clock: ManualClock
) -> None:
    command, limit = (sys.executable, "-c", program), timedelta(seconds=within)
    examiner = Examiner(load_settings(), clock=clock, command=command, within=limit)

    first, second = await asyncio.gather(examiner.examine(), examiner.examine())

    assert first is second is examiner.latest
    assert [(each.subject, each.level) for each in first.findings] == [("doctor", Level.PROBLEM)]
    await examiner.close()
