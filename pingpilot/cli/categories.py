"""`pingpilot category …`."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from pingpilot.accounts import categories
from pingpilot.accounts.accounts import find_account
from pingpilot.accounts.categories import CategoryReport, report_categories, report_category
from pingpilot.accounts.destinations import ALL, NONE, label_of
from pingpilot.cli.runtime import ACCOUNT, AS_JSON, day, names_in, print_json, print_table, with_database
from pingpilot.config import Settings
from pingpilot.errors import InvalidInput

app = typer.Typer(help="Add, list, change and remove an account's categories.", no_args_is_help=True)

NAME = typer.Argument(metavar="NAME", help="1 to 64 of a-z, 0-9 and '-'.")
ROUTED_TO = typer.Option(
    "--channels",
    metavar="NAME,NAME",
    help=f"The destinations its events go to, of those switched on; '{ALL}' for all of them.",
)
FALLBACK = typer.Option(
    metavar="NAME",
    help=f"The destination used only where another one fails for good; '{NONE}' for none.",
)


@app.command("add")
def add_command(
    name: Annotated[str, NAME],
    account: Annotated[str, ACCOUNT],
    color: Annotated[str, typer.Option(help="'#' and six hexadecimal digits, such as '#ff6b6b'.")],
    *,
    urgent: Annotated[bool, typer.Option("--urgent", help="Its events pass quiet hours.")] = False,
    emoji: Annotated[str | None, typer.Option(help="One emoji.")] = None,
    channels: Annotated[str | None, ROUTED_TO] = None,
    fallback: Annotated[str | None, FALLBACK] = None,
) -> None:
    """Add a category."""
    route = _route(channels, fallback)
    looks: categories.CategoryChanges = {"color": color, "emoji": emoji, "urgent": urgent, **route}

    async def add(_settings: Settings) -> CategoryReport:
        owner, now = await find_account(account), datetime.now(UTC)
        await categories.create_category(owner, name, looks, now)
        return await report_category(owner, name, now)

    added = with_database(add)
    typer.echo(f"The category '{name}' is added.")
    if route:
        typer.echo(_route_text(added))


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
        ("NAME", "COLOR", "EMOJI", "CHANNELS", "FALLBACK", "THIS MONTH", "LAST EVENT"),
        [
            (
                each.name,
                each.color,
                each.emoji or "–",
                ALL if each.channels is None else ",".join(each.channels),
                each.fallback or "–",
                each.events_this_month,
                day(each.last_event_at),
            )
            for each in rows
        ],
        "No categories yet: add one with `pingpilot category add`.",
    )


@app.command("set")
def set_command(
    name: Annotated[str, NAME],
    account: Annotated[str, ACCOUNT],
    *,
    urgent: Annotated[
        bool | None, typer.Option("--urgent/--not-urgent", help="Whether its events pass quiet hours.")
    ] = None,
    channels: Annotated[str | None, ROUTED_TO] = None,
    fallback: Annotated[str | None, FALLBACK] = None,
) -> None:
    """Change a category, all that is named or nothing."""
    route = _route(channels, fallback)
    changes: categories.CategoryChanges = {**route} if urgent is None else {**route, "urgent": urgent}
    if not changes:
        raise InvalidInput("Say what is to change: --urgent or --not-urgent, --channels, --fallback.")

    async def change(_settings: Settings) -> CategoryReport:
        owner = await find_account(account)
        await categories.change_category(owner, name, changes)
        return await report_category(owner, name, datetime.now(UTC))

    changed = with_database(change)
    if urgent is not None:
        typer.echo(f"The category '{name}' {'passes' if urgent else 'keeps'} quiet hours.")
    if route:
        typer.echo(_route_text(changed))


@app.command("remove")
def remove_command(name: Annotated[str, NAME], account: Annotated[str, ACCOUNT]) -> None:
    """Remove a category; its events stay, under its name."""

    async def remove(_settings: Settings) -> None:
        await categories.remove_category(await find_account(account), name)

    with_database(remove)
    typer.echo(f"The category '{name}' is removed.")


def _route(channels: str | None, fallback: str | None) -> categories.CategoryChanges:
    """Return what the two options change; one that is not given changes nothing."""
    route: categories.CategoryChanges = {}
    if channels is not None:
        route["channels"] = None if channels.strip() == ALL else names_in(channels)
        if route["channels"] == []:
            raise InvalidInput(
                f"Name the destinations, such as telegram,email, or '{ALL}' for all that are on."
            )
    if fallback is not None:
        route["fallback"] = None if fallback.strip() == NONE else fallback.strip()
        if not fallback.strip():
            raise InvalidInput(f"Name the destination to fall back to, or '{NONE}'.")
    return route


def _route_text(category: CategoryReport) -> str:
    """Return where its events go; a fallback among its channels is the fallback alone."""
    reserve = label_of(category.fallback) if category.fallback else None
    named = [label_of(name) for name in category.channels or () if name != category.fallback]
    first = " and ".join(named)
    if category.channels is None:
        first = f"all {'other ' if reserve else ''}destinations that are switched on"
    if first and reserve:
        first += f", and to {reserve} where that fails"
    return f"The category '{category.name}' goes to {first or reserve}."


def _row(report: CategoryReport) -> dict[str, object]:
    return {
        "name": report.name,
        "color": report.color,
        "emoji": report.emoji,
        "urgent": report.urgent,
        "channels": report.channels and list(report.channels),
        "fallback": report.fallback,
        "eventsThisMonth": report.events_this_month,
        "lastEventAt": report.last_event_at and report.last_event_at.isoformat(),
    }
