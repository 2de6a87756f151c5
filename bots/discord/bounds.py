"""A bound for Discord's answers, which discord.py reads whole."""

import asyncio
from types import SimpleNamespace

import aiohttp

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
