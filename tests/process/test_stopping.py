"""SIGTERM: what is under way ends well, the rest waits for the next start."""

import asyncio

import pytest

from pingpilot.sandbox.faults import Fault
from tests.support.daemon import Daemon
from tests.support.platforms import Platforms

SEND = "sendMessage"


@pytest.fixture
def held(platforms: Platforms, key: str) -> asyncio.Event:
    """Telegram takes the account's next message once this is set."""
    release = asyncio.Event()
    platforms.telegram.faults.add(Fault.hold(release), route=SEND)
    return release


async def test_a_send_under_way_finishes_and_the_rest_is_delivered_after_the_next_start(
    daemon: Daemon, platforms: Platforms, key: str, held: asyncio.Event
) -> None:
    before = platforms.telegram.calls[SEND]
    for number in range(3):
        await post_numbered(daemon, key, number)
    await platforms.telegram.wait_for_calls(SEND, before + 1)

    daemon.terminate()
    await daemon.wait_until_stopping()
    held.set()
    code = await daemon.wait()
    arrived_before_the_end = numbers(platforms)
    await daemon.start()
    await platforms.telegram.wait_for_messages(5)
    await platforms.mail.wait_for_messages(3)
    await daemon.stop()

    assert code == 0
    assert arrived_before_the_end == [0]
    assert numbers(platforms) == [0, 1, 2]
    assert len(platforms.discord.messages) == 1 + 3
    assert len(platforms.mail.mails) == 3


async def test_events_that_come_while_stopping_are_refused(
    daemon: Daemon, platforms: Platforms, key: str, held: asyncio.Event
) -> None:
    before = platforms.telegram.calls[SEND]
    await post_numbered(daemon, key, 0)
    await platforms.telegram.wait_for_calls(SEND, before + 1)
    daemon.terminate()
    await daemon.wait_until_stopping()

    answer = await daemon.post(key, {"category": "bug"})
    ready = await daemon.get("/readyz")
    alive = await daemon.get("/healthz")

    held.set()
    assert (answer.status, answer.body["code"]) == (503, "shutting_down")
    assert int(answer.headers["Retry-After"]) > 0
    assert (ready.status, ready.body["status"]) == (503, "stopping")
    assert alive.status == 200
    assert await daemon.wait() == 0


async def test_a_request_that_waits_for_its_deliveries_is_answered(
    daemon: Daemon, platforms: Platforms, key: str, held: asyncio.Event
) -> None:
    before = platforms.telegram.calls[SEND]
    waiting = asyncio.create_task(daemon.post(key, {"category": "bug"}, prefer="wait=30"))
    await platforms.telegram.wait_for_calls(SEND, before + 1)

    daemon.terminate()
    answer = await waiting

    held.set()
    assert answer.status == 200
    assert answer.body["deliveryStatus"] == "PENDING"
    assert await daemon.wait() == 0


async def test_a_second_signal_ends_the_daemon_at_once(
    daemon: Daemon, platforms: Platforms, key: str, held: asyncio.Event
) -> None:
    before = platforms.telegram.calls[SEND]
    await post_numbered(daemon, key, 0)
    await platforms.telegram.wait_for_calls(SEND, before + 1)
    daemon.terminate()
    await daemon.wait_until_stopping()

    daemon.terminate()

    assert await daemon.wait() == 1  # an end in order, after the grace, would be 0
    assert numbers(platforms) == []
    await daemon.start()
    await platforms.telegram.wait_for_messages(3)
    assert numbers(platforms) == [0]


async def post_numbered(daemon: Daemon, key: str, number: int) -> None:
    answer = await daemon.post(key, {"category": "bug", "description": f"number {number}"})
    assert answer.status == 200


def numbers(platforms: Platforms) -> list[int]:
    """Return which of the numbered events arrived on Telegram, in their order."""
    texts = [message.text for message in platforms.telegram.messages]
    return [number for text in texts for number in range(10) if f"number {number}" in text]
