"""Visitors: which session a request belongs to, and whether a form was sent from a page of ours."""

import hmac
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from urllib.parse import parse_qsl, urlsplit

from aiohttp import web

from api.dashboard.pages import see_other
from api.errors import ApiError
from api.replies import wants_page
from api.requests.bodies import read_bytes
from api.services import SERVICES
from models import Account, Session
from models.session import LONGEST
from pingpilot.accounts.sessions import session_behind

COOKIE = "pingpilot_session"
_FORM_COOKIE = "pingpilot_form"
_STEPS_COOKIE = "pingpilot_steps"
_NONCE = 16  # hexadecimal digits
_MOST_FIELDS = 200
_NEW_SECRET = web.RequestKey("new_form_secret", str)


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who is signed in."""

    account: Account
    session: Session


Page = Callable[[web.Request, Visitor], Awaitable[web.StreamResponse]]


def signed_in(page: Page) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Make a page one for those who are signed in; others are led to the sign-in page."""

    @wraps(page)
    async def handler(request: web.Request) -> web.StreamResponse:
        visitor = await visitor_of(request)
        if visitor is None:
            if not wants_page(request) and request.method == "GET":
                raise ApiError("not_found")  # a program: it has the API
            return see_other(request, "sign-in")
        return await page(request, visitor)

    return handler


async def visitor_of(request: web.Request) -> Visitor | None:
    """Return who sent the request, None where nobody is signed in."""
    now = request.app[SERVICES].clock.now()
    found = await session_behind(request.cookies.get(COOKIE, ""), now)
    return Visitor(found.account, found.session) if found else None


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
    kept = request.cookies.get(COOKIE) or request.cookies.get(_FORM_COOKIE)
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
