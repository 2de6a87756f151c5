"""`GET /metrics`, for Prometheus."""

import asyncio

from aiohttp import web
from prometheus_client.exposition import choose_encoder

from api.calls import Call
from api.services import SERVICES

_OPENMETRICS = "application/openmetrics-text"


async def get_metrics(request: web.Request) -> web.Response:
    """Return the metrics as Prometheus' text, or as OpenMetrics 1.0 where that is accepted."""
    services = request.app[SERVICES]
    services.metrics.show_parts(services.health.parts)
    await asyncio.gather(services.backlog.refresh(), services.membership.refresh(services.metrics))
    # The library gets no more of the header: it raises on a version that is no number
    accepted = _OPENMETRICS if _OPENMETRICS in request.headers.get("Accept", "") else ""
    encode, content_type = choose_encoder(accepted)
    return web.Response(body=encode(services.metrics.registry), headers={"Content-Type": content_type})


CALLS = (
    Call(
        method="GET",
        path="/metrics",
        handler=get_metrics,
        tag="Operations",
        summary="Metrics for Prometheus",
        scope=None,
        replies={200: None},
    ),
)
