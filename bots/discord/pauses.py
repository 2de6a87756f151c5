"""Pauses that Discord asks for and discord.py does not keep as we need them."""

import json
from collections.abc import Mapping
from datetime import timedelta
from http import HTTPStatus
from types import SimpleNamespace
from typing import Any

import aiohttp

from pingpilot.errors import RateLimited

DEFAULT_PAUSE = timedelta(seconds=5)
"""For a rate limit that names no time."""


def watch_for_pauses() -> aiohttp.TraceConfig:
    """Return what makes a client of discord.py raise our `RateLimited` where it must not wait by itself.

    For a pause of the whole bot it would let the send wait, and for ever those after it, should that one be
    cancelled meanwhile; for a pause without a time it raises `KeyError`. A conversation's own is left to it.
    """
    trace = aiohttp.TraceConfig()
    trace.on_request_end.append(_heed_pause)
    return trace


async def _heed_pause(
    _session: aiohttp.ClientSession, _context: SimpleNamespace, params: aiohttp.TraceRequestEndParams
) -> None:
    response = params.response
    if response.status != HTTPStatus.TOO_MANY_REQUESTS:
        return
    body = _parsed(await response.text())
    named = body.get("retry_after", response.headers.get("Retry-After"))
    whole_channel = _is_for_all(response.headers, body)
    if whole_channel or "retry_after" not in body:
        wait = _duration(named)
        raise RateLimited("Discord asks for a pause.", retry_after=wait, whole_channel=whole_channel)


def _parsed(text: str) -> Mapping[str, Any]:
    try:
        body = json.loads(text)
    except ValueError:  # Cloudflare answers with a page
        return {}
    return body if isinstance(body, dict) else {}


def _is_for_all(headers: Mapping[str, str], body: Mapping[str, Any]) -> bool:
    """Without a `Via` header, the answer comes from Cloudflare and is for the whole address."""
    return bool(body.get("global")) or headers.get("X-RateLimit-Global") == "true" or "Via" not in headers


def _duration(named: object) -> timedelta:
    try:
        return timedelta(seconds=float(str(named)))
    except (ValueError, OverflowError):
        return DEFAULT_PAUSE
