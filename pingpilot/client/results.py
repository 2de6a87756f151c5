"""What the calls return, and how it is read from the answers' JSON.

The functions raise `KeyError`, `TypeError` or `ValueError` for what is not in the contract's shape; members
they don't know are ignored.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

FieldValue = str | int | float | bool
Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Delivery:
    """How far an event is on its way to one destination: `pending`, `sending`, `delivered` or `failed`."""

    destination: str
    channel: str
    status: str
    attempts: int
    last_error: str | None
    next_attempt_at: datetime | None
    delivered_at: datetime | None


@dataclass(frozen=True, slots=True)
class Accepted:
    """An event that is stored; `replayed` if an earlier request with this idempotency key had stored it.

    `delivery_status` (`PENDING`, `DELIVERED`, `FAILED` or `NO_CHANNEL`) and `deliveries` are there if `send`
    was to wait, and always for `NO_CHANNEL`. `warning` says why the event goes nowhere, for now or at all.
    """

    event_id: str
    replayed: bool
    delivery_status: str | None
    deliveries: tuple[Delivery, ...]
    warning: str | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """An event as it is stored, and how far its deliveries are."""

    id: str
    category: str
    title: str | None
    url: str | None
    description: str
    fields: Mapping[str, FieldValue]
    created_at: datetime
    delivery_status: str
    deliveries: tuple[Delivery, ...]


@dataclass(frozen=True, slots=True)
class Quota:
    """The month so far; `events_limit` and `events_remaining` are None without a limit."""

    plan: str
    events_used: int
    events_limit: int | None
    events_remaining: int | None
    reset_date: datetime
    categories_used: int


def accepted(body: Body, headers: Mapping[str, str]) -> Accepted:
    """Read the answer to an event."""
    return Accepted(
        event_id=_text(body["eventId"]),
        replayed=headers.get("Idempotent-Replayed") == "true",
        delivery_status=body.get("deliveryStatus"),
        deliveries=_deliveries(body.get("deliveries", [])),
        warning=body.get("warning"),
    )


def event(body: Body, _headers: Mapping[str, str]) -> Event:
    """Read an event."""
    return Event(
        id=_text(body["id"]),
        category=_text(body["category"]),
        title=body.get("title"),
        url=body.get("url"),
        description=_text(body["description"]),
        fields=dict(body["fields"]),
        created_at=datetime.fromisoformat(body["createdAt"]),
        delivery_status=_text(body["deliveryStatus"]),
        deliveries=_deliveries(body["deliveries"]),
    )


def quota(body: Body, _headers: Mapping[str, str]) -> Quota:
    """Read the month's quota."""
    return Quota(
        plan=_text(body["plan"]),
        events_used=body["eventsUsed"],
        events_limit=body["eventsLimit"],
        events_remaining=body["eventsRemaining"],
        reset_date=datetime.fromisoformat(body["resetDate"]),
        categories_used=body["categoriesUsed"],
    )


def _deliveries(items: list[Body]) -> tuple[Delivery, ...]:
    return tuple(
        Delivery(
            # A server of before has one destination a channel, named after it
            destination=_text(each.get("destination", each["channel"])),
            channel=_text(each["channel"]),
            status=_text(each["status"]),
            attempts=each["attempts"],
            last_error=each["lastError"],
            next_attempt_at=_instant(each["nextAttemptAt"]),
            delivered_at=_instant(each["deliveredAt"]),
        )
        for each in items
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not a text")
    return value


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
