"""`GET /healthz` and `GET /readyz`."""

import asyncio

from aiohttp import web

from api.calls import Call
from api.replies import json_reply
from api.services import SERVICES
from api.shapes.health import Alive, BotLeader, Readiness, RunningDaemon
from pingpilot.cluster.roster import start_of

DATABASE_MARK = "X-PingPilot-Database"
"""A header by which the doctor knows whether a daemon is that of its database."""
_PATIENCE = 2.0  # seconds a database may take to answer before it counts as away


async def get_healthz(_request: web.Request) -> web.Response:
    """Return 200 as long as the process answers at all."""
    return json_reply(Alive(status="ok"))


async def get_readyz(request: web.Request) -> web.Response:
    """Return 200 while events can be accepted, 503 otherwise, with each part's state."""
    services = request.app[SERVICES]
    # Asked in a task of its own, which goes on: a time limit must not stand around database code
    question = asyncio.ensure_future(services.database.is_well())
    roster = asyncio.ensure_future(services.membership.roster())
    await asyncio.wait([question, roster], timeout=_PATIENCE)
    database_up = question.done() and question.result()
    parts = services.health.parts
    ready = database_up and not services.stopping
    known = roster.result() if database_up and roster.done() else None
    readiness = Readiness(
        status="ready" if ready else "stopping" if services.stopping else "unavailable",
        parts={
            "database": "up" if database_up else "down",
            **{name: part.state.value for name, part in parts.items()},
        },
        reasons={name: part.reason for name, part in parts.items() if part.reason},
        daemons=known
        and [
            RunningDaemon(
                id=start_of(each.identity),
                version=each.version,
                started_at=each.started_at,
                seen_at=each.seen_at,
                alive=each.is_alive,
                answering=each.identity == services.membership.identity,
            )
            for each in known.daemons
        ],
        leaders=known
        and [
            BotLeader(bot=each.bot, daemon=start_of(each.leader) or None, since=each.since)
            for each in known.bots
        ],
    )
    reply = json_reply(readiness, status=200 if ready else 503)
    reply.headers[DATABASE_MARK] = services.unsubscriber.database_mark
    return reply


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
