"""A fourth channel, added by its folder and one record: everything else reads the record."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import ClientSession, web

from models import Destination, Plan
from pingpilot.accounts.accounts import NewAccount, create_account
from pingpilot.channels import CHANNELS, AddressSource
from pingpilot.config import load_settings, unknown_variables
from pingpilot.daemon.daemon import Daemon
from pingpilot.daemon.identity import Identity
from pingpilot.doctor import Finding, Level, examine

from . import KIND


@dataclass
class PagerStandIn:
    """Takes pages and keeps them."""

    url: str = ""
    pages: list[dict[str, Any]] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        self.pages.append(await request.json())
        return web.Response()


@pytest.fixture
async def pager() -> AsyncIterator[PagerStandIn]:
    pager = PagerStandIn()
    app = web.Application()
    app.router.add_post("/page", pager.take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    pager.url = f"http://127.0.0.1:{runner.addresses[0][1]}/page"
    yield pager
    await runner.cleanup()


@pytest.fixture
async def old(sqlite: str) -> NewAccount:
    """An account made before there was a pager."""
    return await an_account("old@example.com")


@pytest.fixture
async def registered(old: NewAccount, monkeypatch: pytest.MonkeyPatch, pager: PagerStandIn) -> None:
    """The pager's record and setting, from here on."""
    monkeypatch.setitem(CHANNELS, KIND.name, KIND)
    monkeypatch.setenv("PINGPILOT_PAGER_URL", pager.url)
    monkeypatch.setenv("PINGPILOT_HTTP_PORT", "0")


async def an_account(email: str, *channels: str) -> NewAccount:
    now = datetime.now(UTC)
    return await create_account(email, plan=Plan.FREE, monthly_events=None, channels=channels, now=now)


@asynccontextmanager
async def a_program(account: NewAccount) -> AsyncIterator[ClientSession]:
    """The real daemon over the open database, and a program with the account's key."""
    stop = asyncio.Event()
    up: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    daemon = Daemon(load_settings(), identity=Identity("box:0:1"), grace=timedelta(seconds=1))
    serving = asyncio.create_task(daemon.serve(stop, on_up=up.set_result))
    headers = {"Authorization": f"Bearer {account.api_key}", "Prefer": "wait=20"}
    async with ClientSession(await up, headers=headers) as program:
        yield program
        stop.set()
        await serving


async def post(program: ClientSession) -> tuple[int, dict[str, Any]]:
    event = {"category": "sale", "description": "A lamp was sold"}
    async with program.post("/api/v1/event", json=event) as reply:
        return reply.status, await reply.json()


@pytest.mark.usefixtures("registered")
async def test_an_event_reaches_an_account_that_has_the_channel_from_the_start(pager: PagerStandIn) -> None:
    async with a_program(await an_account("new@example.com", KIND.name)) as program:
        status, body = await post(program)

    assert (status, body["deliveryStatus"]) == (200, "DELIVERED")
    assert [(each["channel"], each["status"]) for each in body["deliveries"]] == [("pager", "delivered")]
    assert pager.pages == [{"to": "new@example.com", "text": "💰 Sale: A lamp was sold"}]


@pytest.mark.usefixtures("registered")
async def test_an_account_made_before_the_channel_can_switch_it_on(
    old: NewAccount, pager: PagerStandIn
) -> None:
    async with a_program(old) as program:
        async with program.get("/api/v1/account") as reply:
            before = (await reply.json())["channels"]
        async with program.patch("/api/v1/account", json={"channels": {"pager": {"enabled": True}}}) as reply:
            after = (await reply.json())["channels"]
        status, body = await post(program)

    shown = {each["channel"]: (each["enabled"], each["linked"]) for each in before}
    assert shown == {"discord": (False, False), "telegram": (False, False), "email": (False, True)} | {
        "pager": (False, True)
    }
    assert {each["channel"]: each["enabled"] for each in after}["pager"]
    assert (status, body["deliveryStatus"]) == (200, "DELIVERED")
    assert pager.pages == [{"to": "old@example.com", "text": "💰 Sale: A lamp was sold"}]
    assert await Destination.filter(account_id=old.account.id, channel="pager").count() == 1


async def test_where_it_must_be_linked_an_event_is_answered_by_its_own_code(
    old: NewAccount, monkeypatch: pytest.MonkeyPatch, pager: PagerStandIn, registered: None
) -> None:
    linked = replace(KIND, address=AddressSource.LINK, unlinked_code="pager_not_linked")
    monkeypatch.setitem(CHANNELS, KIND.name, linked)

    async with a_program(await an_account("new@example.com", KIND.name)) as program:
        status, body = await post(program)
        async with program.get("/openapi.json") as reply:
            document = await reply.json()

    assert (status, body["code"]) == (403, "pager_not_linked")
    assert body["message"].startswith("Pager is switched on for this account but not linked")
    assert pager.pages == []
    refusals = document["paths"]["/api/v1/event"]["post"]["responses"]["403"]
    assert "pager_not_linked" in str(refusals)
    assert "pager" in document["components"]["schemas"]["ShownDelivery"]["properties"]["channel"]["enum"]


@pytest.mark.usefixtures("registered")
async def test_the_doctor_and_readyz_know_it(old: NewAccount, pager: PagerStandIn) -> None:
    async with a_program(old) as program, program.get("/readyz") as reply:
        parts = (await reply.json())["parts"]

    findings = [finding async for finding in examine()]

    assert parts["pager"] == "up"
    assert Finding("pager", Level.OK, f"Pages go to {pager.url}.") in findings
    assert unknown_variables() == []


@pytest.mark.usefixtures("registered")
async def test_without_its_setting_it_is_off_and_says_what_it_lacks(
    old: NewAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PINGPILOT_PAGER_URL")

    async with a_program(old) as program:
        async with program.get("/readyz") as reply:
            ready = await reply.json()
        async with program.patch("/api/v1/account", json={"channels": {"pager": {"enabled": True}}}) as reply:
            refused = reply.status, (await reply.json())["code"]

    assert (ready["parts"]["pager"], ready["reasons"]["pager"]) == (
        "off",
        "Set PINGPILOT_PAGER_URL to switch it on.",
    )
    assert refused == (409, "channel_not_configured")
