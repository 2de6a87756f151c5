"""What a webhook gets: the event as JSON, whole and in the sender's order."""

import json
from dataclasses import replace
from typing import Any

from hypothesis import given, settings

from models.ids import event_id_text
from pingpilot.delivery.channel import Notification
from pingpilot.events import notices
from pingpilot.webhook.message import build_body
from pingpilot.webhook.signing import message_id
from tests.channels.notifications import OTHER, SALE

from .strategies import notifications


def test_an_event_is_told_whole() -> None:
    titled = replace(SALE, headline="Order 42", url="https://shop.example/42")

    payload = json.loads(build_body(titled))

    assert payload == {
        "type": "event.created",
        "timestamp": "2026-11-23T12:00:00.000Z",
        "data": {
            "eventId": event_id_text(SALE.event_id),
            "category": "sale",
            "emoji": "💰",
            "color": "#FFEB3B",
            "title": "Order 42",
            "url": "https://shop.example/42",
            "description": SALE.description,
            "fields": {"zulu": "last", "amount": 42.5, "paid": True},
            "createdAt": "2026-11-23T12:00:00.000Z",
        },
    }
    assert list(payload["data"]["fields"]) == ["zulu", "amount", "paid"]


def test_what_there_is_not_is_null() -> None:
    data = json.loads(build_body(replace(SALE, emoji=None, fields=())))["data"]

    assert (data["emoji"], data["title"], data["url"], data["fields"]) == (None, None, None, {})


def test_a_notice_has_a_type_of_its_own() -> None:
    notice = replace(SALE, category=notices.SENDER, emoji=notices.EMOJI, color=notices.COLOR)

    assert json.loads(build_body(notice))["type"] == "notice.created"


def test_a_number_of_any_size_stays_itself() -> None:
    fields: tuple[tuple[str, Any], ...] = (
        ("big", 10**30),
        ("small", 5e-324),
        ("zero", -0.0),
        ("large", 1e300),
    )

    assert json.loads(build_body(replace(SALE, fields=fields)))["data"]["fields"] == dict(fields)


@settings(deadline=None, max_examples=50)
@given(notifications)
def test_any_event_is_utf_8_json_that_reads_the_same(notification: Notification) -> None:
    data = json.loads(build_body(notification).decode("utf-8"))["data"]

    assert data["description"] == notification.description
    assert list(data["fields"].items()) == list(dict(notification.fields).items())
    assert data["title"] == notification.headline


def test_the_id_is_the_deliverys_and_holds_no_full_stop() -> None:
    again = replace(SALE, description="The same, as a retry may be worded")

    assert message_id(SALE) == message_id(again) != message_id(OTHER)
    assert message_id(SALE) == "msg_01936f2e5b6a7c3d8e4f1a2b3c4d5e6f_42"
    assert message_id(SALE) != message_id(replace(SALE, delivery_id=43))
