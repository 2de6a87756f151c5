"""How an event looks on each platform, drawn from the very rendering that is sent there."""

import asyncio
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from aiohttp import web
from markupsafe import Markup

from api.errors import ApiError
from api.services import SERVICES
from models import Account, Event
from pingpilot.channels import CHANNELS, EMAIL, ChannelKind, load
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
    zone = ZoneInfo(account.time_zone)
    drawn = []
    for name, (notification, recipient) in (await messages_of(event, account)).items():
        if look := await _look(request, CHANNELS[name], notification, recipient):
            shown = draw(look, at=event.created_at, zone=zone, frame=frame)
            drawn.append(Drawn(name, CHANNELS[name].label, shown))
    return drawn


async def mail_of(request: web.Request, event: Event, account: Account) -> web.Response:
    """Return an event's mail alone, for a frame. Raises `not_found` where there is none."""
    look = await _look(request, EMAIL, *(await messages_of(event, account))[EMAIL.name])
    if not isinstance(look, MailLook):
        raise ApiError("not_found")
    page = web.Response(text=framed(look.html), content_type="text/html", headers=FRAMED)
    page.enable_compression()
    return page


async def _look(
    request: web.Request, kind: ChannelKind, notification: Notification, recipient: Recipient
) -> Look | None:
    """Return how a message looks, None where the channel does not say or could not send it."""
    if kind.look is None:
        return None
    # In a thread: the first time it loads the platform's library, which takes a while
    look = await asyncio.to_thread(load, kind.look)
    settings = request.app[SERVICES].channel_settings.get(kind.name) or load(kind.settings)()
    try:
        drawn: Look = look(notification, recipient, settings)
    except ValueError:  # such as an address that no mail can be sent to
        return None
    return drawn
