"""The outermost layer: request ids, rate-limit headers, and every error in the contract's shape."""

import math
import random
import re
from contextlib import nullcontext
from http import HTTPStatus

import structlog
from aiohttp import hdrs, web

from api.calls import Handler
from api.errors import ApiError
from api.replies import wants_page
from api.services import ERROR_PAGE, KNOWN_CALLER, SERVICES, KnownCaller, Services
from models.backends.errors import IntegrityConflict
from pingpilot.accounts.quota import month_end, month_seconds
from pingpilot.errors import DatabaseUnavailable

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
ALWAYS_ANSWERED = {"/healthz", "/readyz", "/metrics", "/assets/{mark}/{name}"}
"""What asks about the daemon, and what a page that tells of its stop loads: answered while it stops too,
which never waits for it.
"""

log = structlog.get_logger(__name__)


@web.middleware
async def answer_requests(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer every request, whatever happens in its handler; each reply carries `X-Request-Id`."""
    given = request.headers.get("X-Request-Id")
    request_id = given if given and _REQUEST_ID.fullmatch(given) else new_request_id()
    structlog.contextvars.bind_contextvars(request_id=request_id)  # for this task and those it makes
    services, route = request.app[SERVICES], request.match_info.route
    resource = route.resource
    # Such as `/api/v1/events/{event_id}`, None for what there is not. The path itself would give whoever
    # writes one a metric of their own, and may hold an unsubscribe token, which is nothing for a log.
    template = None if resource is None else resource.canonical
    response = services.cors.preflight(request) or await _answer(request, handler, services, template)
    stamp(response, request_id)
    services.cors.stamp(response, request)
    services.metrics.count_request(route.method if template else "", template, response.status)
    if known := request.get(KNOWN_CALLER):
        _add_rate_limit(response, known, services)
    return response


async def _answer(
    request: web.Request, handler: Handler, services: Services, template: str | None
) -> web.StreamResponse:
    is_about_us = template in ALWAYS_ANSWERED
    if services.stopping and not is_about_us:
        return _reply(request, ApiError("shutting_down"))
    try:
        with nullcontext() if is_about_us else services.in_flight:
            return await handler(request)
    except ApiError as exc:
        return _reply(request, exc)
    except web.HTTPException as exc:
        return _reply(request, _as_ours(exc, request))
    except (DatabaseUnavailable, IntegrityConflict) as exc:
        services.database.failed(exc, "A request failed", method=request.method, call=template)
    except Exception:
        log.exception("A request failed", method=request.method, call=template)
    return _reply(request, ApiError("processing_failed"))


def _reply(request: web.Request, error: ApiError) -> web.Response:
    """Return an error as JSON, or as a page where a person's browser asks for one."""
    if wants_page(request):
        return request.app[ERROR_PAGE].show(request, error)
    return error.reply()


def _as_ours(exc: web.HTTPException, request: web.Request) -> ApiError:
    """Return the contract's error for one of aiohttp's own."""
    if isinstance(exc, web.HTTPMethodNotAllowed):
        allow = ", ".join(sorted(exc.allowed_methods))
        return ApiError("method_not_allowed", method=request.method, allow=allow)
    if exc.status == HTTPStatus.NOT_FOUND:
        return ApiError("not_found")
    if exc.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return ApiError("payload_too_large")
    if exc.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return ApiError("processing_failed")
    return ApiError("bad_request", reason=exc.reason)


def _add_rate_limit(response: web.StreamResponse, known: KnownCaller, services: Services) -> None:
    """Tell the month's quota (IETF draft-ietf-httpapi-ratelimit-headers); no limit, no headers."""
    limit = known.caller.limit
    if limit is None:
        return
    now = services.clock.now()
    end = month_end(now)
    remaining = max(0, limit - known.events_used)
    reset = math.ceil((end - now).total_seconds())
    response.headers["RateLimit-Policy"] = f'"month";q={limit};w={month_seconds(end)}'
    response.headers["RateLimit"] = f'"month";r={remaining};t={reset}'


def new_request_id() -> str:
    """Return an id for a request that came without one."""
    return random.randbytes(16).hex()  # noqa: S311  # a name, no secret


def stamp(response: web.StreamResponse, request_id: str) -> None:
    """Give a reply what every one carries."""
    headers = response.headers
    headers["X-Request-Id"] = request_id
    headers[hdrs.SERVER] = "PingPilot"
