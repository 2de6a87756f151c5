"""Notifications to send."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

from pingpilot.delivery.channel import Notification

SALE = Notification(
    event_id=UUID("01936f2e-5b6a-7c3d-8e4f-1a2b3c4d5e6f"),
    delivery_id=42,
    category="sale",
    emoji="💰",
    color=0xFFEB3B,
    description="A new sale of 42 € <b>@everyone</b>",
    fields=(("zulu", "last"), ("amount", 42.5), ("paid", True)),
    created_at=datetime(2026, 11, 23, 12, 0, tzinfo=UTC),
)
OTHER = replace(SALE, event_id=UUID("01936f2e-5b6a-7c3d-8e4f-1a2b3c4d5e70"), delivery_id=43)
