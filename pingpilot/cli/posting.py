"""Posting one event, patiently."""

import asyncio
import random
from typing import Any
from uuid import uuid4

import aiohttp

from pingpilot.errors import InvalidInput, PingPilotError

ATTEMPTS = 5
_BASE_DELAY, _LONGEST_DELAY = 0.5, 30.0  # seconds
_TIMEOUT = aiohttp.ClientTimeout(total=30)
_TRY_AGAIN = {"processing_failed", "shutting_down", "too_many_requests"}
_OF_A_PROXY = {502, 503, 504}  # while the daemon behind it is away


async def post(url: str, key: str, body: dict[str, Any]) -> str:
    """Return the event's id; tries again while the daemon can't be reached or take it.

    One idempotency key over all tries makes them safe. Raises `PingPilotError` with the last problem.
    """
    headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": uuid4().hex}
    delay, problem = _BASE_DELAY, ""
    async with aiohttp.ClientSession(headers=headers, timeout=_TIMEOUT) as session:
        for attempt in range(ATTEMPTS):
            if attempt:
                await asyncio.sleep(delay * random.uniform(0.8, 1.2))  # noqa: S311  # spreads load
                delay = min(delay * 3, _LONGEST_DELAY)
            try:
                async with session.post(url, json=body) as response:
                    answer = await _answer(response)
            except aiohttp.InvalidURL:
                raise InvalidInput(f"'{url}' is no address: check --url.") from None
            except (aiohttp.ClientError, OSError) as exc:
                problem = f"{url} can't be reached: {str(exc) or type(exc).__name__}"
                continue
            if response.ok:
                return str(answer["eventId"])
            problem = str(answer.get("message", f"{url} answered {response.status}."))
            if answer.get("code") not in _TRY_AGAIN and response.status not in _OF_A_PROXY:
                break
    raise PingPilotError(problem)


async def _answer(response: aiohttp.ClientResponse) -> dict[str, Any]:
    try:
        answer = await response.json(content_type=None)
    except ValueError:
        answer = {} if response.status in _OF_A_PROXY else None
    if isinstance(answer, dict) and (not response.ok or "eventId" in answer):
        return answer
    raise PingPilotError(f"{response.url} is not a PingPilot: check --url.")
