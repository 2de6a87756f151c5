"""`GET /api/v1/quota`."""

from aiohttp import web

from api.calls import Call
from api.replies import json_reply
from api.requests.auth import authenticate
from api.services import SERVICES
from api.shapes.account import ShownQuota
from models import Account, Category
from pingpilot.accounts.quota import quota_of


async def get_quota(request: web.Request) -> web.Response:
    """Return the caller's month so far."""
    caller = await authenticate(request)
    services = request.app[SERVICES]
    account = await Account.get(id=caller.account_id)
    quota = await quota_of(account, services.limits, services.clock.now())
    shown = ShownQuota(
        plan=quota.plan,
        events_used=quota.used,
        events_limit=quota.limit,
        events_remaining=quota.remaining,
        reset_date=quota.resets_at,
        categories_used=await Category.filter(account_id=account.id).count(),
    )
    return json_reply(shown)


CALLS = (
    Call(
        method="GET",
        path="/api/v1/quota",
        handler=get_quota,
        tag="Account",
        summary="Show what is used of this month's quota",
        replies={200: ShownQuota},
    ),
)
