"""A notification as the JSON that a webhook gets."""

import json
from datetime import UTC

from models.ids import event_id_text
from pingpilot import __version__
from pingpilot.delivery.channel import Notification
from pingpilot.events import notices

HEADERS = {"Content-Type": "application/json", "User-Agent": f"PingPilot/{__version__}"}
"""Of every request, besides those that sign it."""

EVENT = "event.created"
NOTICE = "notice.created"
"""The type of what PingPilot itself has to say."""


def build_body(notification: Notification) -> bytes:
    """Return the body as UTF-8, the fields in the sender's order and with their types."""
    created_at = (
        notification.created_at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    )
    payload = {
        "type": NOTICE if notification.category == notices.SENDER else EVENT,
        "timestamp": created_at,
        "data": {
            "eventId": event_id_text(notification.event_id),
            "category": notification.category,
            "emoji": notification.emoji,
            "color": f"#{notification.color:06X}",
            "title": notification.headline,
            "url": notification.url,
            "description": notification.description,
            "fields": dict(notification.fields),
            "createdAt": created_at,
        },
    }
    # Not orjson: it takes no number beyond 64 bits
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
