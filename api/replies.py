"""Replies: JSON bodies, and times as the contract writes them."""

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import formatdate
from functools import lru_cache
from typing import Any

import orjson
from aiohttp import HttpVersion11, hdrs, web
from aiohttp.abc import AbstractStreamWriter
from pydantic import BaseModel


def json_reply(
    body: BaseModel | Mapping[str, Any],
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    """Return a UTF-8 JSON reply. Members of a shape that were not set are left out."""
    plain = body.model_dump(exclude_unset=True) if isinstance(body, BaseModel) else body
    return web.Response(body=encoded(plain), status=status, headers=headers, content_type="application/json")


class QuickReply(web.StreamResponse):
    """A JSON reply, always 200, to a program that sent an event, written at once.

    aiohttp looks at each reply for what these never are: packed, cut into chunks, or a browser's, with
    cookies. That is a twentieth of what an event costs.
    """

    def __init__(self, body: Mapping[str, Any], headers: Mapping[str, str]) -> None:
        super().__init__(headers={hdrs.CONTENT_TYPE: "application/json", **headers})
        self._encoded = encoded(body)

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        headers, writer = self.headers, request.writer
        headers[hdrs.CONTENT_LENGTH] = str(len(self._encoded))
        headers[hdrs.DATE] = _http_date(int(time.time()))
        if request.version == HttpVersion11 and request.keep_alive:
            await writer.write_headers("HTTP/1.1 200 OK", headers)
            await writer.write_eof(self._encoded)
            self._keep_alive = self._eof_sent = True
        else:
            await super().prepare(request)
            await self.write_eof(self._encoded)
        return writer


@lru_cache(maxsize=1)
def _http_date(second: int) -> str:
    return formatdate(second, usegmt=True)


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
