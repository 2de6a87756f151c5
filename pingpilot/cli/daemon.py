"""`pingpilot run`, `sandbox`, `doctor`, `migrate` and `backup`.

What is heavy is imported by the command that needs it: the platforms' libraries take half a second.
"""

from pathlib import Path
from typing import Annotated

import typer

from pingpilot.cli.runtime import AS_JSON
from pingpilot.config import load_settings
from pingpilot.loops import run, run_on_uvloop
from pingpilot.storage.backup import back_up
from pingpilot.storage.migrating import prepare_database


def run_command() -> None:
    """Run the daemon until SIGTERM or Ctrl-C."""
    from pingpilot.daemon import daemon  # noqa: PLC0415  # heavy
    from pingpilot.telemetry.logs import configure_logging  # noqa: PLC0415  # heavy

    settings = load_settings()
    configure_logging(level=settings.log_level, format_=settings.log_format, secrets=settings.secrets)
    run_on_uvloop(daemon.run(settings))


def sandbox_command() -> None:
    """Try PingPilot here and now: a daemon, stand-ins for all platforms, an account linked to both bots."""
    from pingpilot.cli.sandbox import run_sandbox  # noqa: PLC0415  # heavy
    from pingpilot.telemetry.logs import configure_logging  # noqa: PLC0415  # heavy

    settings = load_settings()
    level = settings.log_level if "log_level" in settings.model_fields_set else "WARNING"
    configure_logging(level=level, format_=settings.log_format, secrets=settings.secrets)
    run_on_uvloop(run_sandbox(settings))


def doctor_command(as_json: Annotated[bool, AS_JSON] = False) -> None:
    """Check settings, database, disk, tokens and mail server; exit code 1 where something needs you."""
    from pingpilot.cli.doctor import report  # noqa: PLC0415  # heavy

    if not run(report(as_json=as_json)):
        raise typer.Exit(1)


def migrate_command() -> None:
    """Bring the database's schema up to date; `run` does so too."""
    run(prepare_database(load_settings()))
    typer.echo("The database is up to date.")


def backup_command(file: Annotated[Path, typer.Argument(metavar="FILE")]) -> None:
    """Copy the SQLite database to FILE, also while a daemon is running."""
    back_up(load_settings().database, file)
    typer.echo(f"The backup is in {file}.")
