"""The calls of the API, as data: a new one is a function here and a line in each client."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from urllib.parse import quote
from uuid import uuid4

from . import results
from .results import Accepted, Event, FieldValue, Quota

T = TypeVar("T")

LONGEST_WAIT = 30
_IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,255}")


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One request, which may be sent several times; `read` makes the result from body and headers.

    `wait` is how many seconds the server may take on purpose.
    """

    method: str
    path: str
    read: Callable[[results.Body, Mapping[str, str]], T]
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes | None = None
    wait: int = 0


def send(
    category: str,
    description: str,
    *,
    title: str | None = None,
    url: str | None = None,
    fields: Mapping[str, FieldValue] | None,
    idempotency_key: str | None,
    wait: int | None,
) -> Call[Accepted]:
    """Return the call that posts an event; raises `ValueError` for what can't be put in a request."""
    key = uuid4().hex if idempotency_key is None else idempotency_key
    if not _IDEMPOTENCY_KEY.fullmatch(key):
        raise ValueError("An idempotency key must have 1 to 255 visible ASCII characters.")
    headers = {"Idempotency-Key": key, "Content-Type": "application/json"}
    if wait is not None:
        if not 1 <= wait <= LONGEST_WAIT:
            raise ValueError(f"The time to wait must be 1 to {LONGEST_WAIT} seconds.")
        headers["Prefer"] = f"wait={wait:d}"
    body = {"category": category, "description": description, "fields": dict(fields or {})}
    # Left out where there is none, since an older PingPilot knows neither
    body |= {name: text for name, text in (("title", title), ("url", url)) if text is not None}
    content = encoded(body)
    return Call("POST", "/api/v1/event", results.accepted, headers, content, wait or 0)


def event(event_id: str) -> Call[Event]:
    """Return the call that shows an event."""
    return Call("GET", f"/api/v1/events/{quote(event_id, safe='')}", results.event)


def retry(event_id: str) -> Call[Event]:
    """Return the call that puts an event's failed deliveries back in the queue."""
    return Call("POST", f"/api/v1/events/{quote(event_id, safe='')}/retry", results.event)


def quota() -> Call[Quota]:
    """Return the call that shows the month's quota."""
    return Call("GET", "/api/v1/quota", results.quota)


def encoded(value: Any) -> bytes:
    """Return a value as compact UTF-8 JSON; raises `ValueError` for what JSON can't hold."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError) as exc:
        raise ValueError(f"An event holds texts, finite numbers and booleans only: {exc}.") from exc
    try:
        return text.encode()
    except UnicodeEncodeError:  # a lone surrogate: escaped, it gets there, and the server names its member
        return json.dumps(value).encode()
