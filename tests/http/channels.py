"""A channel that does what its test says, and the dispatchers that use it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from pingpilot.delivery.channel import Notification, Recipient
from tests.support.composition import running

from .api import Api


class ScriptedChannel:
    """Takes every message at once, unless it has a `failure` to raise or its `gate` is closed."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.failure: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.reached = asyncio.Event()
        self.sent: list[Notification] = []

    async def send(self, recipient: Recipient, notification: Notification) -> None:
        self.reached.set()
        await self.gate.wait()
        if self.failure:
            raise self.failure
        self.sent.append(notification)


@asynccontextmanager
async def dispatching(api: Api, channel: ScriptedChannel) -> AsyncIterator[ScriptedChannel]:
    """Deliver what the API accepts for this channel."""
    dispatcher = api.composition.dispatcher(channel, poll=timedelta(milliseconds=10))
    api.composition.listeners.append(dispatcher)
    async with running(dispatcher):
        yield channel
