"""A category's events as CSV (RFC 4180), written as it is read: a download may be larger than memory."""

import csv
import io
import json
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import UTC
from typing import Any
from zoneinfo import ZoneInfo

from aiohttp import web

from api.dashboard.pages import HEADERS
from api.services import SERVICES
from models.ids import event_id_text
from pingpilot.delivery.channel import field_text
from pingpilot.errors import DatabaseUnavailable, TooMany
from pingpilot.events.spans import Span, SpannedEvent, all_in

MOST_DOWNLOADS = 3
"""Downloads an account may have under way: each holds a page of events, of up to 64 KiB each."""
DOWNLOADS = web.AppKey("downloads", Counter[int])
"""How many are under way, by account."""
_BOM = "\ufeff"
"""Without it Excel takes UTF-8 for something else; what reads CSV otherwise knows it."""
# What a spreadsheet takes for the beginning of a formula, in either width, or leaves out before one
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


async def send_csv(
    request: web.Request, span: Span, columns: Sequence[str], zone: ZoneInfo, *, with_others: bool
) -> web.StreamResponse:
    """Send the span's events, oldest first, with these fields as columns.

    `with_others` adds a column with all other fields, as JSON. What can't be sent whole is cut off, so that
    no browser takes it for all. Raises `TooMany`.
    """
    under_way = request.app[DOWNLOADS]
    if under_way[span.account_id] >= MOST_DOWNLOADS:
        raise TooMany(
            f"{MOST_DOWNLOADS} downloads are under way, as many as there may be: wait for one to end."
        )
    services, today = request.app[SERVICES], request.app[SERVICES].clock.now().astimezone(zone).date()
    name = f"{span.category}-{today.isoformat()}.csv"
    response = web.StreamResponse(
        headers={
            **HEADERS,
            "Content-Type": "text/csv; charset=utf-8; header=present",
            "Content-Disposition": f'attachment; filename="{name}"',
        }
    )
    await response.prepare(request)
    if request.method == "HEAD":
        return response
    under_way[span.account_id] += 1
    try:
        async for piece in _pieces(span, columns, zone, with_others=with_others):
            if services.stopping:
                _cut_off(request)
                break
            await response.write(piece)
    except ConnectionError:
        pass  # whoever asked is gone
    except DatabaseUnavailable as exc:
        services.database.failed(exc, "A download failed", category=span.category)
        _cut_off(request)
    finally:
        under_way[span.account_id] -= 1
    return response


def _cut_off(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


async def _pieces(
    span: Span, columns: Sequence[str], zone: ZoneInfo, *, with_others: bool
) -> AsyncIterator[bytes]:
    text = io.StringIO()
    writer = csv.writer(text)
    head = ["id", "time", f"time in {zone.key}", "title", "description", "url", *map(_safe, columns)]
    text.write(_BOM)
    writer.writerow([*head, "other fields"] if with_others else head)
    shown = frozenset(columns)
    async for events in all_in(span):
        writer.writerows(_row(each, columns, shown, zone, with_others=with_others) for each in events)
        yield text.getvalue().encode()
        text.seek(0)
        text.truncate()
    yield text.getvalue().encode()


def _row(
    event: SpannedEvent, columns: Sequence[str], shown: frozenset[str], zone: ZoneInfo, *, with_others: bool
) -> list[str]:
    fields, at = event.fields, event.at.replace(microsecond=0)
    row = [
        event_id_text(event.id),
        at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        at.astimezone(zone).replace(tzinfo=None).isoformat(sep=" "),
        _safe(event.title or ""),
        _safe(event.description),
        _safe(event.url or ""),
        *[_cell(fields[name]) if name in fields else "" for name in columns],
    ]
    if with_others:
        others = {name: value for name, value in fields.items() if name not in shown}
        row.append(json.dumps(others, ensure_ascii=False) if others else "")
    return row


def _cell(value: Any) -> str:
    """Return a field's value: a number as a number, a text as what no spreadsheet takes for a formula."""
    return _safe(value) if isinstance(value, str) else field_text(value)


def _safe(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text
