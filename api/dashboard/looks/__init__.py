"""How an event looks on each platform, drawn from the very rendering that is sent there."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from aiohttp import web
from markupsafe import Markup

from api.errors import ApiError
from api.services import SERVICES
from models import Account, Event
from pingpilot.channels import CHANNELS, EMAIL, ChannelKind, load
from pingpilot.config import ChannelSettings
from pingpilot.delivery.channel import Notification, Recipient
from pingpilot.delivery.showing import messages_of
from pingpilot.rendering.looks import FRAMED, Look, MailLook, draw, framed


@dataclass(frozen=True, slots=True)
class Drawn:
    """A channel, by its name and what people call it, and how an event looks there."""

    name: str
    label: str
    look: Markup


async def looks_of(request: web.Request, event: Event, account: Account, *, frame: str) -> list[Drawn]:
    """Return how an event looks on each platform; `frame` is where `mail_of` is served."""
    messages, zone = await messages_of(event, account), ZoneInfo(account.time_zone)
    settings = request.app[SERVICES].channel_settings

    def draw_all() -> list[Drawn]:
        drawn = []
        for name, (notification, recipient) in messages.items():
            if look := _look(CHANNELS[name], notification, recipient, settings):
                shown = draw(look, at=event.created_at, zone=zone, frame=frame)
                drawn.append(Drawn(name, CHANNELS[name].label, shown))
        return drawn

    # In a thread: the first time loads the platforms' libraries, and the longest event takes 80 ms
    return await asyncio.to_thread(draw_all)


async def mail_of(request: web.Request, event: Event, account: Account) -> web.Response:
    """Return an event's mail alone, for a frame. Raises `not_found` where there is none."""
    message = (await messages_of(event, account))[EMAIL.name]
    look = await asyncio.to_thread(_look, EMAIL, *message, request.app[SERVICES].channel_settings)
    if not isinstance(look, MailLook):
        raise ApiError("not_found")
    page = web.Response(text=framed(look.html), content_type="text/html", headers=FRAMED)
    page.enable_compression()
    return page


def _look(
    kind: ChannelKind,
    notification: Notification,
    recipient: Recipient,
    settings: Mapping[str, ChannelSettings],
) -> Look | None:
    """Return how a message looks, None where the channel does not say or could not send it."""
    if kind.look is None:
        return None
    try:
        look: Look = load(kind.look)(
            notification, recipient, settings.get(kind.name) or load(kind.settings)()
        )
    except ValueError:  # such as an address that no mail can be sent to
        return None
    return look
