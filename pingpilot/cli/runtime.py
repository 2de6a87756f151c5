"""What the commands share: settings, the database, output."""

import json
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar

import typer

from models.database import open_database
from pingpilot.config import Settings, load_settings
from pingpilot.errors import DatabaseUnavailable, PingPilotError
from pingpilot.loops import run
from pingpilot.storage.migrating import prepare_database

T = TypeVar("T")

_PATIENCE = 30.0  # seconds that a statement may take: a command may change many rows

ACCOUNT = typer.Option("--account", help="The account's e-mail address.", metavar="EMAIL")
AS_JSON = typer.Option("--json", help="Print JSON for programs.")


def with_database(work: Callable[[Settings], Awaitable[T]]) -> T:
    """Run `work` over the settings' database, migrated; a daemon may be running beside it.

    Raises `PingPilotError` with a sentence, also where the database fails.
    """
    settings = load_settings()

    async def in_database() -> T:
        await prepare_database(settings)
        try:
            async with open_database(settings.database, patience=_PATIENCE):
                return await work(settings)
        except DatabaseUnavailable as exc:
            raise PingPilotError(f"The database failed: {exc}.") from exc

    return run(in_database())


def print_json(value: Any) -> None:
    """Print a value as indented JSON."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))


def print_table(head: Sequence[str], rows: Sequence[Sequence[Any]], empty: str) -> None:
    """Print rows in aligned columns, or the sentence for none."""
    if not rows:
        typer.echo(empty)
        return
    texts = [[str(cell) for cell in row] for row in (head, *rows)]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    for row in texts:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        typer.echo("  ".join(cells).rstrip())


def day(instant: datetime | None) -> str:
    """Return an instant as people read it in a table, a dash for none."""
    return f"{instant:%Y-%m-%d %H:%M} UTC" if instant else "–"


def names_in(text: str) -> list[str]:
    """Return the names of an option such as `telegram,email`."""
    return [name.strip() for name in text.split(",") if name.strip()]
