"""`POST /api/v1/event`."""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, nullcontext
from datetime import timedelta
from functools import cache
from typing import Any
from uuid import UUID

import structlog
from aiohttp import web

from api.calls import Call
from api.errors import ApiError
from api.replies import QuickReply, json_reply
from api.requests.auth import authenticate, check_category, check_links, recognised
from api.requests.bodies import bytes_at_hand, invalid_request, read_body
from api.requests.submitting import submit
from api.services import KNOWN_CALLER, SERVICES, KnownCaller, Services
from api.shapes.events import AcceptedEvent, EventBody, SaidEvent, delivery_summary, read_quickly
from models import Delivery, KeyScope
from models.ids import event_id_text
from pingpilot.accounts.callers import Caller, Target
from pingpilot.accounts.destinations import label_of
from pingpilot.batching import SLOW
from pingpilot.channels import CHANNELS
from pingpilot.events.history import EventStatus
from pingpilot.events.notices import post_notice_once
from pingpilot.events.numbers import numbers_in
from pingpilot.events.submission import Acceptance, CallerChanged, Refused, Submission, shown_description

ANSWERED_WITHIN = 9.5
"""Seconds after which an event's sender is told that nobody knows, however slow the database is."""
LONGEST_WAIT = 30
"""Seconds a caller may wait for the deliveries (`Prefer: wait=N`, RFC 7240)."""
_IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_WAIT = re.compile(r'(?:^|[,;])\s*wait\s*=\s*"?(\d{1,9})"?\s*(?=$|[,;])', re.IGNORECASE)
_ACCEPTED = "Event accepted."
_TOLD_EVERY = timedelta(days=1)

log = structlog.get_logger(__name__)
_bound_log = cache(log.bind)  # `log` itself is bound anew for each line, even one that is not wanted


async def post_event(request: web.Request) -> web.StreamResponse:
    """Accept one event; the checks come in the contract's order."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    services = request.app[SERVICES]
    if accepted := await _submit_at_once(request, services):
        return await _reply(request, services, *accepted)
    caller = await authenticate(request)
    left = ANSWERED_WITHIN - (loop.time() - began)
    said = (await read_body(request, EventBody)).said
    key = _idempotency_key(request)
    check_category(caller, said.category)
    check_links(caller)
    # Mostly the look-up was quick, and what is left is more than storing may take
    async with nullcontext() if left > ANSWERED_WITHIN - SLOW else _known_within(left):
        acceptance = await _submit(request, services, caller, said, key)
    return await _reply(request, services, caller, said, acceptance)


async def _submit_at_once(
    request: web.Request, services: Services
) -> tuple[Caller, SaidEvent, Acceptance] | None:
    """Accept an event whose sender is remembered and whose body is right, as nearly all are.

    They are spared the look-up and most of what the checks cost. None: all is to be looked at from the
    beginning, which finds out what is wrong, if anything is.
    """
    caller = recognised(request, services)
    said = read_quickly(bytes_at_hand(request)) if caller else None
    if caller is None or said is None or caller.unlinked or not caller.may_post_to(said.category):
        return None
    try:
        key = _idempotency_key(request)
    except ApiError:
        return None
    try:
        return caller, said, await _submit(request, services, caller, said, key)
    except CallerChanged:
        return None


async def _reply(
    request: web.Request, services: Services, caller: Caller, said: SaidEvent, acceptance: Acceptance
) -> web.StreamResponse:
    event_id = event_id_text(acceptance.event_id)
    # At DEBUG: a line an event at INFO would cost intake more than a third of its speed
    outcome = "Event replayed" if acceptance.replayed else "Event accepted"
    _bound_log().debug(outcome, event_id=event_id, goes_nowhere=acceptance.goes_nowhere)
    headers = {"Idempotent-Replayed": "true"} if acceptance.replayed else {}
    if wait := _seconds_to_wait(request):
        headers["Preference-Applied"] = f"wait={wait}"
    if acceptance.goes_nowhere:
        # No warning a line: its sender could fill the log. The start's log and the doctor name the account
        if caller.targets:  # else nobody can be told; the sender is
            await _tell_owner(services, caller, said.category)
        told = {"deliveryStatus": EventStatus.NO_CHANNEL, "deliveries": []}
        warning = _why_nowhere(caller, said.category)
        body_sent = {"message": _ACCEPTED, "eventId": event_id, "warning": warning, **told}
        return QuickReply(body_sent, headers)
    obstacle = _why_waiting(services, acceptance.targets)
    if wait:
        return await _reply_when_settled(request, acceptance.event_id, wait, headers, obstacle)
    # An `AcceptedEvent` without the shape, as above: these are the replies that have to be fast
    warned = {"warning": obstacle} if obstacle else {}
    said_of_it = {"message": _ACCEPTED, "eventId": event_id, **warned}
    return QuickReply(said_of_it, headers)


def _seconds_to_wait(request: web.Request) -> int:
    """Return how long the caller wishes to wait; what can't be read is ignored (RFC 7240)."""
    if "Prefer" not in request.headers:
        return 0
    prefer = _WAIT.search(",".join(request.headers.getall("Prefer")))
    return min(int(prefer[1]), LONGEST_WAIT) if prefer else 0


def _why_waiting(services: Services, targets: Sequence[Target]) -> str | None:
    """Return a sentence for the sender of an event whose channels are none that this server is set up for."""
    for target in targets:
        if not services.health.is_off(target.channel):
            return None  # mostly at the first
    channels = [*dict.fromkeys(target.channel for target in targets)]
    if not channels:
        return None
    labels = " and ".join(CHANNELS[name].label for name in channels)
    remedies = " ".join(services.health.parts[name].reason or "" for name in channels)
    return f"The event is stored, and waits: this server is not set up for {labels}. {remedies}"


async def _tell_owner(services: Services, caller: Caller, category: str) -> None:
    """Tell the account's other channels, once a day, that a category's events go nowhere."""
    text = (
        f"An event of the category '{category}' went nowhere, since none of the category's channels can be "
        "used now: change them with `pingpilot category set`, or switch one of them on."
    )
    now = services.clock.now()
    services.on_deliveries(await post_notice_once(caller.account_id, text, within=_TOLD_EVERY, now=now))


def _why_nowhere(caller: Caller, category: str) -> str:
    """Return a sentence for the sender of an event that no channel can take, with what to do."""
    if caller.targets:
        return (
            f"The event is stored but goes nowhere: none of the channels of the category '{category}' can be "
            "used now. Change them with `pingpilot category set`, or switch one of them on."
        )
    reason = "the account has no channel that is switched on"
    if caller.suspended:
        labels = " and ".join(label_of(each.name) for each in caller.suspended)
        reason = f"{labels} {'is' if len(caller.suspended) == 1 else 'are'} suspended, and no other is on"
    # Who may only send is not to learn the account's address
    whose = caller.email if caller.may(KeyScope.MANAGE) else "EMAIL"
    return (
        f"The event is stored but goes nowhere: {reason}. Switch one on with `pingpilot account set {whose} "
        "--channels email`, or link a chat with `pingpilot link-code`."
    )


@asynccontextmanager
async def _known_within(seconds: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise ApiError("processing_failed") from None


def _idempotency_key(request: web.Request) -> str | None:
    if "Idempotency-Key" not in request.headers:
        return None
    keys = request.headers.getall("Idempotency-Key")
    if len(keys) > 1 or not _IDEMPOTENCY_KEY.fullmatch(keys[0]):
        raise invalid_request(("Idempotency-Key", "must be one value of 1 to 255 visible ASCII characters."))
    return keys[0]


async def _submit(
    request: web.Request, services: Services, caller: Caller, said: SaidEvent, key: str | None
) -> Acceptance:
    submission = Submission(
        caller=caller,
        category=said.category,
        description=shown_description(said.category, said.description),
        fields_json=said.fields_json,
        title=said.title,
        url=said.url,
        idempotency_key=key,
        body_hash=said.fingerprint if key else "",
        numbers=numbers_in(said.fields) if said.fields else (),
    )
    try:
        acceptance = await submit(services, submission)
    except ApiError as exc:
        if isinstance(exc.__cause__, Refused):
            request[KNOWN_CALLER] = KnownCaller(caller, exc.__cause__.events_used)
        raise
    if caller.limit is not None:  # without one, the reply tells nothing of the month
        request[KNOWN_CALLER] = KnownCaller(caller, acceptance.events_used)
    return acceptance


async def _reply_when_settled(
    request: web.Request, event_id: UUID, wait: int, headers: dict[str, str], warning: str | None
) -> web.Response:
    """Reply once all of the event's deliveries are settled, the time is over or the daemon stops."""
    deliveries = await request.app[SERVICES].settlements.settled(event_id, wait)
    told: dict[str, Any] = {"event_id": event_id_text(event_id), **delivery_summary(deliveries)}
    if failed := Delivery.failed_for_good(deliveries):
        labels = " and ".join(label_of(each.destination) for each in failed)
        error = ApiError("processing_failed/not_delivered", channels=labels, **told)
        error.headers |= headers
        return error.reply()
    warned = {"warning": warning} if warning else {}
    return json_reply(AcceptedEvent(message=_ACCEPTED, **warned, **told), headers=headers)


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
        needs_links=True,
        errors=(
            "insufficient_scope/category",
            "insufficient_scope/web_page",
            "category_not_found",
            "category_not_found/removed",
            "idempotency_key_reused",
            "quota_exceeded",
            "processing_failed/not_stored",
            "processing_failed/not_delivered",
        ),
    )
    for path in ("/api/v1/event", "/api/v1/events")
)
