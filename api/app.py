"""The application: every call of every module, behind the middleware."""

from aiohttp import web

from api.calls import Call
from api.dashboard.app import add_dashboard
from api.errors import MAX_BODY
from api.middleware import answer_requests
from api.openapi.page import add_docs
from api.requests.auth import SCOPES
from api.resources import (
    account,
    categories,
    destinations,
    events,
    health,
    history,
    incoming,
    keys,
    links,
    metrics,
    quota,
)
from api.services import SERVICES, Services

CALLS: tuple[Call, ...] = (
    *events.CALLS,
    *history.CALLS,
    *categories.CALLS,
    *account.CALLS,
    *destinations.CALLS,
    *links.CALLS,
    *keys.CALLS,
    *quota.CALLS,
    *health.CALLS,
    *metrics.CALLS,
)
"""Every call, in the order OpenAPI shows them."""


def create_app(services: Services) -> web.Application:
    """Return the API over the daemon's parts."""
    app = web.Application(middlewares=[answer_requests], client_max_size=MAX_BODY)
    app[SERVICES] = services
    app[SCOPES] = {call.handler: call.scope for call in CALLS if call.scope}
    for call in CALLS:
        if call.method == "GET":
            app.router.add_get(call.path, call.handler)  # HEAD too
        else:
            app.router.add_route(call.method, call.path, call.handler)
    app.router.add_post(incoming.PATH, incoming.receive)
    add_docs(app, CALLS)
    add_dashboard(app)
    return app
