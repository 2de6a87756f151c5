"""`pingpilot run` and `pingpilot migrate`."""

import asyncio

import typer

from pingpilot.config import load_settings
from pingpilot.logs import configure_logging


def run_command() -> None:
    """Run the daemon until SIGTERM or Ctrl-C."""
    from pingpilot import daemon  # noqa: PLC0415  # heavy: brings in both platforms

    settings = load_settings()
    configure_logging(level=settings.log_level, format_=settings.log_format, secrets=settings.secrets)
    daemon.run_loop(lambda: daemon.run(settings))


def migrate_command() -> None:
    """Bring the database's schema up to date; `run` does so too."""
    from pingpilot.daemon import prepare_database  # noqa: PLC0415  # heavy: brings in both platforms

    asyncio.run(prepare_database(load_settings()))
    typer.echo("The database is up to date.")
