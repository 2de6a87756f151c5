"""What docs/integrations.md shows works as it stands there, against the running API."""

import json
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from liquid import Environment

from pingpilot.accounts.categories import add_category
from tests.http.api import EVENT, Api, Program, Reply, serving
from tests.support.clock import ManualClock
from tests.support.daemon import execute

PAGE = (Path(__file__).parents[2] / "docs" / "integrations.md").read_text()


@pytest.fixture
async def api(sqlite: str, clock: ManualClock) -> AsyncIterator[Api]:
    async with serving(clock) as served:
        yield served


@pytest.fixture
async def shop(api: Api) -> Program:
    """An account with the page's category."""
    shop = await api.sign_up()
    await add_category(shop.account, "monitoring", color="#e17055", emoji=None, now=api.clock.now())
    return shop


async def newest(shop: Program) -> dict[str, Any]:
    listed = (await shop.get(f"{EVENT}s")).body["events"]
    return dict(listed[0])


@pytest.mark.parametrize("title", ["Backup", ""])
async def test_apprise_sends(shop: Program, title: str, tmp_path: Path) -> None:
    [address] = re.findall(r"^jsons://\S+$", PAGE, re.MULTILINE)
    here = address.replace("jsons:", "json:").replace("pp_YOUR_KEY", shop.key)
    here = here.replace("ping.example.com", shop.api.url.removeprefix("http://"))

    sent = await execute(
        *(
            str(Path(sys.executable).with_name("apprise")),
            "--title",
            title,
            "--body",
            "Finished in 42 s – ü",
            here,
        ),
        settings={},
        folder=tmp_path,
    )

    assert sent.code == 0, sent.out + sent.err
    event = await newest(shop)
    assert (event["category"], event["title"]) == ("monitoring", title or None)
    assert (event["description"], event["fields"]) == ("Finished in 42 s – ü", {})


@pytest.mark.parametrize(
    ("status", "address"), [("🔴 Down", "https://shop.example.com"), ("✅ Up", ""), ("⚠️ Test", None)]
)
async def test_uptime_kuma_sends(shop: Program, status: str, address: str | None) -> None:
    said = 'timeout of "48000ms"\nexceeded \\'

    reply = await from_uptime_kuma(
        shop, {"name": 'The "shop"', "status": status, "hostnameOrURL": address, "msg": said}
    )

    assert reply.status == 200, reply.text
    event = await newest(shop)
    assert (event["title"], event["description"]) == (f'The "shop" {status}', said)
    assert event["fields"] == {"monitor": 'The "shop"', "address": address or ""}


async def test_uptime_kumas_long_texts_are_cut(shop: Program) -> None:
    reply = await from_uptime_kuma(
        shop, {"name": "n" * 300, "status": "✅ Up", "hostnameOrURL": "h", "msg": "m" * 9000}
    )

    assert reply.status == 200, reply.text


async def from_uptime_kuma(shop: Program, said: dict[str, str | None]) -> Reply:
    """Send as its webhook does: a text under axios' customary type, with the headers of the page."""
    [template] = re.findall(r"```liquid\n(.*?)```", PAGE, re.DOTALL)
    [headers] = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    body = Environment(extra=True).from_string(template).render(**said)
    own = json.loads(headers.replace("pp_YOUR_KEY", shop.key))
    own["Content-Type"] = "application/x-www-form-urlencoded"
    return await shop.api.call("POST", EVENT, headers=own, data=body.encode())
