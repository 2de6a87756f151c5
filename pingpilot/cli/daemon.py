"""`pingpilot run`, `pingpilot sandbox` and `pingpilot migrate`.

What is heavy is imported by the command that needs it: the platforms' libraries take half a second.
"""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from pingpilot.backup import back_up
from pingpilot.config import load_settings
from pingpilot.storage import migrate_database


def run_command() -> None:
    """Run the daemon until SIGTERM or Ctrl-C."""
    from pingpilot import daemon  # noqa: PLC0415  # heavy
    from pingpilot.logs import configure_logging  # noqa: PLC0415  # heavy

    settings = load_settings()
    configure_logging(level=settings.log_level, format_=settings.log_format, secrets=settings.secrets)
    daemon.run_loop(lambda: daemon.run(settings))


def sandbox_command() -> None:
    """Try PingPilot here and now: a daemon, stand-ins for all platforms, an account linked on both bots."""
    from pingpilot.cli.sandbox import run_sandbox  # noqa: PLC0415  # heavy
    from pingpilot.daemon import run_loop  # noqa: PLC0415  # heavy
    from pingpilot.logs import configure_logging  # noqa: PLC0415  # heavy

    settings = load_settings()
    level = settings.log_level if "log_level" in settings.model_fields_set else "WARNING"
    configure_logging(level=level, format_=settings.log_format, secrets=settings.secrets)
    run_loop(lambda: run_sandbox(settings))


def migrate_command() -> None:
    """Bring the database's schema up to date; `run` does so too."""
    asyncio.run(migrate_database(load_settings()))
    typer.echo("The database is up to date.")


def backup_command(file: Annotated[Path, typer.Argument(metavar="FILE")]) -> None:
    """Copy the SQLite database to FILE, also while a daemon is running."""
    back_up(load_settings().database, file)
    typer.echo(f"The backup is in {file}.")
