"""The webhook's receiver takes nothing that the specification would refuse."""

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import ClientSession

from pingpilot.accounts.webhooks import new_webhook_secret
from pingpilot.sandbox.faults import Fault
from pingpilot.sandbox.webhook import WebhookStandIn

SECRET = new_webhook_secret()
NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
BODY = json.dumps({"type": "event.created", "timestamp": "2026-11-26T12:00:00Z", "data": {}}).encode()


@pytest.fixture
async def receiver() -> AsyncIterator[WebhookStandIn]:
    async with WebhookStandIn(secrets=[SECRET], now=lambda: NOW) as receiver:
        yield receiver


def signed(
    body: bytes = BODY, *, secret: str = SECRET, message: str = "msg_1", at: str = str(int(NOW.timestamp()))
) -> dict[str, str]:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signature = hmac.new(key, f"{message}.{at}.".encode() + body, hashlib.sha256).digest()
    return {
        "content-type": "application/json",
        "webhook-id": message,
        "webhook-timestamp": at,
        "webhook-signature": f"v1,{base64.b64encode(signature).decode()}",
    }


async def answer(receiver: WebhookStandIn, headers: dict[str, str], body: bytes = BODY, **how: Any) -> int:
    async with (
        ClientSession() as session,
        session.request(how.get("method", "POST"), receiver.url, data=body, headers=headers) as reply,
    ):
        return reply.status


async def test_a_signed_message_is_taken_once_an_id(receiver: WebhookStandIn) -> None:
    statuses = [await answer(receiver, signed(message=each)) for each in ("msg_1", "msg_1", "msg_2")]

    assert statuses == [204] * 3
    assert [each.id for each in receiver.messages] == ["msg_1", "msg_2"]
    assert receiver.repeats == 1
    assert receiver.messages[0].payload["type"] == "event.created"


SECONDS = int(NOW.timestamp())
REFUSED: dict[str, tuple[dict[str, str], bytes, int]] = {
    "no signature": (signed() | {"webhook-signature": ""}, BODY, 400),
    "another version": (signed() | {"webhook-signature": "v9,AAAA"}, BODY, 401),
    "another secret": (signed(secret=new_webhook_secret()), BODY, 401),
    "another body": (signed(), BODY + b" ", 401),
    "another id": (signed() | {"webhook-id": "msg_2"}, BODY, 401),
    "an id with a full stop": (signed(message="msg.1"), BODY, 400),
    "no id": (signed() | {"webhook-id": ""}, BODY, 400),
    "an old time": (signed(at=str(SECONDS - 301)), BODY, 401),
    "a time ahead": (signed(at=str(SECONDS + 301)), BODY, 401),
    "a time in parts": (signed(at=f"{SECONDS}.5"), BODY, 400),
    "no JSON": (signed(b"{"), b"{", 400),
    "another JSON": (signed(b"[]"), b"[]", 400),
    "another type": (signed() | {"content-type": "text/plain"}, BODY, 415),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_what_is_not_as_specified_is_refused(receiver: WebhookStandIn, case: str) -> None:
    headers, body, status = REFUSED[case]

    assert await answer(receiver, headers, body) == status
    assert receiver.messages == []


async def test_only_post_is_taken(receiver: WebhookStandIn) -> None:
    assert await answer(receiver, signed(), method="PUT") == 405


async def test_a_fault_may_name_a_path_and_a_pause(receiver: WebhookStandIn) -> None:
    receiver.faults.add(Fault.status(429, retry_after=7), route="/other")
    receiver.faults.add(Fault.status(503, headers={"Retry-After": "soon"}), route="/hook")

    assert await answer(receiver, signed()) == 503
    assert await answer(receiver, signed()) == 204
    assert receiver.faults.taken == 1
