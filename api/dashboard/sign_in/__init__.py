"""Signing in: a link asked for by e-mail, opened, and used up with a button."""

import asyncio

import structlog
from aiohttp import web

from api.dashboard.mail import has_mail, mail
from api.dashboard.pages import render, see_other
from api.dashboard.visitors import (
    enter,
    forget_session,
    form_token,
    keep_form_secret,
    read_form,
    visitor_of,
    vouched_for,
)
from api.services import SERVICES, Services
from pingpilot.accounts.linking import ChatUser, count_guess
from pingpilot.accounts.sessions import end_session
from pingpilot.accounts.sign_in import account_behind, account_to_sign_in, new_sign_in_link, sign_in
from pingpilot.accounts.sign_up import SignUp, new_sign_up_link, sign_up_words
from pingpilot.errors import InvalidInput, LinkRefused, TooMany

_PAGE = "sign_in/page.html"

log = structlog.get_logger(__name__)
_under_way = set[asyncio.Task[None]]()


async def get_sign_in(request: web.Request) -> web.Response:
    """Ask for the address, or go on for those who are signed in."""
    if await visitor_of(request):
        return see_other(request, "")
    return _page(request, "ask")


def welcome(request: web.Request) -> web.Response:
    """Say what this is, to those who are not signed in, and ask for the address."""
    return _page(request, "welcome")


async def post_sign_in(request: web.Request) -> web.Response:
    """Send a link to the address, if it has an account or may get one: the answer is the same for any."""
    services, form = request.app[SERVICES], await read_form(request)
    address = form.get("email", "").strip()
    # By caller; by address, `new_sign_in_link` does
    user = ChatUser("sign-in", services.proxies.client_of(request)[:32], None)
    try:
        await count_guess(user, services.clock.now())
    except LinkRefused:
        return _page(request, "too_many", status=429)
    # Afterwards: how long it takes would tell which addresses there are
    task = asyncio.create_task(_send_link(services, address))
    _under_way.add(task)
    task.add_done_callback(_under_way.discard)
    return _page(request, "sent", email=address[:254])


async def get_link(request: web.Request) -> web.Response:
    """Ask: opening a link alone signs nobody in, since scanners of mail follow links."""
    account = await account_behind(request.match_info["token"], request.app[SERVICES].clock.now())
    if account is None:
        return _page(request, "used", status=404)
    return _page(request, "confirm", email=account.email)


async def post_link(request: web.Request) -> web.Response:
    """Use the link up and sign this browser in; whatever session it had before ends."""
    services, former = request.app[SERVICES], await visitor_of(request)
    await read_form(request)
    token = await sign_in(
        request.match_info["token"],
        browser=request.headers.get("User-Agent", ""),
        address=services.proxies.client_of(request),
        now=services.clock.now(),
    )
    if token is None:
        return _page(request, "used", status=404)
    return await enter(request, token, former)


async def post_sign_out(request: web.Request) -> web.Response:
    """End this browser's session."""
    await read_form(request)
    if visitor := await visitor_of(request):
        await end_session(visitor.account, visitor.session.id)
    # The next page would sign in again, where a proxy vouches for its reader
    response = _page(request, "signed_out") if vouched_for(request) else see_other(request, "sign-in")
    forget_session(response, request)
    return response


def _page(request: web.Request, state: str, *, status: int = 200, email: str = "") -> web.Response:
    services = request.app[SERVICES]
    page = render(
        request,
        _PAGE,
        status=status,
        visitor=None,
        state=state,
        email=email,
        token=form_token(request),
        has_mail=has_mail(services),
        sign_up=services.newcomers.sign_up,
    )
    keep_form_secret(page, request)
    return page


async def _send_link(services: Services, address: str) -> None:
    account, now = await account_to_sign_in(address), services.clock.now()
    if not has_mail(services) or not (account or services.newcomers.sign_up is SignUp.OPEN):
        return
    try:
        if account is None:
            new = await new_sign_up_link(address, services.base_url, now)
            to, text = new.email, sign_up_words(new)
        else:
            link = await new_sign_in_link(account, services.base_url, now, by_address=True)
            to = account.email
            # The first line is the subject, where a link would be for all to see
            text = (
                "Your link to sign in\n\n"
                f"Open this link within 10 minutes to sign in to PingPilot; it works once: {link.url}\n\n"
                "If you did not ask for it, do nothing."
            )
    except (InvalidInput, TooMany):
        return
    if reason := await mail(services, to, text, account):
        log.warning("A sign-in link was not sent", account_id=account and account.id, reason=reason)
