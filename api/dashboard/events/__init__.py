"""Events: an account's list of them, and a page for each."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

from aiohttp import web

from api.dashboard.events.filters import Filters, Shown, around, words_of
from api.dashboard.live import mark_of
from api.dashboard.looks import looks_of, mail_of
from api.dashboard.pages import FRAMING, render, see_other
from api.dashboard.states import Square, delivery_words, square, state_of
from api.dashboard.visitors import Visitor, chosen_id, form_token, read_form, signed_in
from api.errors import ApiError
from api.services import SERVICES
from models import Account, Category, Delivery, DeliveryAttempt, DeliveryStatus, Event
from models.ids import event_id_text, made_at, next_to, parse_event_id
from models.sql import as_uuid
from pingpilot.accounts.destinations import destinations_of, label_of
from pingpilot.delivery.channel import field_text
from pingpilot.errors import InvalidInput
from pingpilot.events.deliveries import Selection, retry_deliveries
from pingpilot.events.history import Effort, EventPage, EventStatus, ListedEvent, list_events, status_of
from pingpilot.events.searching import LONGEST_TEXT
from pingpilot.rendering.text import one_line, readable

PER_PAGE = 50
_GONE = "#8a8f86"
"""The colour of an event whose category was deleted."""
_MOST_ATTEMPTS = 200
"""The latest attempts that an event's page shows: one that is told to wait may have any number of them."""
_SHORT_LOOK = Effort(scanned=500, searched=1000)
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
    account, now = visitor.account, request.app[SERVICES].clock.now()
    filters = Filters.of(request.query)
    before, after = (parse_event_id(request.query.get(name, "")) for name in ("before", "after"))
    mark = mark_of(request, account.id)  # before it is read: loaded once too often at worst
    is_first = before is None and after is None
    problem, page, hiding = "", EventPage([], None), list[Shown]()
    try:
        page = await list_events(filters.wanted(account, before, after), PER_PAGE)
        if not page.events and not page.looked_at and is_first:
            hiding = await _hiding(account, filters)
    except InvalidInput as exc:
        problem = str(exc)
    if after and not page.next_after and not problem:
        return see_other(request, filters.address())  # the first page, which is live
    newer, older = _neighbours(page, before, after)
    categories: Any = (
        await Category.filter(account_id=account.id).order_by("name").values_list("name", flat=True)
    )
    destinations = [(each.name, label_of(each.name)) for each in await destinations_of(account)]
    return render(
        request,
        "events/list.html",
        status=400 if problem else 200,
        zone=account.time_zone,
        visitor=visitor,
        here="events",
        live=mark if is_first and not problem else None,
        rows=await listed(account, page.events),
        filters=filters,
        choices={
            "category": [(name, name) for name in categories],
            "status": [(each.value, words_of(each)) for each in EventStatus],
            "destination": destinations,
        },
        longest_text=LONGEST_TEXT,
        presets=filters.presets(account, now),
        hiding=hiding,
        is_first=is_first,
        page=page,
        newer=newer,
        older=older,
        problem=problem,
    )


def _neighbours(page: EventPage, before: UUID | None, after: UUID | None) -> tuple[str | None, str | None]:
    """Return the ids that newer events are after and older ones before, None where there are none."""
    shown = [as_uuid(each.event.id) for each in page.events]
    newer, older = page.next_after, page.next_before
    if before:
        newer = shown[0] if shown else next_to(before, -1)
    if after:
        older = shown[-1] if shown else next_to(after, 1)
    return (event_id_text(newer) if newer else None), (event_id_text(older) if older else None)


async def _hiding(account: Account, filters: Filters) -> list[Shown]:
    """Return those of several filters without which there would be events, as far as a short look tells."""
    removable = filters.removable()
    found = list[Shown]()
    for each in removable if len(removable) > 1 else ():
        without = Filters.of(dict(parse_qsl(each.address.partition("?")[2])))
        if (await list_events(without.wanted(account), 1, _SHORT_LOOK)).events:
            found.append(each)
    return found


@signed_in
async def get_event(request: web.Request, visitor: Visitor) -> web.Response:
    """Show one event with its deliveries and each of their attempts."""
    account = visitor.account
    mark = mark_of(request, account.id)
    event = await _own_event(request, account)
    deliveries = await Delivery.filter(event_id=event.id).order_by("id")
    attempts = (
        await DeliveryAttempt.filter(delivery_id__in=[each.id for each in deliveries])
        .order_by("-id")
        .limit(_MOST_ATTEMPTS + 1)
    )
    looks = await Category.get_or_none(account_id=account.id, name=event.category)
    services = request.app[SERVICES]
    states = [state_of(row, services.health, services.clock.now()) for row in await destinations_of(account)]
    fields = json.loads(event.fields_json)
    optional = {"title": event.title, "url": event.url, "fields": fields}
    body = {"category": event.category, "description": event.description}
    body |= {name: value for name, value in optional.items() if value}
    return render(
        request,
        "events/event.html",
        headers=FRAMING,
        zone=account.time_zone,
        visitor=visitor,
        here="events",
        live=mark,
        event=event,
        id=event_id_text(event.id),
        headline=one_line(event.title or event.description)[:_LONGEST],
        text=readable(event.description),
        emoji=(looks and looks.emoji) or "",
        color=looks.color if looks else _GONE,
        fields=[(one_line(name), readable(field_text(value))) for name, value in fields.items()],
        event_status=words_of(status_of(deliveries)),
        deliveries=[
            (
                each,
                delivery_words(each),
                [own for own in reversed(attempts[:_MOST_ATTEMPTS]) if own.delivery_id == each.id],
            )
            for each in deliveries
        ],
        in_trouble={each.name for each in states if each.tone == "bad"},
        most_attempts=_MOST_ATTEMPTS if len(attempts) > _MOST_ATTEMPTS else None,
        failed=sum(each.status == DeliveryStatus.FAILED for each in deliveries),
        around=around(made_at(event.id), account),
        curl=_as_curl(body, services.base_url),
        token=form_token(request),
        looks=await looks_of(request, event, account, frame=f"{event_id_text(event.id)}/mail"),
    )


@signed_in
async def get_mail(request: web.Request, visitor: Visitor) -> web.Response:
    """Show an event's mail alone, which its page has in a frame."""
    return await mail_of(request, await _own_event(request, visitor.account), visitor.account)


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
