"""`pingpilot invite`, and the account commands that list invitations and take them back."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from models import Plan, SignUpLink
from pingpilot.accounts.sign_up import (
    Newcomers,
    NewSignUpLink,
    invitation_words,
    invitations,
    invite,
    revoke_invitation,
)
from pingpilot.channels import EMAIL
from pingpilot.cli.confirming import mail_sender
from pingpilot.cli.runtime import AS_JSON, day, print_json, print_table, with_database
from pingpilot.config import Settings
from pingpilot.delivery.channel import NO_ACCOUNT, Recipient
from pingpilot.delivery.confirming import send_link
from pingpilot.errors import NotFound, PingPilotError

ADDRESS = typer.Argument(metavar="EMAIL", help="An address that has no account yet.")


def invite_command(
    email: Annotated[str, ADDRESS],
    plan: Annotated[
        Plan | None, typer.Option(help="The account's plan. [default: PINGPILOT_DEFAULT_PLAN, which is free]")
    ] = None,
    as_json: Annotated[bool, AS_JSON] = False,
) -> None:
    """Make a link with which an address gets an account, good for 7 days, and mail it there."""

    async def make(settings: Settings) -> tuple[NewSignUpLink, str | None]:
        base_url = settings.base_url(settings.http_port)
        link = await invite(email, plan, Newcomers.of(settings), base_url, datetime.now(UTC))
        if settings.channels[EMAIL.name].missing:
            return link, "This server is not set up to send e-mails."
        try:
            async with mail_sender(settings) as sender:
                recipient = Recipient(NO_ACCOUNT, link.email, destination=sender.name, is_stranger=True)
                words = invitation_words(link, base_url)
                await send_link(sender, recipient, words, datetime.now(UTC))
        except PingPilotError as exc:
            return link, str(exc)
        return link, None

    link, problem = with_database(make)
    if as_json:
        expires_at = link.expires_at.isoformat(timespec="seconds").replace("+00:00", "Z")
        print_json({"email": link.email, "url": link.url, "expiresAt": expires_at, "notSent": problem})
        return
    typer.echo(link.url)
    if problem:
        typer.echo(f"{problem} Pass the link on to {link.email} yourself.")
    else:
        typer.echo(f"It was sent to {link.email}.")
    typer.echo(f"It makes an account there, once, until {day(link.expires_at)}.")


def invitations_command(as_json: Annotated[bool, AS_JSON] = False) -> None:
    """List the invitations that can still be used."""

    async def read(_settings: Settings) -> list[SignUpLink]:
        return await invitations(datetime.now(UTC))

    rows = with_database(read)
    if as_json:
        shown = [(each.email, each.plan, each.expires_at.isoformat().replace("+00:00", "Z")) for each in rows]
        print_json([{"email": email, "plan": plan, "expiresAt": at} for email, plan, at in shown])
        return
    print_table(
        ("EMAIL", "PLAN", "UNTIL"),
        [(each.email, each.plan, day(each.expires_at)) for each in rows],
        "No invitation is open: make one with `pingpilot invite EMAIL`.",
    )


def uninvite_command(email: Annotated[str, ADDRESS]) -> None:
    """Take an invitation back: its link is no longer good."""

    async def revoke(_settings: Settings) -> None:
        if not await revoke_invitation(email):
            raise NotFound(f"There is no open invitation for {email}: see `pingpilot account invitations`.")

    with_database(revoke)
    typer.echo(f"The invitation of {email} is taken back.")
