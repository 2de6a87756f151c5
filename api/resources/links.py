"""`POST /api/v1/link-codes` and `DELETE /api/v1/links/{channel}`."""

import math

from aiohttp import web

from api.calls import Call
from api.errors import ApiError
from api.replies import json_reply
from api.requests.auth import authenticate
from api.requests.bodies import invalid_request, read_body
from api.services import SERVICES
from api.shapes.account import LinkCodeBody, NewCode, RemovedLink
from models import Account
from pingpilot.accounts.linking import create_link_code, unlink
from pingpilot.channels import CHANNELS
from pingpilot.errors import AlreadyExists, InvalidInput, TooMany
from pingpilot.events.notices import post_notice


async def post_link_code(request: web.Request) -> web.Response:
    """Make a one-time code that links a chat to the caller's account."""
    caller = await authenticate(request)
    body = await read_body(request, LinkCodeBody) if request.can_read_body else LinkCodeBody()
    account, now = await Account.get(id=caller.account_id), request.app[SERVICES].clock.now()
    try:
        new = await create_link_code(account, now, room=body.room)
    except InvalidInput as exc:
        raise invalid_request(("room", str(exc))) from None
    except AlreadyExists as exc:
        raise ApiError("destination_exists", sentence=exc) from None
    except TooMany as exc:
        if exc.until is None:
            raise ApiError("too_many_destinations", sentence=exc) from None
        wait = math.ceil((exc.until - now).total_seconds())
        raise ApiError("too_many_requests/link_codes", sentence=exc, wait=wait) from None
    bots = " or ".join(kind.label for kind in CHANNELS.values() if kind.needs_link)
    tap = ", or open telegramUrl" if new.telegram_url else ""
    where = f"send `/link {new.code}` to the {bots} bot"
    if body.room is not None:
        where = (
            f"send `{new.in_groups}` in the Telegram group, topic or channel that is to be '{body.room}', or "
            f"`/link code: {new.code} where: This channel` in the Discord channel"
        )
    shown = NewCode(
        message=f"Within 10 minutes, {where}{tap}: it works once.",
        code=new.code,
        expires_at=new.expires_at,
        telegram_url=new.telegram_url,
    )
    return json_reply(shown, status=201, headers={"Cache-Control": "no-store"})


async def delete_link(request: web.Request) -> web.Response:
    """Take a chat off the caller's account."""
    caller = await authenticate(request)
    kind = CHANNELS.get(request.match_info["channel"])
    if kind is None or not kind.has_direct:
        names = ", ".join(name for name, each in CHANNELS.items() if each.needs_link)
        raise ApiError("not_found/channel", channels=names)
    if not kind.needs_link:
        how = f'{{"channels": {{"{kind.name}": {{"enabled": false}}}}}}'
        raise invalid_request(
            ("channel", f"{kind.label} needs no link: switch it off with PATCH /api/v1/account and {how}.")
        )
    account, services = await Account.get(id=caller.account_id), request.app[SERVICES]
    now = services.clock.now()
    if not await unlink(account, kind.name, now):
        raise ApiError("not_found/link", channel=kind.label)
    text = f"{kind.label} was unlinked from {account.email}, with an API key."
    services.on_deliveries(await post_notice(account.id, text, now=now))
    message = f"{kind.label} is unlinked, and switched off until it is linked again."
    return json_reply(RemovedLink(message=message, channel=kind.name))


CALLS = (
    Call(
        method="POST",
        path="/api/v1/link-codes",
        handler=post_link_code,
        tag="Account",
        summary="Make a one-time code that links a chat",
        replies={201: NewCode},
        body=LinkCodeBody,
        body_required=False,
        errors=("too_many_requests/link_codes", "destination_exists", "too_many_destinations"),
    ),
    Call(
        method="DELETE",
        path="/api/v1/links/{channel}",
        handler=delete_link,
        tag="Account",
        summary="Unlink a chat",
        replies={200: RemovedLink},
        errors=("not_found/channel", "not_found/link", "validation_error"),
    ),
)
