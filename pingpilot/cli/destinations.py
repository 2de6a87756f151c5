"""`pingpilot destination …`."""

import asyncio
import time
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from models import OPEN_STATUSES, Account, Delivery, DeliveryStatus, Destination
from models.destination import obstacle_to
from pingpilot.accounts import destinations
from pingpilot.accounts.accounts import find_account
from pingpilot.channels import CHANNELS, EMAIL, AddressSource
from pingpilot.cli.channels import channel_text, check_configured
from pingpilot.cli.confirming import base_url_of, mail_sender
from pingpilot.cli.runtime import ACCOUNT, AS_JSON, print_json, print_table, with_database
from pingpilot.config import Settings
from pingpilot.delivery.confirming import add_and_ask, ask_mailbox
from pingpilot.delivery.trying import TRIED_WITHIN, obstacle_in_words
from pingpilot.errors import InvalidInput, PingPilotError
from pingpilot.events.deliveries import trouble_of
from pingpilot.events.notices import post_test

app = typer.Typer(help="The places an account's events go to.", no_args_is_help=True)

_LOOKS_EVERY = 0.2  # seconds
NAME = typer.Argument(metavar="NAME", help="1 to 32 of a-z, 0-9 and '-'.")


@app.command("list")
def list_command(account: Annotated[str, ACCOUNT], as_json: Annotated[bool, AS_JSON] = False) -> None:
    """List an account's destinations."""

    async def read(settings: Settings) -> tuple[list[Destination], Settings]:
        return await destinations.destinations_of(await find_account(account)), settings

    rows, settings = with_database(read)
    if as_json:
        print_json([_row(each) for each in rows])
        return
    print_table(
        ("NAME", "CHANNEL", "KIND", "STATE"),
        [(each.name, CHANNELS[each.channel].label, each.kind, channel_text(each, settings)) for each in rows],
        "No destinations.",
    )


@app.command("add")
def add_command(
    name: Annotated[str, NAME],
    account: Annotated[str, ACCOUNT],
    email: Annotated[str | None, typer.Option(metavar="ADDRESS", help="A further mailbox.")] = None,
    url: Annotated[str | None, typer.Option("--url", metavar="URL", help="A webhook.")] = None,
) -> None:
    """Add a mailbox, which has to confirm, or a webhook. Rooms: `pingpilot link-code --room NAME`."""
    given = {AddressSource.ACCOUNT_EMAIL: email, AddressSource.GIVEN: url}
    chosen = [(source, address) for source, address in given.items() if address is not None]
    if len(chosen) != 1:
        raise InvalidInput(
            "Say what is to be added, --email or --url. A room is linked from there: "
            f"`pingpilot link-code --account {account} --room {name}`."
        )
    [(source, address)] = chosen
    kind = next((each for each in CHANNELS.values() if each.address is source), None)
    if kind is None:
        raise InvalidInput("This PingPilot has no webhooks.")

    async def add(settings: Settings) -> destinations.NewDestination:
        async with AsyncExitStack() as stack:
            is_mailbox = kind is EMAIL
            sender = await stack.enter_async_context(mail_sender(settings)) if is_mailbox else None
            owner = await find_account(account)
            checked = settings.channels[kind.name].check_address(address)
            url, now = base_url_of(settings), datetime.now(UTC)
            return await add_and_ask(owner, name, kind, checked, sender=sender, base_url=url, now=now)

    new = with_database(add)
    if new.secret is None:
        typer.echo(f"A link was sent to {new.destination.title}: events go there once it is opened.")
        return
    typer.echo(f"Events go to '{name}' from now on. Secret: {new.secret}")
    typer.echo("Keep the secret, which each request is signed with: it is shown this once.")


@app.command("set")
def set_command(
    name: Annotated[str, NAME],
    account: Annotated[str, ACCOUNT],
    *,
    enabled: Annotated[bool | None, typer.Option("--on/--off", help="Switch it on or off.")] = None,
    quiet: Annotated[str | None, typer.Option(metavar="HH:MM-HH:MM", help="Quiet hours, or 'off'.")] = None,
    silently: Annotated[
        bool, typer.Option("--silently", help="In quiet hours, send without a sound.")
    ] = False,
    mention: Annotated[
        str | None, typer.Option(metavar="WHOM", help="In a Discord room: none, here, or a role's id.")
    ] = None,
) -> None:
    """Change a destination, all that is named or nothing; switching it on lifts a suspension."""
    change = destinations.DestinationChange(enabled, quiet, silently, mention)
    if change == destinations.DestinationChange():
        raise InvalidInput("Say what is to change: --on or --off, --quiet, --mention.")
    if silently and quiet is None:
        raise InvalidInput("--silently belongs to quiet hours: name them too, --quiet 22:00-07:00.")

    async def change_it(settings: Settings) -> tuple[Destination, Settings]:
        owner = await find_account(account)
        known = await destinations.find_destination(owner, name)
        if enabled:
            check_configured([known.channel], settings)
        return await destinations.change_destination(owner, name, change, datetime.now(UTC)), settings

    changed, settings = with_database(change_it)
    typer.echo(f"{name}: {channel_text(changed, settings)}")


@app.command("remove")
def remove_command(name: Annotated[str, NAME], account: Annotated[str, ACCOUNT]) -> None:
    """Remove a destination; what waits for it fails, and goes to its category's fallback."""

    async def remove(_settings: Settings) -> list[str]:
        return await destinations.remove_destination(await find_account(account), name, datetime.now(UTC))

    categories = with_database(remove)
    typer.echo(f"The destination '{name}' is removed.")
    for each in categories:
        command = f"pingpilot category set {each} --account {account} --channels …"
        typer.echo(f"The category '{each}' names it still: `{command}`.")


@app.command("test")
def test_command(name: Annotated[str, NAME], account: Annotated[str, ACCOUNT]) -> None:
    """Send a test notification and tell how it went. A mailbox that has to confirm gets its link again."""

    async def send(settings: Settings) -> str:
        owner = await find_account(account)
        destination = await destinations.find_destination(owner, name)
        check_configured([destination.channel], settings)
        if destination.is_unconfirmed:
            async with mail_sender(settings) as sender:
                url, now = base_url_of(settings), datetime.now(UTC)
                await ask_mailbox(owner, destination, sender=sender, base_url=url, now=now)
            return f"{destination.title} has not confirmed yet: the link was sent there once more."
        if obstacle_in_words(destination, linking=""):
            raise InvalidInput(f"Nothing can be sent to '{name}': {channel_text(destination, settings)}.")
        return await _tested(owner, destination)

    typer.echo(with_database(send))


async def _tested(account: Account, destination: Destination) -> str:
    """Queue a test notification and return how it went. Raises `PingPilotError` where it failed."""
    event_id = await post_test(destination, datetime.now(UTC))
    end = time.monotonic() + TRIED_WITHIN
    while True:
        delivery = await Delivery.get_or_none(event_id=event_id)
        if delivery is None:
            raise PingPilotError(f"The account {account.email} was deleted meanwhile.")
        if delivery.status not in OPEN_STATUSES:
            break
        if time.monotonic() >= end:
            trouble = await trouble_of(delivery)
            reason = f": {trouble}" if trouble else ", or no daemon runs."
            return f"The test notification to '{destination.name}' is on its way still{reason}"
        await asyncio.sleep(_LOOKS_EVERY)
    if delivery.status == DeliveryStatus.FAILED:
        raise PingPilotError(
            f"The test notification of {account.email} did not arrive at '{destination.name}': "
            f"{delivery.last_error}"
        )
    return f"The test notification arrived at '{destination.name}'."


@app.command("rotate-secret")
def rotate_secret_command(name: Annotated[str, NAME], account: Annotated[str, ACCOUNT]) -> None:
    """Give a webhook a new secret; the former one signs beside it for a day."""

    async def rotate(_settings: Settings) -> destinations.RotatedSecret:
        return await destinations.rotate_secret(await find_account(account), name, datetime.now(UTC))

    new = with_database(rotate)
    typer.echo(f"Secret: {new.secret}")
    typer.echo(
        f"Keep it: it is shown this once. The former one is good until {new.former_until:%Y-%m-%d %H:%M} UTC."
    )


def _row(row: Destination) -> dict[str, Any]:
    obstacle = obstacle_to(enabled=row.enabled, address=row.address, suspended_reason=row.suspended_reason)
    return {
        "name": row.name,
        "channel": row.channel,
        "kind": row.kind,
        "title": row.title,
        "address": row.address,
        "enabled": row.enabled,
        "linked": row.address is not None,
        "usable": obstacle is None,
        "suspendedReason": row.suspended_reason,
        "mention": row.mention,
    }
