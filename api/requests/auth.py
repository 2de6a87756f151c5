"""Bearer keys: from a request to the account that sent it, as far as its key allows the call."""

from collections.abc import Mapping

from aiohttp import web

from api.calls import Handler
from api.errors import ApiError
from api.services import SERVICES, STANDING, Standing
from models import KeyScope
from pingpilot.accounts.callers import Caller

SCOPES = web.AppKey("scopes", Mapping[Handler, KeyScope])
"""What the caller's key must allow, for the handler of each call that asks for one."""
_CHALLENGE = {"WWW-Authenticate": "Bearer"}


async def authenticate(request: web.Request) -> Caller:
    """Return who sent the request, with a key whose scope its `Call` asks for.

    Raises the contract's 401 errors, `insufficient_scope`, and `too_many_requests` for a flood.
    """
    caller = await _caller(request)
    needed = request.app[SCOPES][request.match_info.handler]
    if not caller.may(needed):
        message = f"This API key may only send events: use one made with the scope '{needed}' for this call."
        raise _insufficient_scope(message, f', scope="{needed}"')
    return caller


def check_category(caller: Caller, category: str) -> None:
    """Raise `insufficient_scope` where the key may not post to the category, which need not exist."""
    if not caller.may_post_to(category):
        allowed = ", ".join(f"'{name}'" for name in caller.categories or ())
        raise _insufficient_scope(
            f"This API key may not post to '{category}': it is kept to {allowed}, so use another key."
        )


def _insufficient_scope(message: str, needed: str = "") -> ApiError:
    """Return the error of RFC 6750, 3.1, for a valid key that allows too little."""
    challenge = {"WWW-Authenticate": f'Bearer error="insufficient_scope"{needed}'}
    return ApiError(403, "insufficient_scope", message, headers=challenge)


async def _caller(request: web.Request) -> Caller:
    key, services = _bearer_key(request), request.app[SERVICES]
    address = services.proxies.client_of(request)
    if wait := services.floods.wait_for(address, key):
        raise _too_many_requests(wait)
    caller = await services.authenticator.caller_of(key)
    if caller is None:
        services.floods.note_bad(address, key)
        raise ApiError(
            401,
            "invalid_api_key",
            "This API key is not valid: check it, or make a new one with `pingpilot key create`.",
            headers=_CHALLENGE,
        )
    services.floods.note_good(address, key)
    request[STANDING] = Standing(caller, caller.events_used)
    return caller


def _too_many_requests(wait: int) -> ApiError:
    message = f"Too many invalid API keys came from your address: check the key, and try again in {wait} s."
    return ApiError(429, "too_many_requests", message, headers={"Retry-After": str(wait)})


def _bearer_key(request: web.Request) -> str:
    header = request.headers.get("Authorization")
    if header is None:
        raise ApiError(
            401,
            "missing_authorization",
            "Send your API key in the header `Authorization: Bearer pp_…`.",
            headers=_CHALLENGE,
        )
    scheme, _, key = header.strip().partition(" ")
    if scheme.lower() != "bearer" or " " in key.strip():
        raise ApiError(
            401,
            "invalid_authorization_format",
            "The Authorization header is not of the form `Bearer pp_…`: write it like that.",
            headers=_CHALLENGE,
        )
    return key.strip()
