"""API keys: from a request to the account that sent it, as far as its key allows the call."""

from base64 import b64decode
from collections.abc import Mapping

from aiohttp import hdrs, web

from api.calls import Handler
from api.errors import ApiError
from api.services import KNOWN_CALLER, SERVICES, KnownCaller, Services
from models import KeyScope
from pingpilot.accounts.callers import Caller
from pingpilot.accounts.keys import KEY_PREFIX
from pingpilot.channels import CHANNELS

SCOPES = web.AppKey("scopes", Mapping[Handler, KeyScope])
"""What the caller's key must allow, for the handler of each call that asks for one."""


async def authenticate(request: web.Request) -> Caller:
    """Return who sent the request, with a key whose scope its `Call` asks for.

    Raises the contract's 401 errors, `account_suspended`, `insufficient_scope`, and `too_many_requests` for a
    flood.
    """
    key = _key_in(request)
    services = request.app[SERVICES]
    address = services.proxies.client_of(request)
    caller = await services.authenticator.caller_of(key)
    if caller is None:  # looked up first: many share an address, and only what is wrong may be refused
        if wait := services.floods.note_bad(address):
            raise ApiError("too_many_requests", wait=wait)
        raise ApiError("invalid_api_key")
    if caller.is_suspended:
        raise ApiError("account_suspended", contact=services.limits.contact)
    request[KNOWN_CALLER] = KnownCaller(caller, caller.events_used)
    needed = request.app[SCOPES][request.match_info.handler]
    if not caller.may(needed):
        raise ApiError("insufficient_scope", scope=needed)
    if caller.may(KeyScope.MANAGE) and services.cors.allows(request):
        raise ApiError("insufficient_scope/web_page")
    return caller


def recognised(request: web.Request, services: Services) -> Caller | None:
    """Return who sent an event where that is still remembered, None otherwise: `authenticate` tells then.

    That it is still so is for intake to find out.
    """
    headers = request.headers
    header = headers.get(hdrs.AUTHORIZATION, "")
    if not header.startswith("Bearer ") or "X-API-Key" in headers:
        return None
    caller = services.authenticator.remembered(header[7:])
    return None if caller is None or caller.is_suspended or services.cors.allows(request) else caller


def _key_in(request: web.Request) -> str:
    """Return the key as it was sent: as `X-API-Key`, a bearer token, or the password of Basic (RFC 7617).

    `X-API-Key` comes first, since `Authorization` may be meant for a proxy on the way.
    """
    own, header = request.headers.get("X-API-Key"), request.headers.get(hdrs.AUTHORIZATION)
    if own is not None:
        return own.strip()
    if header is None:
        # Addresses stand in logs and histories: a key in one is refused, and its owner told
        is_in_address = any(value.startswith(KEY_PREFIX) for value in request.query.values())
        raise ApiError("missing_authorization/in_address" if is_in_address else "missing_authorization")
    scheme, _, key = (part.strip() for part in header.strip().partition(" "))
    if " " in key or scheme.lower() not in ("bearer", "basic"):
        raise ApiError("invalid_authorization_format")
    if scheme.lower() == "bearer":
        return key
    try:
        user, colon, password = b64decode(key, validate=True).decode().partition(":")
    except ValueError:  # `UnicodeDecodeError` is one
        user = colon = password = ""
    is_turned_round = user.strip().startswith(KEY_PREFIX) and not password.strip()
    if not colon or is_turned_round:
        raise ApiError("invalid_authorization_format/basic")
    return password.strip()


def check_category(caller: Caller, category: str) -> None:
    """Raise `insufficient_scope` where the key may not post to the category, which need not exist."""
    if not caller.may_post_to(category):
        allowed = ", ".join(f"'{name}'" for name in caller.categories or ())
        raise ApiError("insufficient_scope/category", category=category, allowed=allowed)


def check_links(caller: Caller) -> None:
    """Raise the channel's own code where one is switched on and not linked."""
    # The command as it is to be typed; who may only send is not to learn the account's address
    command = "`pingpilot link-code --account` and the account's address,"
    if caller.may(KeyScope.MANAGE):
        command = f"`pingpilot link-code --account {caller.email}`"
    for name in caller.unlinked:
        if code := CHANNELS[name].unlinked_code:
            raise ApiError(code, command=command)
