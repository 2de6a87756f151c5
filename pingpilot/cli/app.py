"""All commands under one roof."""

import typer

from pingpilot.cli import accounts, categories, daemon, deliveries, keys, links, sending

app = typer.Typer(
    name="pingpilot",
    help="POST an event, get it on Discord, Telegram and by e-mail.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("run")(daemon.run_command)
app.command("doctor")(daemon.doctor_command)
app.command("migrate")(daemon.migrate_command)
app.command("backup")(daemon.backup_command)
app.command("sandbox")(daemon.sandbox_command)
app.command("send")(sending.send_command)
app.command("link-code")(links.link_code_command)
app.add_typer(accounts.app, name="account")
app.add_typer(keys.app, name="key")
app.add_typer(categories.app, name="category")
app.add_typer(deliveries.app, name="deliveries")
