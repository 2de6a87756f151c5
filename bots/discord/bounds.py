"""What holds for each request to Discord: a bound for its answer, which discord.py reads whole, and a last
look at whether this daemon may still ask.
"""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import aiohttp

from pingpilot.delivery.pacing import at_the_last_moment
from pingpilot.errors import NotLeading

LONGEST_ANSWER = 16 * 1024 * 1024
"""Bytes of an answer; Discord's longest are some thousand."""
_LOOK_EVERY = 0.02  # seconds


def bound_answers(trace: aiohttp.TraceConfig) -> aiohttp.TraceConfig:
    """Make a client's trace close the connection of an answer that grows beyond all measure; return it.

    Reading it fails then as if the connection had broken.
    """

    async def bound(
        _session: aiohttp.ClientSession, _context: SimpleNamespace, params: aiohttp.TraceRequestEndParams
    ) -> None:
        response, loop = params.response, asyncio.get_running_loop()
        if (response.content_length or 0) > LONGEST_ANSWER:
            response.close()
            raise aiohttp.ClientPayloadError(f"The answer is over {LONGEST_ANSWER:,} bytes.")

        def look() -> None:
            if response.closed or response.content.is_eof():
                return
            if response.content.total_bytes > LONGEST_ANSWER:
                response.close()
            else:
                loop.call_later(_LOOK_EVERY, look)

        look()

    trace.on_request_end.append(bound)
    return trace


def guard_requests(trace: aiohttp.TraceConfig, may_act: Callable[[], bool]) -> aiohttp.TraceConfig:
    """Make a client's trace raise `NotLeading` for what is to be sent once `may_act` says no; return it.

    It looks before a connection is waited for, and before each part that is written: discord.py may have
    slept in between, or the whole process. So a message takes its turn anew, where that is long past. What
    stops a body comes out of aiohttp as the cause of a `ClientError`.
    """

    async def wait(*_traced: Any) -> None:
        await at_the_last_moment()

    async def look(_session: aiohttp.ClientSession, _context: SimpleNamespace, _params: Any) -> None:
        if not may_act():
            raise NotLeading

    trace.on_request_start.append(look)
    trace.on_request_headers_sent.append(wait)
    trace.on_request_headers_sent.append(look)
    trace.on_request_chunk_sent.append(look)
    return trace
