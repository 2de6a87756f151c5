"""`POST /api/v1/link-codes` and `DELETE /api/v1/links/{channel}`."""

import math

from aiohttp import web

from api.calls import Call
from api.errors import ApiError
from api.replies import json_reply
from api.requests.auth import authenticate
from api.requests.bodies import invalid
from api.services import SERVICES
from api.shapes.account import NewCode, RemovedLink
from models import Account
from pingpilot.accounts.linking import NewLinkCode, create_link_code, unlink
from pingpilot.channels import CHANNELS
from pingpilot.errors import TooMany


async def post_link_code(request: web.Request) -> web.Response:
    """Make a one-time code that links a chat to the caller's account."""
    caller = await authenticate(request)
    account = await Account.get(id=caller.account_id)
    try:
        new = await create_link_code(account, request.app[SERVICES].clock.now())
    except TooMany as exc:
        raise _too_many(request, exc) from None
    shown = NewCode(
        message=_how_to_use(new), code=new.code, expires_at=new.expires_at, telegram_url=new.telegram_url
    )
    return json_reply(shown.as_json(), status=201, headers={"Cache-Control": "no-store"})


async def delete_link(request: web.Request) -> web.Response:
    """Take a chat off the caller's account."""
    caller = await authenticate(request)
    kind = CHANNELS.get(request.match_info["channel"])
    if kind is None:
        names = ", ".join(name for name, each in CHANNELS.items() if each.needs_link)
        raise ApiError(404, "not_found", f"There is no such channel: choose from {names}.")
    if not kind.needs_link:
        how = f'{{"channels": {{"{kind.name}": {{"enabled": false}}}}}}'
        raise invalid(
            ("channel", f"{kind.label} needs no link: switch it off with PATCH /api/v1/account and {how}.")
        )
    account = await Account.get(id=caller.account_id)
    if not await unlink(account, kind.name, request.app[SERVICES].clock.now()):
        raise ApiError(404, "not_found", f"{kind.label} is not linked, so there is nothing to remove.")
    message = f"{kind.label} is unlinked, and switched off until it is linked again."
    return json_reply(RemovedLink(message=message, channel=kind.name).as_json())


def _too_many(request: web.Request, exc: TooMany) -> ApiError:
    now = request.app[SERVICES].clock.now()
    wait = math.ceil(((exc.until or now) - now).total_seconds())
    return ApiError(429, "too_many_requests", str(exc), headers={"Retry-After": str(wait)})


def _how_to_use(new: NewLinkCode) -> str:
    tap = ", or open telegramUrl" if new.telegram_url else ""
    return f"Within 10 minutes, send `/link {new.code}` to the Discord or Telegram bot{tap}: it works once."


CALLS = (
    Call(
        method="POST",
        path="/api/v1/link-codes",
        handler=post_link_code,
        tag="Account",
        summary="Make a one-time code that links a chat",
        replies={201: NewCode},
        errors=("too_many_requests",),
    ),
    Call(
        method="DELETE",
        path="/api/v1/links/{channel}",
        handler=delete_link,
        tag="Account",
        summary="Unlink a chat",
        replies={200: RemovedLink},
        errors=("not_found", "validation_error"),
    ),
)
