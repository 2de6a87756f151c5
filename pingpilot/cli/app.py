"""All commands under one roof. Each is loaded when it is asked for: what they need takes 0.3 s."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, cast

import typer
from typer.core import TyperGroup

from pingpilot import __version__
from pingpilot.channels import load

COMMANDS: Mapping[str, tuple[str, str]] = {
    "run": ("daemon:run_command", "Run the daemon until SIGTERM or Ctrl-C."),
    "doctor": (
        "daemon:doctor_command",
        "Check settings, database, disk, tokens and mail server; exit code 1 where something needs you.",
    ),
    "daemons": (
        "daemons:daemons_command",
        "List the daemons of a PostgreSQL, who of them leads which bot, and since when.",
    ),
    "migrate": ("daemon:migrate_command", "Bring the database's schema up to date; `run` does so too."),
    "backup": ("daemon:backup_command", "Copy the SQLite database to FILE, also while a daemon is running."),
    "sandbox": (
        "daemon:sandbox_command",
        "Try PingPilot here and now: a daemon, stand-ins for all platforms, an account linked to both bots.",
    ),
    "send": (
        "sending:send_command",
        "Send one event; tries again while the daemon can't be reached, and never sends it twice.",
    ),
    "link-code": (
        "links:link_code_command",
        "Make a one-time code that links a Discord or Telegram chat, or a room, to an account.",
    ),
    "sign-in": (
        "sign_in:sign_in_command",
        "Make a one-time link that signs a browser in to an account's dashboard.",
    ),
    "invite": (
        "invitations:invite_command",
        "Make a link with which an address gets an account, good for 7 days, and mail it there.",
    ),
    "account": ("accounts:app", "Create, list and change accounts."),
    "key": ("keys:app", "Create, list, rotate and revoke API keys."),
    "category": ("categories:app", "Add, list, change and remove an account's categories."),
    "destination": ("destinations:app", "The places an account's events go to."),
    "deliveries": ("deliveries:app", "List deliveries and try failed ones again."),
}
"""Each command's or group's place in this package, and what it says of itself."""


class _Group(TyperGroup):
    """Commands that are shown with their whole sentences."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write what each command does."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, self.does(name)) for name in self.list_commands(ctx)])

    def does(self, name: str) -> str:
        """Return a command's sentence."""
        return self.commands[name].get_short_help_str(limit=1000)


class _Loading(Mapping[str, Any]):
    """The commands by name, each loaded when it is looked up."""

    def __getitem__(self, name: str) -> Any:
        place, _ = COMMANDS[name]
        command = load(f"{__package__}.{place}")
        alone = typer.Typer(add_completion=False, rich_markup_mode=None)
        if isinstance(command, typer.Typer):
            alone.add_typer(command, name=name, cls=_Group)
            return typer.main.get_group(alone).commands[name]
        alone.command(name)(command)
        return typer.main.get_command(alone)

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)


class _FirstWords(_Group):
    """All that may stand behind `pingpilot`; their names and sentences load none of them."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.commands = cast("Any", _Loading())

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names, in the order that help has."""
        return [*COMMANDS]

    def does(self, name: str) -> str:
        """Return a command's sentence."""
        return COMMANDS[name][1]


# Without rich, whose frames around help and errors take longer to load than all else that help needs
app = typer.Typer(
    name="pingpilot",
    cls=_FirstWords,
    help="POST an event, get it on Discord, Telegram and by e-mail.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
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
