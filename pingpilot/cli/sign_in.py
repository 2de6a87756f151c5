"""`pingpilot sign-in`."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from pingpilot.accounts.accounts import find_account
from pingpilot.accounts.sign_in import NewSignInLink, new_sign_in_link
from pingpilot.cli.runtime import AS_JSON, print_json, with_database
from pingpilot.config import Settings

EMAIL = typer.Argument(metavar="EMAIL", help="The account's e-mail address.")


def sign_in_command(email: Annotated[str, EMAIL], as_json: Annotated[bool, AS_JSON] = False) -> None:
    """Make a one-time link that signs a browser in to an account's dashboard."""

    async def make(settings: Settings) -> NewSignInLink:
        base_url = settings.base_url(settings.http_port)
        return await new_sign_in_link(await find_account(email), base_url, datetime.now(UTC))

    link = with_database(make)
    if as_json:
        expires_at = link.expires_at.isoformat(timespec="seconds").replace("+00:00", "Z")
        print_json({"url": link.url, "expiresAt": expires_at})
        return
    typer.echo(link.url)
    typer.echo(f"Open it in a browser: it works once, until {link.expires_at:%H:%M} UTC.")
