"""`GET /api/v1/quota`."""

from aiohttp import web

from api.calls import Call
from api.replies import json_reply, time_text
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
    return json_reply(
        {
            "plan": quota.plan,
            "eventsUsed": quota.used,
            "eventsLimit": quota.limit,
            "eventsRemaining": quota.remaining,
            "resetDate": time_text(quota.resets_at),
            "categoriesUsed": await Category.filter(account_id=account.id).count(),
        }
    )


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
