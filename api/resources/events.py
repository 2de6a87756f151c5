"""`POST /api/v1/event`."""

import asyncio
import math
import re
from typing import Any
from uuid import UUID

import structlog
from aiohttp import web

from api.calls import Call
from api.errors import ApiError
from api.replies import json_reply, time_text
from api.requests.auth import authenticate, check_category
from api.requests.bodies import invalid, read_body
from api.services import SERVICES, STANDING
from api.shapes.events import AcceptedEvent, EventBody, deliveries_of, standing
from models import OPEN_STATUSES, Delivery, KeyScope
from models.ids import event_id_text
from pingpilot.accounts.callers import Caller
from pingpilot.accounts.categories import unknown_category
from pingpilot.channels import CHANNELS
from pingpilot.events.submission import (
    Acceptance,
    CategoryNotFound,
    IdempotencyKeyReused,
    NotStored,
    QuotaExceeded,
    Submission,
)

LONGEST_WAIT = 30
_LOOK_AGAIN = 1.0  # seconds: sees what another daemon delivered
_IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_WAIT = re.compile(r'(?:^|[,;])\s*wait\s*=\s*"?(\d{1,9})"?\s*(?=$|[,;])', re.IGNORECASE)

log = structlog.get_logger(__name__)


async def post_event(request: web.Request) -> web.Response:
    """Accept one event; the checks come in the contract's order."""
    caller = await authenticate(request)
    body = await read_body(request, EventBody)
    key = _idempotency_key(request)
    check_category(caller, body.category)
    _refuse_unlinked(caller)
    acceptance = await _submit(request, caller, body, key)
    request[STANDING].events_used = acceptance.events_used
    _log_acceptance(acceptance)
    wait = _wait_seconds(request)
    if wait:
        return await _reply_when_settled(request, acceptance, wait)
    return json_reply(_accepted(acceptance), headers=_headers(acceptance))


def _idempotency_key(request: web.Request) -> str | None:
    keys = request.headers.getall("Idempotency-Key", [])
    if not keys:
        return None
    if len(keys) > 1 or not _IDEMPOTENCY_KEY.fullmatch(keys[0]):
        raise invalid(("Idempotency-Key", "must be one value of 1 to 255 visible ASCII characters."))
    return keys[0]


def _wait_seconds(request: web.Request) -> int:
    """Return how long the caller prefers to wait (RFC 7240), at most 30 s; what can't be read is ignored."""
    if "Prefer" not in request.headers:
        return 0
    match = _WAIT.search(",".join(request.headers.getall("Prefer", [])))
    return min(int(match[1]), LONGEST_WAIT) if match else 0


def _refuse_unlinked(caller: Caller) -> None:
    for name in caller.unlinked:
        kind = CHANNELS[name]
        if kind.unlinked_code:
            raise ApiError(
                403,
                kind.unlinked_code,
                f"{kind.label} is switched on for this account but not linked: get a code with "
                f"{_link_command(caller)} and send `/link CODE` to the {kind.label} bot, or switch "
                f"{kind.label} off.",
            )


def _link_command(caller: Caller) -> str:
    """Return the command as it is to be typed; who may only send is not to learn the account's address."""
    if caller.may(KeyScope.MANAGE):
        return f"`pingpilot link-code --account {caller.email}`"
    return "`pingpilot link-code --account` and the account's address,"


async def _submit(request: web.Request, caller: Caller, body: EventBody, key: str | None) -> Acceptance:
    submission = Submission(
        caller=caller,
        category=body.category,
        description=body.shown_description,
        fields_json=body.fields_json,
        idempotency_key=key,
        body_hash=body.fingerprint if key else "",
    )
    services = request.app[SERVICES]
    try:
        return await services.intake.submit(submission)
    except CategoryNotFound:
        raise ApiError(404, "category_not_found", await _unknown(caller, body.category)) from None
    except IdempotencyKeyReused:
        message = "This Idempotency-Key was used for another event in the last 24 hours: use a new one."
        raise ApiError(422, "idempotency_key_reused", message) from None
    except QuotaExceeded as exc:
        raise _quota_exceeded(request, exc) from None
    except NotStored:
        message = "The event could not be stored, and nothing was charged: try again in a moment."
        raise ApiError(500, "processing_failed", message) from None


async def _unknown(caller: Caller, category: str) -> str:
    """Return the sentence for a category that is not there; a key kept to some is told of no others."""
    if caller.categories is None:
        return await unknown_category(caller.account_id, category)
    return f"There is no category '{category}' any more: add it again, or use another key."


def _quota_exceeded(request: web.Request, exc: QuotaExceeded) -> ApiError:
    request[STANDING].events_used = exc.limit
    wait = math.ceil((exc.resets_at - request.app[SERVICES].clock.now()).total_seconds())
    resets = time_text(exc.resets_at)
    return ApiError(
        429,
        "quota_exceeded",
        f"This month's {exc.limit:,} events are used up: wait until {resets}, or choose a larger plan.",
        headers={"Retry-After": str(wait)},
        limit=exc.limit,
        resetDate=resets,
    )


def _accepted(acceptance: Acceptance) -> dict[str, Any]:
    return {"message": "Event accepted.", "eventId": event_id_text(acceptance.event_id)}


def _log_acceptance(acceptance: Acceptance) -> None:
    """At DEBUG: a line an event at INFO would cost intake more than a third of its speed."""
    said = "Event replayed" if acceptance.replayed else "Event accepted"
    log.debug(said, event_id=event_id_text(acceptance.event_id))


def _headers(acceptance: Acceptance) -> dict[str, str]:
    return {"Idempotent-Replayed": "true"} if acceptance.replayed else {}


async def _reply_when_settled(request: web.Request, acceptance: Acceptance, wait: int) -> web.Response:
    deliveries = await _settled(request, acceptance.event_id, wait)
    body = _accepted(acceptance) | standing(deliveries)
    headers = _headers(acceptance) | {"Preference-Applied": f"wait={wait}"}
    failed = [each.channel for each in Delivery.failed_for_good(deliveries)]
    if not failed:
        return json_reply(body, headers=headers)
    labels = " and ".join(CHANNELS[name].label for name in failed)
    body |= {
        "message": f"The event is stored, but could not be delivered to {labels}: see lastError.",
        "code": "processing_failed",
    }
    return json_reply(body, status=500, headers=headers)


async def _settled(request: web.Request, event_id: UUID, wait: int) -> list[Delivery]:
    """Return the event's deliveries once all are settled, the time is over or the daemon stops."""
    settlements = request.app[SERVICES].settlements
    loop = asyncio.get_running_loop()
    deadline = loop.time() + wait
    while True:
        deliveries = await deliveries_of(event_id)
        left = deadline - loop.time()
        is_open = any(each.status in OPEN_STATUSES for each in deliveries)
        if not is_open or left <= 0 or settlements.closed:
            return deliveries
        await settlements.wait(event_id, min(left, _LOOK_AGAIN))


_POSTING_ERRORS = (
    "discord_id_not_set",
    "telegram_username_not_set",
    "category_not_found",
    "idempotency_key_reused",
    "quota_exceeded",
)
CALLS = tuple(
    Call(
        method="POST",
        path=path,
        handler=post_event,
        tag="Events",
        summary="Send an event",
        scope=KeyScope.SEND,
        body=EventBody,
        replies={200: AcceptedEvent},
        headers=("Idempotency-Key", "Prefer"),
        errors=_POSTING_ERRORS,
    )
    for path in ("/api/v1/event", "/api/v1/events")
)
