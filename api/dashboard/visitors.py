"""Visitors: which session a request belongs to, and whether a form was sent from a page of ours."""

import hmac
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from urllib.parse import parse_qsl, urlsplit

from aiohttp import web

from api.dashboard.pages import render, see_other
from api.errors import ApiError
from api.replies import wants_page
from api.requests.bodies import read_bytes
from api.services import SERVICES
from models import Account, Session
from models.session import LONGEST
from pingpilot.accounts.email_address import normal_email
from pingpilot.accounts.sessions import SignedIn, begin_session, end_session, session_behind
from pingpilot.accounts.sign_up import account_vouched_for
from pingpilot.errors import InvalidInput
from pingpilot.events.trouble import is_in_trouble

COOKIE = "pingpilot_session"
_FORM_COOKIE = "pingpilot_form"
_STEPS_COOKIE = "pingpilot_steps"
_NONCE = 16  # hexadecimal digits
_MOST_FIELDS = 200
_NEW_SECRET = web.RequestKey("new_form_secret", str)


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who is signed in; `in_trouble` says that they should look: the page's icon has a red dot."""

    account: Account
    session: Session
    in_trouble: bool = False


_BEGUN = web.RequestKey("begun_session", str)
Page = Callable[[web.Request, Visitor], Awaitable[web.StreamResponse]]


def signed_in(page: Page) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Make a page one for those who are signed in; others are led to the sign-in page."""

    @wraps(page)
    async def handler(request: web.Request) -> web.StreamResponse:
        visitor = await visitor_of(request)
        return await page(request, visitor) if visitor else await turned_away(request)

    return handler


async def visitor_of(request: web.Request, *, with_trouble: bool = True) -> Visitor | None:
    """Return who sent the request, None where nobody is signed in, or the account is suspended.

    Without `with_trouble` nobody looks whether they are in trouble: the stream asks often, and shows nothing.
    Raises `bad_request/proxy` where a trusted proxy names nobody in its header.
    """
    found = await _sender_of(request)
    if found is None or found.account.suspended_at is not None:
        return None
    in_trouble = with_trouble and await is_in_trouble(found.account.id, request.app[SERVICES].clock.now())
    return Visitor(found.account, found.session, in_trouble)


async def turned_away(
    request: web.Request, stranger: Callable[[web.Request], web.Response] | None = None
) -> web.Response:
    """Return what somebody gets for whom there is no page: `visitor_of` knows nobody.

    A `stranger` gets that page; without one they are led to the sign-in page.
    """
    if await _sender_of(request):
        raise ApiError("account_suspended", contact=request.app[SERVICES].limits.contact)
    if not wants_page(request) and request.method == "GET":
        raise ApiError("not_found")  # a program: it has the API
    if request.method == "GET" and (email := vouched_for(request)):
        services = request.app[SERVICES]
        contact, sign_up = services.limits.contact, services.newcomers.sign_up
        return render(
            request, "stranger.html", status=403, visitor=None, email=email, contact=contact, sign_up=sign_up
        )
    return stranger(request) if stranger else see_other(request, "sign-in")


def vouched_for(request: web.Request) -> str | None:
    """Return the address that a trusted proxy says it has signed in, as it is stored; None for nobody.

    Only the other end of the connection is asked whether it is one: anybody can write `X-Forwarded-For`. A
    header that comes twice, or holds anything else, may have been smuggled in: `bad_request/proxy`.
    """
    services = request.app[SERVICES]
    if services.sign_in_header is None or not services.proxies.trusts(request):
        return None
    values = request.headers.getall(services.sign_in_header, [])
    if not any(values):  # a proxy that lets somebody through unknown may send it empty
        return None
    try:
        [value] = values
        return normal_email(value)
    except (ValueError, InvalidInput):
        raise ApiError("bad_request/proxy", header=services.sign_in_header) from None


async def _sender_of(request: web.Request) -> SignedIn | None:
    """Return whose session the request is of; one is begun where a proxy vouches for somebody.

    A session that was begun so holds as long as the proxy names the same person.
    """
    services = request.app[SERVICES]
    now, email = services.clock.now(), vouched_for(request)
    found = await session_behind(request.get(_BEGUN) or request.cookies.get(COOKIE, ""), now)
    if found and found.session.by_proxy and found.account.email != email:
        if email is not None:
            await end_session(found.account, found.session.id)
        found = None
    if found is None and email is not None and request.method == "GET" and wants_page(request):
        if (account := await account_vouched_for(email, services.newcomers, now)) is None:
            return None
        request[_BEGUN] = await begin_session(
            account,
            browser=request.headers.get("User-Agent", ""),
            address=services.proxies.client_of(request),
            now=now,
            by_proxy=True,
        )
        found = await session_behind(request[_BEGUN], now)
    return found


async def keep_begun_session(request: web.Request, response: web.StreamResponse) -> None:
    """Let the browser keep a session that was begun while its page was made (`on_response_prepare`)."""
    if (token := request.get(_BEGUN)) and COOKIE not in response.cookies:
        scratch = web.Response()  # a response's own cookies are among its headers by now
        keep_session(scratch, token, request)
        response.headers.add("Set-Cookie", scratch.cookies[COOKIE].OutputString())


async def enter(request: web.Request, token: str, former: Visitor | None) -> web.Response:
    """Lead a browser in with the token of its new session; the one it had before ends."""
    if former is not None:
        await end_session(former.account, former.session.id)
    response = see_other(request, "")
    keep_session(response, token, request)
    return response


def keep_session(response: web.StreamResponse, token: str, request: web.Request) -> None:
    """Let the browser keep a new session, for pages of ours alone."""
    _set_cookie(response, COOKIE, token, request, max_age=round(LONGEST.total_seconds()))


def forget_session(response: web.StreamResponse, request: web.Request) -> None:
    """Let the browser forget its session."""
    _set_cookie(response, COOKIE, "", request, max_age=0)


def hide_steps(response: web.StreamResponse, request: web.Request, visitor: Visitor) -> None:
    """Let the browser keep that this account's first steps are not to be shown any more."""
    own = str(visitor.account.id)
    _set_cookie(response, _STEPS_COOKIE, own, request, max_age=round(LONGEST.total_seconds()))


def has_hidden_steps(request: web.Request, visitor: Visitor) -> bool:
    """Whether the browser keeps that the account's first steps were hidden."""
    return request.cookies.get(_STEPS_COOKIE) == str(visitor.account.id)


def form_token(request: web.Request) -> str:
    """Return what a form of this page carries: nobody without the page's cookie can make it.

    Another one each time, since pages are packed, whose length would give away what stays the same.
    """
    return _signed(_form_secret(request), secrets.token_hex(_NONCE // 2))


def keep_form_secret(response: web.StreamResponse, request: web.Request) -> None:
    """Let the browser of somebody who is not signed in keep what its forms are known by."""
    if not request.cookies.get(COOKIE) and not request.cookies.get(_FORM_COOKIE):
        _set_cookie(response, _FORM_COOKIE, _form_secret(request), request, max_age=None)


def chosen_id(form: Mapping[str, str], name: str) -> int | None:
    """Return the id in a form's field, None where there is none."""
    text = form.get(name, "")
    return int(text) if re.fullmatch("[0-9]{1,18}", text) else None


async def read_form(request: web.Request) -> dict[str, str]:
    """Return the fields of a form that a page of ours has sent.

    Raises `bad_request/form` for any other, and as `read_bytes`.
    """
    body = await read_bytes(request)
    try:
        fields = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise ApiError("bad_request/form") from None
    form = {name: text.replace("\0", "\ufffd") for name, text in fields}  # PostgreSQL takes no NUL
    if not _is_of_ours(request, form.get("token", "")):
        raise ApiError("bad_request/form")
    return form


def _is_of_ours(request: web.Request, token: str) -> bool:
    """Whether a page of this origin sent the form: browsers say so, older ones only where from.

    A browser that says neither must know the token of the page. A sibling's page (`same-site`) is a
    stranger's.
    """
    if (site := request.headers.get("Sec-Fetch-Site")) is not None:
        return site in ("same-origin", "none")
    if (origin := request.headers.get("Origin")) is not None:
        ours = {request.host, urlsplit(request.app[SERVICES].base_url).netloc} - {""}
        return urlsplit(origin).netloc in ours  # of `null` it is empty
    nonce, _, _ = token.partition(".")
    return hmac.compare_digest(token, _signed(_form_secret(request), nonce))


def _form_secret(request: web.Request) -> str:
    kept = request.get(_BEGUN) or request.cookies.get(COOKIE) or request.cookies.get(_FORM_COOKIE)
    if kept:
        return kept
    if _NEW_SECRET not in request:
        request[_NEW_SECRET] = secrets.token_urlsafe(32)
    return request[_NEW_SECRET]


def _signed(secret: str, nonce: str) -> str:
    return f"{nonce}.{hmac.digest(secret.encode(), nonce.encode(), 'sha256').hex()}"


def _set_cookie(
    response: web.StreamResponse, name: str, value: str, request: web.Request, *, max_age: int | None
) -> None:
    where = urlsplit(request.app[SERVICES].base_url)
    response.set_cookie(
        name,
        value,
        max_age=max_age,
        path=where.path or "/",
        secure=where.scheme == "https",
        httponly=True,
        samesite="Lax",
    )
