"""The application: every call and where it is handled."""

from aiohttp import web

from api import events, health, metrics, quota, unsubscribe
from api.edge import MAX_BODY, edge
from api.services import SERVICES, Services

# aiohttp would answer a body it can't unpack by itself, as plain text; `api.bodies` unpacks instead
_PROTOCOL = {"auto_decompress": False}


def create_app(services: Services) -> web.Application:
    """Return the API over the daemon's parts."""
    app = web.Application(middlewares=[edge], client_max_size=MAX_BODY, handler_args=_PROTOCOL)
    app[SERVICES] = services
    app.router.add_post("/api/v1/event", events.post_event)
    app.router.add_post("/api/v1/events", events.post_event)
    app.router.add_get("/api/v1/events/{event_id}", events.get_event)
    app.router.add_post("/api/v1/events/{event_id}/retry", events.retry_event)
    app.router.add_get("/api/v1/quota", quota.get_quota)
    app.router.add_get("/healthz", health.get_healthz)
    app.router.add_get("/readyz", health.get_readyz)
    app.router.add_get("/metrics", metrics.get_metrics)
    app.router.add_get("/unsubscribe/{token}", unsubscribe.get_unsubscribe)
    app.router.add_post("/unsubscribe/{token}", unsubscribe.post_unsubscribe)
    return app
