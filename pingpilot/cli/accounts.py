"""`pingpilot account …`."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer

from models import Account, Destination, Plan
from pingpilot.accounts import accounts
from pingpilot.accounts.deleting import delete_account
from pingpilot.accounts.destinations import destinations_of
from pingpilot.accounts.exporting import export_account
from pingpilot.accounts.preferences import AccountChange, change_account
from pingpilot.accounts.quota import PlanLimits, Quota, quota_of
from pingpilot.channels import CHANNELS
from pingpilot.cli.channels import (
    channel_changes,
    channel_lines,
    check_configured,
    link_hint,
    print_warning,
    warning_for,
)
from pingpilot.cli.confirming import base_url_of, mail_sender
from pingpilot.cli.invitations import invitations_command, uninvite_command
from pingpilot.cli.runtime import AS_JSON, day, names_in, print_json, print_table, with_database
from pingpilot.config import Settings
from pingpilot.delivery.confirming import ask_new_address
from pingpilot.errors import InvalidInput

app = typer.Typer(help="Create, list and change accounts.", no_args_is_help=True)

EMAIL = typer.Argument(metavar="EMAIL")
MONTHLY = typer.Option("--monthly-events", min=0, help="A limit of its own instead of the plan's.")
NO_OPERATOR = "No operator is left: make one with `pingpilot account set EMAIL --operator`."
CHANNEL_NAMES = typer.Option(
    metavar="NAME,NAME", help="Channels to switch on, '' for none. [default: those the daemon has]"
)


@app.command("create")
def create_command(
    email: Annotated[str, EMAIL],
    *,
    plan: Annotated[
        Plan | None, typer.Option(help="Its monthly quota. [default: PINGPILOT_DEFAULT_PLAN, which is free]")
    ] = None,
    monthly_events: Annotated[int | None, MONTHLY] = None,
    channels: Annotated[str | None, CHANNEL_NAMES] = None,
    operator: Annotated[
        bool,
        typer.Option("--operator", help="It looks after the server in the dashboard, as the first one does."),
    ] = False,
    as_json: Annotated[bool, AS_JSON] = False,
) -> None:
    """Create an account with an API key and three starter categories."""

    async def create(settings: Settings) -> tuple[accounts.NewAccount, list[str], str | None]:
        chosen, undecided = settings.direct_channels, set[str]()
        if channels is not None:
            chosen = names_in(channels)
            check_configured(chosen, settings)
        else:
            undecided = {*CHANNELS} - {*chosen}
        new = await accounts.create_account(
            email,
            plan=plan or Plan(settings.default_plan),
            monthly_events=monthly_events,
            channels=chosen,
            now=datetime.now(UTC),
            undecided=undecided,
            is_operator=operator,
        )
        own = await destinations_of(new.account)
        lines = [*channel_lines(own, settings), *link_hint(new.account, own)]
        return new, lines, warning_for(new.account, own, settings)

    new, lines, warning = with_database(create)
    if as_json:
        print_json({**_identity(new.account), "apiKey": new.api_key, "warning": warning})
        return
    typer.echo(f"Account {new.account.email} ({new.account.plan} plan) is ready.")
    typer.echo(f"API key: {new.api_key}")
    link = f"`pingpilot link-code --account {new.account.email}`"
    typer.echo(f"Keep the key: it is shown this once. Link chats with {link}.")
    if new.account.is_operator:
        typer.echo("It is an operator: /operator in the dashboard shows how the server is.")
    for line in lines:
        typer.echo(line)
    print_warning(warning)


@app.command("list")
def list_command(as_json: Annotated[bool, AS_JSON] = False) -> None:
    """List all accounts with this month's quota."""

    async def read(settings: Settings) -> list[tuple[Account, Quota]]:
        found = await Account.all().order_by("email")
        return [(account, await _quota(account, settings)) for account in found]

    rows = with_database(read)
    if as_json:
        print_json([{**_identity(account), **_standing(account), **_usage(quota)} for account, quota in rows])
        return
    print_table(
        ("EMAIL", "PLAN", "USED", "LIMIT", "CREATED", ""),
        [
            (
                each.email,
                each.plan,
                quota.used,
                _limit_text(quota),
                day(each.created_at),
                _standing_text(each),
            )
            for each, quota in rows
        ],
        "No accounts yet: make one with `pingpilot account create EMAIL`.",
    )


@app.command("show")
def show_command(email: Annotated[str, EMAIL], as_json: Annotated[bool, AS_JSON] = False) -> None:
    """Show one account: plan, quota and channels."""

    async def read(settings: Settings) -> tuple[Account, Quota, list[Destination], Settings]:
        account = await accounts.find_account(email)
        return account, await _quota(account, settings), await destinations_of(account), settings

    account, quota, channels, settings = with_database(read)
    warning = warning_for(account, channels, settings)
    if as_json:
        shown = {
            each.name: {
                "enabled": each.enabled,
                "linked": each.address is not None,
                "username": each.username,
                "suspendedReason": each.suspended_reason,
            }
            for each in channels
        }
        identity = {**_identity(account), **_standing(account), **_usage(quota)}
        print_json({**identity, "channels": shown, "warning": warning})
        return
    standing = f", {text}" if (text := _standing_text(account)) else ""
    typer.echo(f"{account.email} ({account.plan} plan{standing}), since {day(account.created_at)}")
    typer.echo(f"This month: {quota.used} of {_limit_text(quota)} events, resets {day(quota.resets_at)}")
    for line in channel_lines(channels, settings):
        typer.echo(line)
    print_warning(warning)


@app.command("set-plan")
def set_plan_command(
    email: Annotated[str, EMAIL],
    plan: Annotated[Plan, typer.Argument()],
    monthly_events: Annotated[int | None, MONTHLY] = None,
) -> None:
    """Move an account to another plan, from the next event on."""

    async def change(settings: Settings) -> Quota:
        account = await accounts.find_account(email)
        await accounts.set_plan(account, plan, monthly_events)
        return await _quota(account, settings)

    quota = with_database(change)
    typer.echo(f"{email} is on the {quota.plan} plan: {_limit_text(quota)} events a month.")


@app.command("set")
def set_command(
    email: Annotated[str, EMAIL],
    *,
    new_email: Annotated[
        str | None,
        typer.Option("--email", metavar="NEW", help="Another address, once a link sent there is opened."),
    ] = None,
    channels: Annotated[
        str | None,
        typer.Option(metavar="NAME,NAME", help="Switch these on and the others off; '' for none."),
    ] = None,
    time_zone: Annotated[
        str | None, typer.Option(metavar="ZONE", help="That of its quiet hours, such as Europe/Berlin.")
    ] = None,
    combine: Annotated[
        bool | None,
        typer.Option("--combine/--no-combine", help="Whether many that wait go out as one message."),
    ] = None,
    quiet: Annotated[
        list[str] | None,
        typer.Option(metavar="CHANNEL=HOURS", help="telegram=22:00-07:00, or telegram=off. Repeat for more."),
    ] = None,
    silently: Annotated[
        bool,
        typer.Option("--silently", help="Send without a sound in these quiet hours, instead of waiting."),
    ] = False,
    operator: Annotated[
        bool | None,
        typer.Option("--operator/--no-operator", help="Whether it looks after the server in the dashboard."),
    ] = None,
) -> None:
    """Change an account, all of it or nothing; switching a suspended channel on lifts the suspension."""
    if silently and not quiet:
        raise InvalidInput("--silently belongs to quiet hours: name them too, --quiet telegram=22:00-07:00.")
    asked = AccountChange(time_zone, combine, channel_changes(channels, quiet, silently=silently))

    async def change(settings: Settings) -> tuple[list[str], str | None]:
        account = await accounts.find_account(email)
        address, now = None, datetime.now(UTC)
        if new_email:
            async with mail_sender(settings) as sender:
                url = base_url_of(settings)
                address, _ = await ask_new_address(account, new_email, sender=sender, base_url=url, now=now)
        check_configured((name for name, each in asked.channels.items() if each.enabled), settings)
        await change_account(account, asked, now)
        own = await destinations_of(account)
        lines = channel_lines(own, settings)
        if operator is not None:
            is_any_left = await accounts.set_operator(account, is_operator=operator)
            lines.append(
                f"{account.email} is {'an' if operator else 'no'} operator{'' if operator else ' any more'}."
            )
            if not is_any_left:
                lines.append(NO_OPERATOR)
        if address:
            lines.append(f"A link was sent to {address}: the address changes once it is opened there.")
        return lines, warning_for(account, own, settings)

    lines, warning = with_database(change)
    for line in lines:
        typer.echo(line)
    print_warning(warning)


@app.command("suspend")
def suspend_command(email: Annotated[str, EMAIL]) -> None:
    """Refuse an account's keys and sessions, and hold what waits for it, until `account resume`."""

    async def suspend(_settings: Settings) -> tuple[str, bool, bool]:
        account = await accounts.find_account(email)
        is_new = await accounts.suspend_account(account, datetime.now(UTC))
        return account.email, is_new, account.is_operator and not await accounts.has_operator()

    address, is_new, was_the_last_operator = with_database(suspend)
    typer.echo(
        f"{address} is suspended{'' if is_new else ' already'}: what waits is held until `account resume`."
    )
    if was_the_last_operator:
        typer.echo(NO_OPERATOR)


@app.command("resume")
def resume_command(email: Annotated[str, EMAIL]) -> None:
    """End an account's suspension: what was held goes out."""

    async def resume(_settings: Settings) -> tuple[str, bool]:
        account = await accounts.find_account(email)
        return account.email, await accounts.resume_account(account, datetime.now(UTC))

    address, was_suspended = with_database(resume)
    typer.echo(
        f"{address} is in use again: what was held goes out."
        if was_suspended
        else f"{address} is not suspended."
    )


@app.command("export")
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


@app.command("delete")
def delete_command(
    email: Annotated[str, EMAIL],
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask for confirmation.")] = False,
) -> None:
    """Delete an account with all its events, keys and links, for ever."""

    async def delete(_settings: Settings) -> tuple[str, int, bool]:
        account = await accounts.find_account(email)
        if not yes:
            typed: str = typer.prompt(f"This deletes {account.email} for ever. Type its address to go on")
            if typed.strip().lower() != account.email:
                raise InvalidInput("That is not the account's address: nothing was deleted.")
        events = await delete_account(account, datetime.now(UTC))
        is_any_left = await accounts.has_operator() or not await Account.exists()
        return account.email, events, account.is_operator and not is_any_left

    address, events, was_the_last_operator = with_database(delete)
    typer.echo(f"{address} is deleted, with {events:,} events.")
    if was_the_last_operator:
        typer.echo(NO_OPERATOR)


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


async def _quota(account: Account, settings: Settings) -> Quota:
    return await quota_of(account, PlanLimits.of(settings), datetime.now(UTC))


def _identity(account: Account) -> dict[str, Any]:
    return {"accountId": account.id, "email": account.email, "plan": account.plan}


def _standing(account: Account) -> dict[str, Any]:
    suspended = account.suspended_at
    return {
        "operator": account.is_operator,
        "suspendedAt": suspended.isoformat().replace("+00:00", "Z") if suspended else None,
    }


def _standing_text(account: Account) -> str:
    words = ("operator" if account.is_operator else "", "suspended" if account.suspended_at else "")
    return ", ".join(filter(None, words))


def _usage(quota: Quota) -> dict[str, Any]:
    return {
        "eventsUsed": quota.used,
        "eventsLimit": quota.limit,
        "resetDate": quota.resets_at.isoformat().replace("+00:00", "Z"),
    }


def _limit_text(quota: Quota) -> str:
    return "unlimited" if quota.limit is None else f"{quota.limit:,}"


app.command("invitations")(invitations_command)
app.command("uninvite")(uninvite_command)
