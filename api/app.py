"""The application: every call of every module, behind the edge."""

from aiohttp import web

from api import events, health, keys, quota, unsubscribe
from api.auth import SCOPES
from api.calls import Call
from api.edge import MAX_BODY, edge
from api.services import SERVICES, Services

CALLS: tuple[Call, ...] = (*events.CALLS, *quota.CALLS, *keys.CALLS, *health.CALLS)
"""Every call, in the order OpenAPI shows them."""

# aiohttp would answer a body it can't unpack by itself, as plain text; `api.bodies` unpacks instead
_PROTOCOL = {"auto_decompress": False}


def create_app(services: Services) -> web.Application:
    """Return the API over the daemon's parts."""
    app = web.Application(middlewares=[edge], client_max_size=MAX_BODY, handler_args=_PROTOCOL)
    app[SERVICES] = services
    app[SCOPES] = {call.handler: call.scope for call in CALLS if call.scope}
    for call in CALLS:
        if call.method == "GET":
            app.router.add_get(call.path, call.handler)  # HEAD too
        else:
            app.router.add_route(call.method, call.path, call.handler)
    app.router.add_get("/unsubscribe/{token}", unsubscribe.get_unsubscribe)
    app.router.add_post("/unsubscribe/{token}", unsubscribe.post_unsubscribe)
    return app
