"""The pager: posts a line of text to an address that the settings name."""

import asyncio

import aiohttp

from pingpilot.delivery.channel import Notification, Recipient
from pingpilot.delivery.parts import ChannelParts, Surroundings
from pingpilot.errors import TemporaryFailure
from pingpilot.telemetry.findings import Finding, Level, Visit
from pingpilot.telemetry.health import Health, State
from tests.fourth_channel.settings import PagerSettings


class PagerChannel:
    """Sends a notification's title and description; it is up as long as it runs."""

    name = "pager"

    def __init__(self, url: str, *, health: Health) -> None:
        self._url = url
        self._health = health

    async def send(self, recipient: Recipient, notification: Notification) -> None:
        page = {"to": recipient.address, "text": f"{notification.title}: {notification.description}"}
        try:
            async with aiohttp.ClientSession() as session, session.post(self._url, json=page) as reply:
                reply.raise_for_status()
        except (aiohttp.ClientError, OSError) as exc:
            raise TemporaryFailure(f"The pager can't be reached: {exc}") from exc

    async def run(self) -> None:
        self._health.report(self.name, State.UP)
        await asyncio.Event().wait()

    async def close(self) -> None:
        """Nothing is kept open."""


def build(settings: PagerSettings, around: Surroundings) -> ChannelParts:
    channel = PagerChannel(settings.url or "", health=around.health)
    return ChannelParts(channel, channel, channel.close)


async def check(settings: PagerSettings, _visit: Visit) -> Finding:
    return Finding("pager", Level.OK, f"Pages go to {settings.url}.")
