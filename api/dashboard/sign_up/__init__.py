"""Signing up: an invitation, or a link that somebody asked for, becomes an account with a button."""

from aiohttp import web

from api.dashboard.pages import render
from api.dashboard.visitors import enter, form_token, keep_form_secret, read_form, visitor_of
from api.services import SERVICES
from models import Account
from pingpilot.accounts.sign_up import link_behind, sign_up


async def get_sign_up(request: web.Request) -> web.Response:
    """Ask: opening a link alone makes no account, since scanners of mail follow links."""
    services = request.app[SERVICES]
    link = await link_behind(request.match_info["token"], services.newcomers, services.clock.now())
    if link is None:
        return _page(request, "used", status=404)
    has_account = await Account.filter(email=link.email).exists()
    plan = link.plan or services.newcomers.plan
    return _page(request, "sign_in" if has_account else "make", email=link.email, plan=plan)


async def post_sign_up(request: web.Request) -> web.Response:
    """Use the link up: make the account where there is none, and sign this browser in."""
    services, former = request.app[SERVICES], await visitor_of(request)
    await read_form(request)
    token = await sign_up(
        request.match_info["token"],
        services.newcomers,
        browser=request.headers.get("User-Agent", ""),
        address=services.proxies.client_of(request),
        now=services.clock.now(),
    )
    if token is None:
        return _page(request, "used", status=404)
    return await enter(request, token, former)


def _page(
    request: web.Request, state: str, *, status: int = 200, email: str = "", plan: str = ""
) -> web.Response:
    page = render(
        request,
        "sign_up/page.html",
        status=status,
        visitor=None,
        state=state,
        email=email,
        plan=plan,
        limit=request.app[SERVICES].limits.limit_of(plan, None) if plan else None,
        token=form_token(request),
    )
    keep_form_secret(page, request)
    return page
