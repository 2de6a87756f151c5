"""The outermost layer: request ids, rate-limit headers, and every error in the contract's shape."""

import math
import random
import re
from contextlib import nullcontext
from http import HTTPStatus

import structlog
from aiohttp import web

from api.calls import Handler
from api.errors import ApiError, payload_too_large
from api.services import SERVICES, STANDING, Services, Standing
from models.backends.errors import IntegrityConflict
from pingpilot.accounts.quota import month_end, month_length
from pingpilot.errors import DatabaseUnavailable
from pingpilot.telemetry.metrics import OTHER_CALL

RETRY_WHEN_STOPPING = 5  # seconds: about as long as a restart takes
_not_waited_for = nullcontext()
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
ALWAYS_ANSWERED = {"/healthz", "/readyz", "/metrics"}
"""What asks about the daemon: answered while it stops too, which never waits for it."""

log = structlog.get_logger(__name__)


@web.middleware
async def edge(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer every request, whatever happens in its handler; each reply carries `X-Request-Id`."""
    request_id = _request_id(request)
    structlog.contextvars.bind_contextvars(request_id=request_id)  # for this task and those it makes
    template = _template(request)
    response = await _answer(request, handler, template)
    stamp(response, request_id)
    call = f"{request.match_info.route.method} {template}" if template else OTHER_CALL
    request.app[SERVICES].metrics.count_request(call, response.status)
    if standing := request.get(STANDING):
        _add_rate_limit(response, standing, request.app[SERVICES])
    return response


async def _answer(request: web.Request, handler: Handler, template: str | None) -> web.StreamResponse:
    services, is_about_us = request.app[SERVICES], template in ALWAYS_ANSWERED
    if services.stopping and not is_about_us:
        return _shutting_down().reply()
    try:
        with _not_waited_for if is_about_us else services.in_flight:
            return await handler(request)
    except ApiError as error:
        return error.reply()
    except web.HTTPException as exc:
        return _translated(exc, request).reply()
    except (DatabaseUnavailable, IntegrityConflict) as exc:
        services.database.failed(exc, "A request failed", method=request.method, call=template)
        return _processing_failed().reply()
    except Exception:
        log.exception("A request failed", method=request.method, call=template)
        return _processing_failed().reply()


def _template(request: web.Request) -> str | None:
    """Return the address as we have it, such as `/api/v1/events/{event_id}`; None for what there is not.

    The path itself would give whoever writes one a metric of their own, and may hold an unsubscribe token,
    which is nothing for a log.
    """
    resource = request.match_info.route.resource
    return resource.canonical if resource else None


def _request_id(request: web.Request) -> str:
    given = request.headers.get("X-Request-Id", "")
    return given if _REQUEST_ID.fullmatch(given) else new_request_id()


def new_request_id() -> str:
    """Return an id for a request that came without one."""
    return f"{random.getrandbits(128):032x}"


def stamp(response: web.StreamResponse, request_id: str) -> None:
    """Give a reply what every one carries."""
    response.headers["X-Request-Id"] = request_id
    response.headers["Server"] = "PingPilot"


def _translated(exc: web.HTTPException, request: web.Request) -> ApiError:
    """Put aiohttp's own errors into the contract's shape."""
    if isinstance(exc, web.HTTPMethodNotAllowed):
        allow = ", ".join(sorted(exc.allowed_methods))
        message = f"{request.method} is not possible here: use {allow}."
        return ApiError(405, "method_not_allowed", message, headers={"Allow": allow})
    if exc.status == HTTPStatus.NOT_FOUND:
        return ApiError(404, "not_found", "There is nothing at this address: check the path.")
    if exc.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return payload_too_large()
    if exc.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return _processing_failed()
    return ApiError(exc.status, "bad_request", f"The request can't be taken: {exc.reason}.")


def _shutting_down() -> ApiError:
    headers = {"Retry-After": str(RETRY_WHEN_STOPPING), "Connection": "close"}
    return ApiError(
        503, "shutting_down", "The daemon is stopping: try again in a few seconds.", headers=headers
    )


def _processing_failed() -> ApiError:
    return ApiError(
        500, "processing_failed", "Something failed on our side: try again with the same Idempotency-Key."
    )


def _add_rate_limit(response: web.StreamResponse, standing: Standing, services: Services) -> None:
    """Tell the month's quota (IETF draft-ietf-httpapi-ratelimit-headers); no limit, no headers."""
    limit = standing.caller.limit
    if limit is None:
        return
    now = services.clock.now()
    window = int(month_length(now).total_seconds())
    remaining = max(0, limit - standing.events_used)
    reset = math.ceil((month_end(now) - now).total_seconds())
    response.headers["RateLimit-Policy"] = f'"month";q={limit};w={window}'
    response.headers["RateLimit"] = f'"month";r={remaining};t={reset}'
