"""SIGTERM: what is under way ends well, the rest waits for the next start."""

import asyncio

import pytest

from pingpilot.sandbox.faults import Fault
from tests.support.daemon import Daemon
from tests.support.platforms import Platforms
from tests.support.waiting import comes_true

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


async def test_events_that_come_while_a_send_is_under_way_are_taken_and_wait_for_the_next_start(
    daemon: Daemon, platforms: Platforms, key: str, held: asyncio.Event
) -> None:
    before = platforms.telegram.calls[SEND]
    await post_numbered(daemon, key, 0)
    await platforms.telegram.wait_for_calls(SEND, before + 1)
    daemon.terminate()
    await daemon.wait_until_stopping()

    answer = await daemon.post(key, {"category": "bug", "description": "number 1"}, prefer="wait=30")
    ready = await daemon.get("/readyz")
    alive = await daemon.get("/healthz")

    held.set()
    code = await daemon.wait()
    await daemon.start()
    await platforms.telegram.wait_for_messages(4)
    assert (answer.status, answer.body["deliveryStatus"]) == (200, "PENDING")
    assert (ready.status, ready.body["status"]) == (503, "stopping")
    assert alive.status == 200
    assert code == 0
    assert numbers(platforms) == [0, 1]


async def test_nobody_can_connect_any_more_while_the_last_request_is_taken(
    daemon: Daemon, platforms: Platforms, key: str
) -> None:
    body = b'{"category": "bug"}'
    host, port = daemon.base_url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, port)
    head = f"POST /api/v1/event HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\n"
    writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[:5])
    await daemon.get("/healthz")  # on a later connection: the head was read before

    async def is_closed() -> bool:
        try:
            _, other = await asyncio.open_connection(host, port)
        except ConnectionRefusedError:
            return True
        other.close()
        return False

    daemon.terminate()
    await comes_true(is_closed, "the daemon to listen no longer")
    writer.write(body[5:])
    status = await reader.readline()
    writer.close()

    assert status.split()[1] == b"200"
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
