"""Events: an account's list of them, and a page for each."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aiohttp import web

from api.dashboard.live import mark_of
from api.dashboard.pages import render, see_other
from api.dashboard.states import Square, delivery_words, square
from api.dashboard.visitors import Visitor, chosen_id, form_token, read_form, signed_in
from api.errors import ApiError
from api.services import SERVICES
from models import Account, Category, Delivery, DeliveryAttempt, Event
from models.ids import event_id_text, parse_event_id
from pingpilot.delivery.channel import field_text
from pingpilot.events.deliveries import Selection, retry_deliveries
from pingpilot.events.history import EventStatus, ListedEvent, Wanted, list_events, status_of
from pingpilot.rendering.text import one_line, readable

PER_PAGE = 50
_GONE = "#8a8f86"
"""The colour of an event whose category was deleted."""
_MOST_DETAILS = 4
_LONGEST = 300  # characters of a line, which the browser cuts where the window ends


@dataclass(frozen=True, slots=True)
class Listed:
    """An event as a row of a list."""

    id: str
    category: str
    emoji: str
    color: str
    headline: str
    details: str
    squares: list[Square]
    at: datetime


async def listed(account: Account, events: Sequence[ListedEvent]) -> list[Listed]:
    """Return events as rows of a list."""
    names = {each.event.category for each in events}
    looks = {row.name: row for row in await Category.filter(account_id=account.id, name__in=names)}
    return [_listed(each, looks.get(each.event.category)) for each in events]


def _listed(each: ListedEvent, looks: Category | None) -> Listed:
    event, fields = each.event, json.loads(each.event.fields_json)
    details = [
        f"{one_line(name)} {one_line(field_text(value))}"
        for name, value in list(fields.items())[:_MOST_DETAILS]
    ]
    if event.title:
        details.insert(0, one_line(event.description))
    return Listed(
        id=event_id_text(event.id),
        category=event.category,
        emoji=(looks and looks.emoji) or "",
        color=looks.color if looks else _GONE,
        headline=one_line(event.title or event.description)[:_LONGEST],
        details=" · ".join(details)[:_LONGEST],
        squares=[square(delivery) for delivery in each.deliveries],
        at=event.created_at,
    )


@signed_in
async def get_events(request: web.Request, visitor: Visitor) -> web.Response:
    """Show a page of events, those that the address asks for."""
    account, given = visitor.account, request.query
    category = given.get("category", "").replace("\0", "\ufffd") or None  # PostgreSQL takes no NUL
    status = given.get("status") or None
    if status not in (None, *EventStatus):
        status = None
    before = parse_event_id(given.get("before", ""))
    mark = mark_of(request, account.id)  # before it is read: loaded once too often at worst
    wanted = Wanted(account.id, category, EventStatus(status) if status else None, before)
    page = await list_events(wanted, PER_PAGE)
    categories: Any = (
        await Category.filter(account_id=account.id).order_by("name").values_list("name", flat=True)
    )
    return render(
        request,
        "events/list.html",
        zone=account.time_zone,
        visitor=visitor,
        here="events",
        live=mark if before is None else None,
        rows=await listed(account, page.events),
        categories=[*categories],
        statuses=list(EventStatus),
        category=category,
        wanted_status=status,
        is_first=before is None,
        next_before=event_id_text(page.next_before) if page.next_before else None,
    )


@signed_in
async def get_event(request: web.Request, visitor: Visitor) -> web.Response:
    """Show one event with its deliveries and each of their attempts."""
    account = visitor.account
    event = await _own_event(request, account)
    deliveries = await Delivery.filter(event_id=event.id).order_by("id")
    attempts = await DeliveryAttempt.filter(delivery_id__in=[each.id for each in deliveries]).order_by("id")
    looks = await Category.get_or_none(account_id=account.id, name=event.category)
    fields = json.loads(event.fields_json)
    optional = {"title": event.title, "url": event.url, "fields": fields}
    body = {"category": event.category, "description": event.description}
    body |= {name: value for name, value in optional.items() if value}
    return render(
        request,
        "events/event.html",
        zone=account.time_zone,
        visitor=visitor,
        here="events",
        event=event,
        id=event_id_text(event.id),
        headline=one_line(event.title or event.description)[:_LONGEST],
        text=readable(event.description),
        emoji=(looks and looks.emoji) or "",
        color=looks.color if looks else _GONE,
        fields=[(one_line(name), readable(field_text(value))) for name, value in fields.items()],
        event_status=status_of(deliveries),
        deliveries=[
            (each, delivery_words(each), [own for own in attempts if own.delivery_id == each.id])
            for each in deliveries
        ],
        curl=_as_curl(body, request.app[SERVICES].base_url),
        token=form_token(request),
    )


@signed_in
async def post_retry(request: web.Request, visitor: Visitor) -> web.Response:
    """Put what failed of an event back into the queue."""
    form, services = await read_form(request), request.app[SERVICES]
    event = await _own_event(request, visitor.account)
    chosen = chosen_id(form, "delivery")
    selection = Selection(
        account_id=visitor.account.id,
        event_id=event.id,
        delivery_ids=[chosen] if chosen else (),
    )
    services.on_deliveries(set(await retry_deliveries(selection, services.clock.now())))
    return see_other(request, f"events/{event_id_text(event.id)}")


async def _own_event(request: web.Request, account: Account) -> Event:
    """Return the event that the address names. Raises `not_found/event` unless it is the account's."""
    event_id = parse_event_id(request.match_info["event_id"])
    event = await Event.get_or_none(id=event_id, account_id=account.id) if event_id else None
    if event is None or event.notice:
        raise ApiError("not_found/event")
    return event


def _as_curl(body: dict[str, Any], base_url: str) -> str:
    """Return the command that sends such an event, for a POSIX shell."""
    text = json.dumps(body, ensure_ascii=False).replace("'", r"'\''")
    return (
        f"curl -H 'Authorization: Bearer pp_…' -H 'Content-Type: application/json' \\\n"
        f"  -d '{text}' {base_url}/api/v1/event"
    )
