"""All commands under one roof."""

from typing import Annotated

import typer

from pingpilot import __version__
from pingpilot.cli import (
    accounts,
    categories,
    daemon,
    deliveries,
    destinations,
    invitations,
    keys,
    links,
    sending,
    sign_in,
)

app = typer.Typer(
    name="pingpilot",
    help="POST an event, get it on Discord, Telegram and by e-mail.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _show_version(*, wanted: bool) -> None:
    if wanted:
        typer.echo(f"pingpilot {__version__}")
        raise typer.Exit


@app.callback()
def options(
    _version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=lambda value: _show_version(wanted=value),
            is_eager=True,
            help="Show the version.",
        ),
    ] = False,
) -> None:
    """Take what stands before a command."""


app.command("run")(daemon.run_command)
app.command("doctor")(daemon.doctor_command)
app.command("migrate")(daemon.migrate_command)
app.command("backup")(daemon.backup_command)
app.command("sandbox")(daemon.sandbox_command)
app.command("send")(sending.send_command)
app.command("link-code")(links.link_code_command)
app.command("sign-in")(sign_in.sign_in_command)
app.command("invite")(invitations.invite_command)
app.add_typer(accounts.app, name="account")
accounts.app.command("invitations")(invitations.invitations_command)
accounts.app.command("uninvite")(invitations.uninvite_command)
app.add_typer(keys.app, name="key")
app.add_typer(categories.app, name="category")
app.add_typer(destinations.app, name="destination")
app.add_typer(deliveries.app, name="deliveries")
