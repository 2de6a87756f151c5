"""`pingpilot send`."""

import json
import math
from typing import Annotated, Any

import typer

from pingpilot.errors import InvalidInput, PingPilotError

_GIVE_UP_AFTER = 60.0  # seconds: a daemon that is being restarted or moved is back by then


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
    # brings in httpx, which no other command needs
    from pingpilot.client import Client, ClientError, NotAPingPilot, NotConfigured  # noqa: PLC0415

    if not key.strip():
        raise InvalidInput("There is no API key: pass --key or set PINGPILOT_API_KEY.")
    values = dict(_field(text) for text in fields or [])
    try:
        with Client(url, key, give_up_after=_GIVE_UP_AFTER) as client:
            sent = client.send(category, description, fields=values)
        typer.echo(sent.event_id)
        if sent.warning:
            typer.echo(f"Warning: {sent.warning}", err=True)
    except NotConfigured as exc:
        option = "--url" if exc.variable == "PINGPILOT_URL" else "--key"
        raise InvalidInput(f"{exc.problem}: check {option}.") from exc
    except NotAPingPilot as exc:
        raise PingPilotError(f"{url} is not a PingPilot: check --url.") from exc
    except ClientError as exc:
        raise PingPilotError(str(exc)) from exc


def _field(text: str) -> tuple[str, Any]:
    """Return name and value of `KEY=VALUE`: numbers and booleans as such, anything else as text."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise InvalidInput(f"'{text}' is not a field: write it as KEY=VALUE, such as amount=99.99.")
    try:
        parsed = json.loads(value, parse_constant=str)
    except ValueError:
        return name, value
    is_number = isinstance(parsed, int) or (isinstance(parsed, float) and math.isfinite(parsed))
    return name, parsed if is_number else value
