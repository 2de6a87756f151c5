"""A token revoked, or a password changed, while the daemon runs: its channel pauses until that is mended."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import structlog
from aiohttp import ClientSession

from models import DeliveryAttempt, Destination, Event
from pingpilot.accounts.keys import create_key
from pingpilot.channels import DISCORD, TELEGRAM, direct_channels
from pingpilot.config import Settings, load_settings
from pingpilot.daemon.daemon import Daemon
from pingpilot.daemon.identity import Identity
from tests.channels.standins import keeping_discords_address, open_conversation
from tests.support.accounts import link_chat, new_account
from tests.support.clock import ManualClock
from tests.support.platforms import (
    ADA,
    DISCORD_TOKEN,
    GRACE,
    SMTP_PASSWORD,
    TELEGRAM_TOKEN,
    Platforms,
)
from tests.support.waiting import comes_true

REASONS = {
    "discord": "Discord refuses the bot's token: set a valid one.",
    "telegram": "Telegram refuses the bot's token: set a valid one.",
    "email": "The mail server can't be used: 535 5.7.8 Authentication credentials invalid. Check "
    "PINGPILOT_SMTP_USERNAME and PINGPILOT_SMTP_PASSWORD.",
}


class InProcess:
    """A daemon in this process, on a clock that a test moves, and an account with all channels linked."""

    def __init__(self, base_url: str, key: str, clock: ManualClock, http: ClientSession) -> None:
        self._base_url = base_url
        self._headers = {"Authorization": f"Bearer {key}"}
        self._clock = clock
        self._http = http

    async def post(self, description: str) -> str:
        """Post an event; return its id."""
        body = {"category": "bug", "description": description}
        url = f"{self._base_url}/api/v1/event"
        async with self._http.post(url, json=body, headers=self._headers) as answer:
            return str((await answer.json())["eventId"])

    async def get(self, path: str) -> Any:
        """Return the JSON of a 200."""
        async with self._http.get(self._base_url + path, headers=self._headers) as answer:
            assert answer.status == 200
            return await answer.json()

    async def readiness(self) -> Any:
        """Return what `/readyz` says; a 503 too, where the clock went on faster than the daemon looks."""
        async with self._http.get(f"{self._base_url}/readyz") as answer:
            assert answer.status in (200, 503)
            return await answer.json()

    async def deliveries(self, event_id: str) -> dict[str, tuple[str, int]]:
        """Return each delivery's status and how many attempts were charged to it."""
        event = await self.get(f"/api/v1/events/{event_id}")
        return {each["channel"]: (each["status"], each["attempts"]) for each in event["deliveries"]}

    async def wait_until(self, holds: Callable[[], Awaitable[bool]], what: str) -> None:
        """Return once it is so, however much time of the daemon's clock that takes."""

        async def some_time_later() -> bool:
            self._clock.advance_seconds(1)
            return await holds()

        await comes_true(some_time_later, what, timeout=20)


@asynccontextmanager
async def running(settings: Settings, clock: ManualClock) -> AsyncIterator[str]:
    """Run a daemon over the open database; gives its base URL."""
    stop, url = asyncio.Event(), asyncio.get_running_loop().create_future()
    made = Daemon(settings, identity=Identity("box:0:1"), clock=clock)
    task = asyncio.create_task(made.serve(stop, on_up=url.set_result))
    try:
        yield await url
    finally:
        stop.set()
        await task


@pytest.fixture
async def daemon(
    sqlite: str, platforms: Platforms, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[InProcess]:
    for name, value in platforms.settings.items():
        monkeypatch.setenv(name, value)
    ada = await new_account(clock, "ada@example.com", channels=direct_channels())
    _, key = await create_key(ada, "test", clock.now())
    platforms.telegram.start_chat(GRACE)
    await link_chat(ada, DISCORD.name, clock, await open_conversation(platforms.discord, ADA))
    await link_chat(ada, TELEGRAM.name, clock, str(GRACE.id))
    with keeping_discords_address():
        async with running(load_settings(http_port=0), clock) as url, ClientSession() as http:
            made = InProcess(url, key, clock, http)
            await made.wait_until(lambda: all_are(made, "up"), "all parts to be up")
            yield made


async def all_are(daemon: InProcess, state: str) -> bool:
    parts = (await daemon.readiness())["parts"]
    return all(parts[name] == state for name in direct_channels())


async def break_login(platforms: Platforms, name: str) -> None:
    if name == "discord":
        platforms.discord.revoke_token()
    elif name == "telegram":
        platforms.telegram.revoke_token()
    else:
        platforms.mail.password = "another"
        await platforms.mail.stop()  # who is logged in already would stay so
        await platforms.mail.start()


def mend_logins(platforms: Platforms) -> None:
    platforms.discord.token, platforms.telegram.token = DISCORD_TOKEN, TELEGRAM_TOKEN
    platforms.mail.password = SMTP_PASSWORD


@pytest.mark.parametrize("name", direct_channels())
async def test_its_channel_pauses_shows_it_and_goes_on_by_itself(
    daemon: InProcess, platforms: Platforms, name: str
) -> None:
    async def is_shown() -> bool:
        return bool((await daemon.readiness()).get("reasons", {}).get(name) == REASONS[name])

    async def others_are_served() -> bool:
        rows = await daemon.deliveries(event)
        return all(rows[other] == ("delivered", 1) for other in direct_channels() if other != name)

    async def all_are_served() -> bool:
        return set((await daemon.deliveries(event)).values()) == {("delivered", 1)}

    with structlog.testing.capture_logs() as log:
        await break_login(platforms, name)
        event = await daemon.post("The lamp does not light")
        await daemon.wait_until(is_shown, f"{name} to show why it is paused")
        await daemon.wait_until(others_are_served, "the other channels")
        paused = (await daemon.get("/readyz"))["parts"]
        waiting = (await daemon.deliveries(event))[name]
        mend_logins(platforms)
        await daemon.wait_until(all_are_served, f"{name} to go on")
        await daemon.wait_until(lambda: all_are(daemon, "up"), "all parts to be up again")

    attempts = await DeliveryAttempt.all()
    assert {part: paused[part] for part in direct_channels()} == dict.fromkeys(direct_channels(), "up") | {
        name: "paused"
    }
    assert (waiting[0] in ("pending", "sending"), waiting[1]) == (True, 0)
    assert [attempt.outcome for attempt in attempts] == ["delivered"] * 3
    assert {"event": f"{name} is paused", "reason": REASONS[name], "log_level": "warning"} in log
    assert await Destination.filter(suspended_reason__isnull=False).count() == 0
    assert await Event.filter(notice=True).count() == 0
