"""`GET /healthz` and `GET /readyz`."""

import asyncio

from aiohttp import web

from api.calls import Call
from api.replies import json_reply
from api.services import SERVICES
from api.shapes.health import Alive, Readiness
from pingpilot.storage.watch import DatabaseWatch

_PATIENCE = 2.0  # seconds a database may take to answer before it counts as away


async def get_healthz(_request: web.Request) -> web.Response:
    """Return 200 as long as the process answers at all."""
    return json_reply({"status": "ok"})


async def get_readyz(request: web.Request) -> web.Response:
    """Return 200 while events can be accepted, 503 otherwise, with each part's state."""
    services = request.app[SERVICES]
    database_up = await _is_well(services.database)
    parts: dict[str, str] = {"database": "up" if database_up else "down"}
    parts |= {name: part.state.value for name, part in services.health.parts.items()}
    reasons = {name: part.reason for name, part in services.health.parts.items() if part.reason}
    ready = database_up and not services.stopping
    status = "ready" if ready else "stopping" if services.stopping else "unavailable"
    return json_reply({"status": status, "parts": parts, "reasons": reasons}, status=200 if ready else 503)


async def _is_well(database: DatabaseWatch) -> bool:
    """Whether the database can be used, and answers in time; the question itself goes on."""
    question = asyncio.ensure_future(database.is_well())
    done, _ = await asyncio.wait([question], timeout=_PATIENCE)
    return bool(done) and question.result()


CALLS = (
    Call(
        method="GET",
        path="/healthz",
        handler=get_healthz,
        tag="Operations",
        summary="Whether the process lives",
        replies={200: Alive},
        scope=None,
    ),
    Call(
        method="GET",
        path="/readyz",
        handler=get_readyz,
        tag="Operations",
        summary="Whether events can be accepted, with the state of each part",
        replies={200: Readiness, 503: Readiness},
        scope=None,
    ),
)
