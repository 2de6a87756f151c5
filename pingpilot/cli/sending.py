"""`pingpilot send`."""

import asyncio
import json
import math
from typing import Annotated, Any

import typer

from pingpilot.errors import InvalidInput


def send_command(
    category: Annotated[str, typer.Argument(metavar="CATEGORY", help="One of the account's.")],
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
    from pingpilot.cli.posting import post  # noqa: PLC0415  # heavy: brings in aiohttp

    if not key:
        raise InvalidInput("There is no API key: pass --key or set PINGPILOT_API_KEY.")
    body: dict[str, Any] = {"category": category, "fields": dict(_field(text) for text in fields or [])}
    if description:
        body["description"] = description
    typer.echo(asyncio.run(post(f"{url.rstrip('/')}/api/v1/event", key, body)))


def _field(text: str) -> tuple[str, Any]:
    """Return name and value of `KEY=VALUE`: numbers and booleans as such, anything else as text."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise InvalidInput(f"'{text}' is not a field: write it as KEY=VALUE, such as amount=99.99.")
    try:
        parsed = json.loads(value, parse_constant=str)
    except ValueError:
        return name, value
    is_number = isinstance(parsed, int | float) and math.isfinite(parsed)
    return name, parsed if is_number else value
