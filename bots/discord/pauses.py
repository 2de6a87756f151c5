"""Pauses that Discord asks for and discord.py does not keep as we need them."""

import json
from datetime import timedelta
from http import HTTPStatus
from types import SimpleNamespace

import aiohttp

from pingpilot.errors import RateLimited

DEFAULT_PAUSE = timedelta(seconds=5)
"""For a rate limit that names no time."""


def watch_for_pauses(trace: aiohttp.TraceConfig) -> aiohttp.TraceConfig:
    """Make a client of discord.py raise our `RateLimited` where it must not wait by itself; return its trace.

    For a pause of the whole bot it would let the send wait, and for ever those after it, should that one be
    cancelled meanwhile; for a pause without a time it raises `KeyError`. A conversation's own is left to it.
    """

    async def raise_pause(
        _session: aiohttp.ClientSession, _context: SimpleNamespace, params: aiohttp.TraceRequestEndParams
    ) -> None:
        response = params.response
        if response.status != HTTPStatus.TOO_MANY_REQUESTS:
            return
        try:
            body = json.loads(await response.text())
        except ValueError:  # Cloudflare answers with a page
            body = None
        if not isinstance(body, dict):
            body = {}
        whole_channel = (
            bool(body.get("global"))
            or response.headers.get("X-RateLimit-Global") == "true"
            or "Via" not in response.headers  # then it is Cloudflare's, and for the whole address
        )
        if whole_channel or "retry_after" not in body:
            seconds = body.get("retry_after", response.headers.get("Retry-After"))
            try:
                wait = timedelta(seconds=float(str(seconds)))
            except (ValueError, OverflowError):
                wait = DEFAULT_PAUSE
            raise RateLimited("Discord asks for a pause.", retry_after=wait, whole_channel=whole_channel)

    trace.on_request_end.append(raise_pause)
    return trace
