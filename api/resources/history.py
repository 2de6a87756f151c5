"""`GET /api/v1/events`, `GET /api/v1/events/{eventId}` and its retry."""

from uuid import UUID

from aiohttp import web

from api.calls import Call
from api.errors import ApiError
from api.replies import json_reply
from api.requests.auth import authenticate
from api.requests.bodies import read_query
from api.services import SERVICES
from api.shapes.events import ShownEvent, ShownEvents, shown_event
from api.shapes.queries import EventsQuery, cursor_text
from models import Delivery, Event
from models.ids import parse_event_id
from pingpilot.accounts.callers import Caller
from pingpilot.events.deliveries import Selection, retry_deliveries
from pingpilot.events.history import Wanted, list_events


async def get_events(request: web.Request) -> web.Response:
    """Return a page of the caller's events, newest first; `nextCursor` is null at the end.

    With a filter, a page may hold fewer events than asked for, or none, and still have a next one.
    """
    caller = await authenticate(request)
    query = read_query(request, EventsQuery)
    wanted = Wanted(caller.account_id, query.category, query.status, query.cursor)
    page = await list_events(wanted, query.limit)
    events = [shown_event(each.event, each.deliveries) for each in page.events]
    next_cursor = cursor_text(page.next_before) if page.next_before else None
    return json_reply(ShownEvents(events=events, next_cursor=next_cursor))


async def get_event(request: web.Request) -> web.Response:
    """Return one of the caller's events with its deliveries."""
    caller = await authenticate(request)
    event = await _own_event(request, caller)
    return json_reply(shown_event(event, await deliveries_of(event.id)))


async def retry_event(request: web.Request) -> web.Response:
    """Put the event's failed deliveries back in the queue; return the event with its deliveries."""
    caller = await authenticate(request)
    event = await _own_event(request, caller)
    services = request.app[SERVICES]
    selection = Selection(account_id=caller.account_id, event_id=event.id)
    services.on_deliveries(set(await retry_deliveries(selection, services.clock.now())))
    return json_reply(shown_event(event, await deliveries_of(event.id)))


async def _own_event(request: web.Request, caller: Caller) -> Event:
    event_id = parse_event_id(request.match_info["event_id"])
    event = event_id and await Event.get_or_none(id=event_id, account_id=caller.account_id)
    if not event:
        raise ApiError("not_found/event")
    return event


async def deliveries_of(event_id: UUID) -> list[Delivery]:
    """Return the event's deliveries in the order they were made."""
    return await Delivery.filter(event_id=event_id).order_by("id")


CALLS = (
    Call(
        method="GET",
        path="/api/v1/events",
        handler=get_events,
        tag="Events",
        summary="List events with their deliveries, newest first",
        query=EventsQuery,
        replies={200: ShownEvents},
    ),
    Call(
        method="GET",
        path="/api/v1/events/{event_id}",
        handler=get_event,
        tag="Events",
        summary="Show an event with its deliveries",
        replies={200: ShownEvent},
        errors=("not_found/event",),
    ),
    Call(
        method="POST",
        path="/api/v1/events/{event_id}/retry",
        handler=retry_event,
        tag="Events",
        summary="Try the failed deliveries again",
        replies={200: ShownEvent},
        errors=("not_found/event",),
    ),
)
