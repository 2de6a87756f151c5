"""What a platform posts: only the platform is let in, within bounds."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import SecretStr

from api.resources.incoming import LONGEST
from bots.telegram.webhook import SECRET_HEADER, Webhook
from models import IncomingUpdate
from pingpilot.delivery.parts import Receiver
from pingpilot.telemetry.health import Health

from .api import ON_SQLITE, Api

PATH = "/incoming/telegram"
UPDATE = {"update_id": 7, "message": {"text": "/link 7K3MQX9B"}}


class Told:
    """Hears of what was posted."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> None:
        self.times += 1


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
async def telegrams(api: Api, told: Told) -> Mapping[str, str]:
    """The headers of Telegram's posts to a daemon that takes them."""
    webhook = Webhook(
        token=SecretStr("42:a-token"),
        bot="telegram:42",
        base_url=api.url,
        needs_https=False,
        clock=api.clock,
        health=Health(),
        on_incoming=told,
    )

    async def receiver() -> Receiver:
        return webhook

    async def no_receiver() -> None:
        return None

    api.services.receivers = {"telegram": receiver, "discord": no_receiver}
    return {SECRET_HEADER: await webhook.secret_token()}


async def post(api: Api, headers: Mapping[str, str], body: Any, *, path: str = PATH) -> int:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return (await api.call("POST", path, headers=headers, data=data)).status


async def test_an_update_is_stored_once_and_nobody_can_read_it_in_the_database(
    api: Api, telegrams: Mapping[str, str], told: Told
) -> None:
    statuses = [await post(api, telegrams, UPDATE) for _ in range(2)]

    [stored] = await IncomingUpdate.all()
    assert statuses == [200, 200]
    assert told.times == 1
    assert (stored.bot, stored.update_id) == ("telegram:42", 7)
    assert stored.content
    assert "7K3MQX9B" not in stored.content


@ON_SQLITE
async def test_whoever_is_not_the_platform_finds_nothing(api: Api, telegrams: Mapping[str, str]) -> None:
    wrong = {SECRET_HEADER: "0" * 64}

    statuses = [
        await post(api, {}, UPDATE),
        await post(api, wrong, UPDATE),
        await post(api, {SECRET_HEADER: "ü"}, UPDATE),
        await post(api, telegrams, UPDATE, path="/incoming/discord"),
        await post(api, telegrams, UPDATE, path="/incoming/carrier-pigeon"),
    ]

    assert statuses == [404] * 5
    assert not await IncomingUpdate.exists()


@ON_SQLITE
@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"x" * (LONGEST + 1), 413),
        (b"{", 400),
        (b"[" * 100_000, 400),
        ([], 400),
        ({"message": {}}, 400),
        ({"update_id": "7"}, 400),
        ({"update_id": True}, 400),
        ({"update_id": 2**63}, 400),
        ({"update_id": 7, "message": {"text": "x" * 100_000}}, 200),
    ],
    ids=["long", "broken", "deep", "list", "no id", "text", "true", "large id", "long and good"],
)
async def test_what_is_no_update_is_refused(
    api: Api, telegrams: Mapping[str, str], body: Any, status: int
) -> None:
    assert await post(api, telegrams, body) == status
