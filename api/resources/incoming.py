"""What a platform posts by itself: taken by any daemon, and left to its channel.

No call of the API: who posts there is the platform, which shows a secret that its channel gave it.
"""

import asyncio
from http import HTTPStatus

from aiohttp import ClientPayloadError, web

from api.errors import ApiError
from api.requests.bodies import BODY_TIMEOUT
from api.services import SERVICES
from pingpilot.errors import InvalidInput

PATH = "/incoming/{channel}"

LONGEST = 256 * 1024
"""Bytes of what is posted: two of Telegram's longest messages, each letter as `\\uXXXX`, are some 60,000."""


async def receive(request: web.Request) -> web.Response:
    """Take what a platform posts; whoever is not that platform is told that there is nothing here."""
    of_channel = request.app[SERVICES].receivers.get(request.match_info["channel"])
    receiver = await of_channel() if of_channel else None
    if receiver is None or not await receiver.vouches_for(request.headers):
        raise ApiError("not_found")
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_TIMEOUT):
            async for piece in request.content.iter_any():
                body += piece
                if len(body) > LONGEST:
                    return web.Response(status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        is_taken = await receiver.receive(bytes(body))
    except TimeoutError:
        raise ApiError("request_timeout", seconds=round(BODY_TIMEOUT)) from None
    except (ClientPayloadError, web.RequestPayloadError, ConnectionError, InvalidInput) as exc:
        raise ApiError("bad_request", reason=exc) from exc
    return web.Response(status=HTTPStatus.OK if is_taken else HTTPStatus.SERVICE_UNAVAILABLE)
