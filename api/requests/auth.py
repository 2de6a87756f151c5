"""Bearer keys: from a request to the account that sent it, as far as its key allows the call."""

from collections.abc import Mapping

from aiohttp import web

from api.calls import Handler
from api.errors import ApiError
from api.services import KNOWN_CALLER, SERVICES, KnownCaller
from models import KeyScope
from pingpilot.accounts.callers import Caller
from pingpilot.channels import CHANNELS

SCOPES = web.AppKey("scopes", Mapping[Handler, KeyScope])
"""What the caller's key must allow, for the handler of each call that asks for one."""


async def authenticate(request: web.Request) -> Caller:
    """Return who sent the request, with a key whose scope its `Call` asks for.

    Raises the contract's 401 errors, `insufficient_scope`, and `too_many_requests` for a flood.
    """
    header = request.headers.get("Authorization")
    if header is None:
        raise ApiError("missing_authorization")
    scheme, _, key = (part.strip() for part in header.strip().partition(" "))
    if scheme.lower() != "bearer" or " " in key:
        raise ApiError("invalid_authorization_format")
    services = request.app[SERVICES]
    address = services.proxies.client_of(request)
    caller = await services.authenticator.caller_of(key)
    if caller is None:  # looked up first: many share an address, and only what is wrong may be refused
        if wait := services.floods.note_bad(address):
            raise ApiError("too_many_requests", wait=wait)
        raise ApiError("invalid_api_key")
    request[KNOWN_CALLER] = KnownCaller(caller, caller.events_used)
    needed = request.app[SCOPES][request.match_info.handler]
    if not caller.may(needed):
        raise ApiError("insufficient_scope", scope=needed)
    return caller


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
