"""Asking the reader of a mailbox to confirm it, from the command line."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pingpilot.accounts.quota import PlanLimits
from pingpilot.channels import EMAIL, load
from pingpilot.clock import SystemClock
from pingpilot.config import Settings
from pingpilot.delivery.channel import Channel
from pingpilot.delivery.parts import ChannelParts, Surroundings
from pingpilot.errors import InvalidInput
from pingpilot.telemetry.health import Health


def check_mail_is_set_up(settings: Settings) -> None:
    """Raise `InvalidInput` where no mail can be sent."""
    if missing := settings.channels[EMAIL.name].missing:
        raise InvalidInput(f"The new address is confirmed by a link sent there: set {missing} first.")


def base_url_of(settings: Settings) -> str:
    """Return where people reach the daemon that honours the links."""
    return settings.base_url(settings.http_port)


@asynccontextmanager
async def mail_sender(settings: Settings) -> AsyncIterator[Channel]:
    """Give what sends a mail without a daemon. Raises `InvalidInput` where none can be sent."""
    check_mail_is_set_up(settings)
    around = Surroundings(
        limits=PlanLimits.of(settings),
        clock=SystemClock(),
        health=Health(),
        unsubscriber=None,  # whoever reads it may be a stranger, who has nothing to switch off
        on_deliveries=lambda _channels: None,
    )
    parts: ChannelParts = load(EMAIL.part)(settings.channels[EMAIL.name], around)
    try:
        yield parts.channel
    finally:
        await parts.close()
