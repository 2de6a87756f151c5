"""An event's way through the log, from the request to each channel's outcome."""

import asyncio
import json
from typing import Any

import pytest

from pingpilot.sandbox.faults import Fault
from tests.support.daemon import Daemon
from tests.support.platforms import Platforms

BUG = {"category": "bug", "description": "The lamp does not light"}
OUTCOME = {"event", "level", "logger", "timestamp", "channel", "delivery", "event_id", "attempt"}


@pytest.fixture
def daemon(daemon: Daemon) -> Daemon:
    """It writes all it has to say as JSON."""
    daemon.settings |= {"PINGPILOT_LOG_LEVEL": "DEBUG", "PINGPILOT_LOG_FORMAT": "json"}
    return daemon


def lines_with(daemon: Daemon, **values: Any) -> list[dict[str, Any]]:
    """Return the lines that hold these values; every line of the log is one JSON object."""
    lines = [json.loads(line) for line in daemon.log.splitlines()]
    assert all({"event", "level", "logger", "timestamp"} <= line.keys() for line in lines)
    return [line for line in lines if values.items() <= line.items()]


async def test_an_event_is_followed_by_its_id_from_the_request_to_each_channel(
    daemon: Daemon, key: str
) -> None:
    answer = await daemon.post(key, BUG, prefer="wait=10", x_request_id="order-4711")
    await daemon.stop()

    event_id = answer.body["eventId"]
    [accepted] = lines_with(daemon, request_id="order-4711")
    outcomes = lines_with(daemon, event="Delivery delivered", event_id=event_id)
    assert (accepted["event"], accepted["event_id"]) == ("Event accepted", event_id)
    assert sorted(line["channel"] for line in outcomes) == ["discord", "email", "telegram"]
    assert [line.keys() for line in outcomes] == [OUTCOME] * 3
    assert [(line["attempt"], line["level"]) for line in outcomes] == [(1, "info")] * 3
    assert "lamp" not in daemon.log


async def test_each_event_of_a_message_over_many_has_its_line(
    daemon: Daemon, platforms: Platforms, key: str
) -> None:
    release = asyncio.Event()
    platforms.telegram.faults.add(Fault.hold(release), route="sendMessage")
    before = platforms.telegram.calls["sendMessage"]
    first = await daemon.post(key, BUG)
    await platforms.telegram.wait_for_calls("sendMessage", before + 1)

    others = [await daemon.post(key, BUG) for _ in range(5)]
    release.set()
    await platforms.telegram.wait_for_messages(4)
    await daemon.stop()

    lines = lines_with(daemon, event="Delivery delivered", channel="telegram")[1:]
    ids = [answer.body["eventId"] for answer in (first, *others)]
    assert [line["event_id"] for line in lines[:1]] == ids[:1]
    assert sorted(line["event_id"] for line in lines[1:]) == sorted(ids[1:])
    assert [line.get("combined") for line in lines] == [None, *[5] * 5]
    assert len({line["delivery"] for line in lines}) == 6


async def test_a_refusal_that_repeats_the_recipients_address_is_logged_without_it(
    daemon: Daemon, platforms: Platforms
) -> None:
    await daemon.start()
    key = await daemon.create_account("alice@example.com", channels=["email"])
    platforms.mail.refuse_recipient("alice@example.com", text="5.1.1 <Alice@Example.com>: unknown here")

    answer = await daemon.post(key, BUG, prefer="wait=10")
    await daemon.stop()

    [failed] = lines_with(daemon, event="Delivery failed")
    assert failed["event_id"] == answer.body["eventId"]
    assert "<[recipient]>: unknown here" in failed["reason"]
    assert "alice@example.com" not in daemon.log.lower()
