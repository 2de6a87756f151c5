"""Exporting an account: all that is stored of it, as one JSON document, a little at a time."""

import json
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from tortoise.models import Model

from models import (
    Account,
    ApiKey,
    Category,
    CategoryUsage,
    Delivery,
    DeliveryAttempt,
    Destination,
    Event,
    IdempotencyKey,
    LinkCode,
    MonthlyUsage,
    Session,
    SignInLink,
)
from models.ids import event_id_text
from models.names import split

SECTIONS: Mapping[str, type[Model]] = {
    "destinations": Destination,
    "keys": ApiKey,
    "categories": Category,
    "monthlyUsage": MonthlyUsage,
    "categoryUsage": CategoryUsage,
    "linkCodes": LinkCode,
    "idempotencyKeys": IdempotencyKey,
    "signInLinks": SignInLink,
    "sessions": Session,
}
"""What belongs to an account besides its events, which come last, and besides what only counts these."""
PAGE = 500
"""Events read at once."""

# Hashes of keys and codes help nobody but a guesser, and a secret is shown once
_LEFT_OUT = {"account_id", "hash", "body_hash", "secret", "former_secret"}
_MEANT: Mapping[str, Callable[[Any], Any]] = {
    "fields_json": json.loads,
    "event_id": event_id_text,
    "channels": split,
    "categories": split,
}
_RENAMED = {"fields_json": "fields", "fallback_for": "stands_in_for"}  # the latter as it was always exported


async def export_account(account: Account) -> AsyncIterator[str]:
    """Yield the document piece by piece; an account may have more events than memory holds."""
    (stored,) = await Account.filter(id=account.id).values()
    yield '{"account": ' + _json(_plain(stored))
    for name, model in SECTIONS.items():
        rows = await model.filter(account_id=account.id).order_by("id").values()
        yield f',\n"{name}": {_json([_plain(row) for row in rows])}'
    yield ',\n"events": ['
    separator, last = "\n", UUID(int=0)
    while (
        events := await Event.filter(account_id=account.id, id__gt=last).order_by("id").limit(PAGE).values()
    ):
        last = events[-1]["id"]
        deliveries = await _deliveries([event["id"] for event in events])
        for event in events:
            shown = _plain({**event, "id": event_id_text(event["id"])})
            yield separator + _json({**shown, "deliveries": deliveries.get(event["id"], [])})
            separator = ",\n"
    yield "\n]}\n"


async def _deliveries(event_ids: list[UUID]) -> dict[UUID, list[dict[str, Any]]]:
    deliveries = await Delivery.filter(event_id__in=event_ids).order_by("id").values()
    history = await DeliveryAttempt.filter(delivery__event_id__in=event_ids).order_by("id").values()
    attempts = _grouped(history, "delivery_id")
    return {
        event_id: [
            {**_plain(row), "history": [_plain(each) for each in attempts.get(row["id"], [])]} for row in rows
        ]
        for event_id, rows in _grouped(deliveries, "event_id").items()
    }


def _grouped(rows: Iterable[dict[str, Any]], key: str) -> dict[Any, list[dict[str, Any]]]:
    groups: dict[Any, list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(row[key], []).append(row)
    return groups


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row as JSON values under the API's manner of names."""
    plain = {}
    for name, value in row.items():
        if name in _LEFT_OUT:
            continue
        first, *rest = _RENAMED.get(name, name).split("_")
        shown = _MEANT[name](value) if name in _MEANT else value
        if isinstance(value, datetime):
            shown = value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        plain[first + "".join(part.capitalize() for part in rest)] = shown
    return plain


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
