"""`pingpilot category …`."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from pingpilot import categories
from pingpilot.accounts import find_account
from pingpilot.category_reports import CategoryReport, report_categories
from pingpilot.cli.runtime import ACCOUNT, AS_JSON, day, print_json, print_table, with_database
from pingpilot.config import Settings

app = typer.Typer(help="Add, list and remove an account's categories.", no_args_is_help=True)

NAME = typer.Argument(metavar="NAME", help="1 to 64 of a-z, 0-9 and '-'.")


@app.command("add")
def add_command(
    name: Annotated[str, NAME],
    account: Annotated[str, ACCOUNT],
    color: Annotated[str, typer.Option(help="'#' and six hexadecimal digits, such as '#ff6b6b'.")],
    urgent: Annotated[bool, typer.Option("--urgent", help="Its events pass quiet hours.")] = False,
    emoji: Annotated[str | None, typer.Option(help="One emoji.")] = None,
) -> None:
    """Add a category."""

    async def add(_settings: Settings) -> None:
        owner = await find_account(account)
        await categories.add_category(owner, name, color=color, emoji=emoji, now=datetime.now(UTC))
        if urgent:
            await categories.set_urgent(owner, name, urgent=True)

    with_database(add)
    typer.echo(f"The category '{name}' is added.")


@app.command("list")
def list_command(account: Annotated[str, ACCOUNT], as_json: Annotated[bool, AS_JSON] = False) -> None:
    """List an account's categories with this month's counts."""

    async def read(_settings: Settings) -> list[CategoryReport]:
        return await report_categories(await find_account(account), datetime.now(UTC))

    rows = with_database(read)
    if as_json:
        print_json([_row(each) for each in rows])
        return
    print_table(
        ("NAME", "COLOR", "EMOJI", "THIS MONTH", "LAST EVENT"),
        [
            (each.name, each.color, each.emoji or "–", each.events_this_month, day(each.last_event_at))
            for each in rows
        ],
        "No categories yet: add one with `pingpilot category add`.",
    )


@app.command("set")
def set_command(
    name: Annotated[str, NAME],
    account: Annotated[str, ACCOUNT],
    urgent: Annotated[
        bool, typer.Option("--urgent/--not-urgent", help="Whether its events pass quiet hours.")
    ],
) -> None:
    """Change a category."""

    async def change(_settings: Settings) -> None:
        await categories.set_urgent(await find_account(account), name, urgent=urgent)

    with_database(change)
    typer.echo(f"The category '{name}' {'passes' if urgent else 'keeps'} quiet hours.")


@app.command("remove")
def remove_command(name: Annotated[str, NAME], account: Annotated[str, ACCOUNT]) -> None:
    """Remove a category; its events stay, under its name."""

    async def remove(_settings: Settings) -> None:
        await categories.remove_category(await find_account(account), name)

    with_database(remove)
    typer.echo(f"The category '{name}' is removed.")


def _row(report: CategoryReport) -> dict[str, object]:
    return {
        "name": report.name,
        "color": report.color,
        "emoji": report.emoji,
        "eventsThisMonth": report.events_this_month,
        "lastEventAt": report.last_event_at and report.last_event_at.isoformat(),
    }
