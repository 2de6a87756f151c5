"""`pingpilot account export` and `pingpilot account delete`."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, TextIO

import typer

from models import Account
from pingpilot.accounts import accounts
from pingpilot.accounts.exporting import export_account
from pingpilot.cli.accounts import EMAIL
from pingpilot.cli.runtime import with_database
from pingpilot.config import Settings
from pingpilot.errors import InvalidInput


def export_command(
    email: Annotated[str, EMAIL],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="Write there, readable by you alone."),
    ] = None,
) -> None:
    """Print all that is stored of an account as JSON, without its secrets."""

    async def export(_settings: Settings) -> None:
        account = await accounts.find_account(email)
        with _opened(output) as file:
            async for text in export_account(account):
                file.write(text)

    with_database(export)


@contextmanager
def _opened(output: Path | None) -> Iterator[TextIO]:
    """Open a new file for its owner alone, or standard output. Raises `InvalidInput` for a bad file."""
    if output is None:
        yield sys.stdout
        return
    try:
        descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as exc:
        raise InvalidInput(f"{output} can't be written: {exc.strerror}. Name a new file.") from exc
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        yield file


def delete_command(
    email: Annotated[str, EMAIL],
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing.")] = False,
) -> None:
    """Delete an account with all its events, keys and links, for ever."""

    async def delete(_settings: Settings) -> tuple[str, int]:
        account = await accounts.find_account(email)
        if not yes:
            _confirm(account)
        return account.email, await accounts.delete_account(account, datetime.now(UTC))

    address, events = with_database(delete)
    typer.echo(f"{address} is deleted, with {events:,} events.")


def _confirm(account: Account) -> None:
    typed: str = typer.prompt(f"This deletes {account.email} for ever. Type its address to go on")
    if typed.strip().lower() != account.email:
        raise InvalidInput("That is another address: nothing was deleted.")
