"""`pingpilot send`."""

import json
import logging
import math
import sys
from typing import Annotated

import typer

from pingpilot.client import Client, ClientError, NotAPingPilot, NotConfigured
from pingpilot.errors import InvalidInput, PingPilotError

TRIES_LOGGER = "pingpilot.client.tries"
_GIVE_UP_AFTER = 60.0  # seconds: a daemon that is being restarted or moved is back by then
_MOST_READ = 16 * 1024  # bytes of standard input: always more than the 4,000 characters of a description


def send_command(
    category: Annotated[str, typer.Argument(metavar="CATEGORY", help="One of the account's.")],
    description: Annotated[
        str, typer.Option("-d", "--description", help="What happened; - reads standard input.")
    ] = "",
    *,
    title: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Shown in place of the category's name.")
    ] = None,
    link: Annotated[str | None, typer.Option(metavar="URL", help="Where the title leads.")] = None,
    fields: Annotated[
        list[str] | None, typer.Option("-f", "--field", metavar="KEY=VALUE", help="Repeat for more.")
    ] = None,
    url: Annotated[
        str, typer.Option(envvar="PINGPILOT_URL", help="The daemon's address.")
    ] = "http://127.0.0.1:8080",
    key: Annotated[str, typer.Option(envvar="PINGPILOT_API_KEY", help="The API key.")] = "",
) -> None:
    """Send one event; tries again while the daemon can't be reached, and never sends it twice."""
    if not key.strip():
        raise InvalidInput("There is no API key: pass --key or set PINGPILOT_API_KEY.")
    values = dict(_field(text) for text in fields or [])
    if description == "-":
        if sys.stdin is None:
            raise InvalidInput("-d - reads standard input, and that is closed: pipe a text into it.")
        piped = sys.stdin.buffer.read(_MOST_READ)
        description = piped.decode("utf-8-sig", errors="replace").removesuffix("\n")
    tries = logging.getLogger(TRIES_LOGGER)
    tries.setLevel(logging.INFO)
    tries.addHandler(_TellsFirst())
    try:
        with Client(url, key, give_up_after=_GIVE_UP_AFTER) as client:
            sent = client.send(category, description, title=title, url=link, fields=values)
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


class _TellsFirst(logging.Handler):
    """Says of the first try that failed why, so that nobody waits in the dark, and nothing of the others."""

    _told = False

    def emit(self, record: logging.LogRecord) -> None:
        if not self._told:
            self._told = True
            reason = record.args[-1] if isinstance(record.args, tuple) else record.getMessage()
            typer.echo(f"{reason} Trying again for {_GIVE_UP_AFTER:.0f} s; Ctrl-C ends it.", err=True)


def _field(text: str) -> tuple[str, str | int | float | bool]:
    """Return name and value of `KEY=VALUE`: numbers and booleans as such where they are shown as they are
    written here, anything else as text. So the version `3.10` and the id `1e5` stay what they are.
    """
    from pingpilot.delivery.channel import field_text  # noqa: PLC0415  # brings in the database's models

    name, equals, value = text.partition("=")
    if not equals or not name:
        raise InvalidInput(f"'{text}' is not a field: write it as KEY=VALUE, such as amount=99.99.")
    try:
        parsed = json.loads(value, parse_constant=str)
    except ValueError:
        return name, value
    is_number = isinstance(parsed, int) or (isinstance(parsed, float) and math.isfinite(parsed))
    return name, parsed if is_number and field_text(parsed) == value else value
