"""Replies: JSON bodies, and times as the contract writes them."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson
from aiohttp import web
from pydantic import BaseModel


def json_reply(
    body: BaseModel | Mapping[str, Any], *, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    """Return a UTF-8 JSON reply. Members of a shape that were not set are left out."""
    plain = body.model_dump(exclude_unset=True) if isinstance(body, BaseModel) else body
    return web.Response(body=encoded(plain), status=status, headers=headers, content_type="application/json")


def wants_page(request: web.Request) -> bool:
    """Whether a person's browser asks, which is to be shown no JSON."""
    return "text/html" in request.headers.get("Accept", "")


def encoded(value: Any) -> bytes:
    """Return a value as compact UTF-8 JSON; orjson is far faster, but takes no integer over 64 bits."""
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def time_text(instant: datetime | None) -> str | None:
    """Return an instant as ISO 8601 in UTC with `Z` and milliseconds; None stays None."""
    if instant is None:
        return None
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
