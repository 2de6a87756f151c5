"""`GET` and `PATCH /api/v1/account`."""

from aiohttp import web

from api.calls import Call
from api.replies import json_reply
from api.requests.auth import authenticate
from api.requests.bodies import read_body
from api.services import SERVICES
from api.shapes.account import AccountPatch, ShownAccount, ShownChannel
from models import Account
from pingpilot.accounts.accounts import direct_destinations
from pingpilot.accounts.preferences import change_account

PATH = "/api/v1/account"


async def get_account(request: web.Request) -> web.Response:
    """Return the caller's account with its channels."""
    caller = await authenticate(request)
    return await _reply(request, await Account.get(id=caller.account_id))


async def patch_account(request: web.Request) -> web.Response:
    """Change what is sent of the account, all of it or nothing; return the account with its channels."""
    caller = await authenticate(request)
    body = await read_body(request, AccountPatch)
    services = request.app[SERVICES]
    services.check_configured(*body.switched_on)
    account = await Account.get(id=caller.account_id)
    await change_account(account, body.change, services.clock.now())
    return await _reply(request, account)


async def _reply(request: web.Request, account: Account) -> web.Response:
    now = request.app[SERVICES].clock.now()
    shown = ShownAccount(
        email=account.email,
        plan=account.plan,
        time_zone=account.time_zone,
        combine=account.combine,
        created_at=account.created_at,
        channels=[ShownChannel.of(each, now) for each in await direct_destinations(account)],
    )
    return json_reply(shown)


CALLS = (
    Call(
        method="GET",
        path=PATH,
        handler=get_account,
        tag="Account",
        summary="Show the account and its channels",
        replies={200: ShownAccount},
    ),
    Call(
        method="PATCH",
        path=PATH,
        handler=patch_account,
        tag="Account",
        summary="Change what is sent of the account",
        body=AccountPatch,
        replies={200: ShownAccount},
        errors=("channel_not_configured",),
    ),
)
