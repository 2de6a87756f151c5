"""`pingpilot send`: posts one event, patiently."""

import asyncio
import json
import random
from typing import Annotated, Any
from uuid import uuid4

import aiohttp
import typer

from pingpilot.errors import InvalidInput, PingPilotError

ATTEMPTS = 5
_BASE_DELAY, _LONGEST_DELAY = 0.5, 30.0  # seconds
_TIMEOUT = aiohttp.ClientTimeout(total=30)
_TRY_AGAIN = {"processing_failed", "shutting_down", "too_many_requests"}


def send_command(
    category: str,
    description: Annotated[str, typer.Option("-d", "--description", help="What happened.")] = "",
    fields: Annotated[
        list[str] | None, typer.Option("-f", "--field", metavar="KEY=VALUE", help="Repeat for more.")
    ] = None,
    url: Annotated[
        str, typer.Option(envvar="PINGPILOT_URL", help="The daemon's address.")
    ] = "http://127.0.0.1:8080",
    key: Annotated[str, typer.Option(envvar="PINGPILOT_API_KEY", help="The API key.")] = "",
) -> None:
    """Send one event; tries again while the daemon can't be reached, and never sends it twice."""
    if not key:
        raise InvalidInput("There is no API key: pass --key or set PINGPILOT_API_KEY.")
    body: dict[str, Any] = {"category": category, "fields": dict(_field(text) for text in fields or [])}
    if description:
        body["description"] = description
    typer.echo(asyncio.run(_send(f"{url.rstrip('/')}/api/v1/event", key, body)))


def _field(text: str) -> tuple[str, Any]:
    """Return name and value of `KEY=VALUE`: numbers and booleans as such, anything else as text."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise InvalidInput(f"'{text}' is not a field: write it as KEY=VALUE, such as amount=99.99.")
    try:
        parsed = json.loads(value, parse_constant=str)
    except ValueError:
        return name, value
    return name, parsed if isinstance(parsed, int | float) else value


async def _send(url: str, key: str, body: dict[str, Any]) -> str:
    """Return the event's id. One idempotency key over all tries makes them safe."""
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
            except (aiohttp.ClientError, OSError) as exc:
                problem = f"{url} can't be reached: {exc}"
                continue
            if response.ok:
                return str(answer["eventId"])
            problem = str(answer.get("message", f"{url} answered {response.status}."))
            if answer.get("code") not in _TRY_AGAIN:
                break
    raise PingPilotError(problem)


async def _answer(response: aiohttp.ClientResponse) -> dict[str, Any]:
    try:
        answer = await response.json(content_type=None)
    except ValueError:
        answer = None
    if isinstance(answer, dict) and (not response.ok or "eventId" in answer):
        return answer
    raise PingPilotError(f"{response.url} is not a PingPilot: check --url.")
