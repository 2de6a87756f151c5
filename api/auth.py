"""Bearer keys: from a request to the account that sent it."""

from aiohttp import web

from api.replies import ApiError
from api.services import SERVICES, STANDING, Standing
from pingpilot.authentication import Caller

_CHALLENGE = {"WWW-Authenticate": "Bearer"}


async def authenticate(request: web.Request) -> Caller:
    """Return who sent the request. Raises the contract's 401 errors, and `too_many_requests` for a flood."""
    key, services = _bearer_key(request), request.app[SERVICES]
    address = services.proxies.client_of(request)
    if wait := services.floods.wait_for(address, key):
        raise _too_many_requests(wait)
    caller = await services.authenticator.caller_of(key)
    if caller is None:
        services.floods.note_bad(address)
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
