"""How an event stands, as the API shows it: its deliveries, and the status that follows from them."""

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from api.replies import time_text
from models import Delivery, DeliveryStatus, Event
from models.ids import event_id_text
from pingpilot.history import status_of


async def deliveries_of(event_id: UUID) -> list[Delivery]:
    """Return the event's deliveries in the order they were made."""
    return await Delivery.filter(event_id=event_id).order_by("id")


def shown_event(event: Event, deliveries: Sequence[Delivery]) -> dict[str, Any]:
    """Return an event as the contract has it."""
    return {
        "id": event_id_text(event.id),
        "category": event.category,
        "description": event.description,
        "fields": json.loads(event.fields_json),
        "createdAt": time_text(event.created_at),
        **standing(deliveries),
    }


def standing(deliveries: Sequence[Delivery]) -> dict[str, Any]:
    """Return the event's status, derived from its deliveries, and the deliveries themselves."""
    return {"deliveryStatus": status_of(deliveries), "deliveries": [_delivery(each) for each in deliveries]}


def _delivery(delivery: Delivery) -> dict[str, Any]:
    return {
        "channel": delivery.channel,
        "status": DeliveryStatus.PENDING if delivery.status == DeliveryStatus.HELD else delivery.status,
        "attempts": delivery.attempts,
        "lastError": delivery.last_error,
        "nextAttemptAt": time_text(delivery.next_attempt_at),
        "deliveredAt": time_text(delivery.delivered_at),
    }
