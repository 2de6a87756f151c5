"""`pingpilot link-code`."""

import io
from datetime import UTC, datetime
from typing import Annotated

import typer

from pingpilot.accounts import linking
from pingpilot.accounts.accounts import find_account
from pingpilot.channels import CHANNELS
from pingpilot.cli.runtime import ACCOUNT, AS_JSON, print_json, with_database
from pingpilot.config import Settings

ROOM = typer.Option(
    metavar="NAME", help="For a group or a server's channel, as the destination of this name."
)


def link_code_command(
    account: Annotated[str, ACCOUNT],
    room: Annotated[str | None, ROOM] = None,
    as_json: Annotated[bool, AS_JSON] = False,
) -> None:
    """Make a one-time code that links a Discord or Telegram chat, or a room, to an account."""

    async def create(settings: Settings) -> tuple[linking.NewLinkCode, Settings]:
        owner = await find_account(account)
        return await linking.create_link_code(owner, datetime.now(UTC), room=room), settings

    new, settings = with_database(create)
    if as_json:
        expires_at = new.expires_at.isoformat(timespec="seconds").replace("+00:00", "Z")
        print_json({"code": new.code, "expiresAt": expires_at, "telegramUrl": new.telegram_url})
        return
    typer.echo(f"Code: {new.code}  (once, until {new.expires_at:%H:%M} UTC)")
    bots = {name: kind.label for name, kind in CHANNELS.items() if kind.needs_link}
    here = [label for name, label in bots.items() if name in settings.configured_channels]
    if room is None:
        typer.echo(f"Send `/link {new.code}` to the {' or '.join(here or bots.values())} bot.")
    else:
        typer.echo(
            f"Send `{new.in_groups}` in the group, topic or channel on Telegram that is to be '{room}', or "
            f"`/link code: {new.code} where: This channel` in the channel on Discord."
        )
    if not here:
        missing = " or ".join(settings.channels[name].missing or "" for name in bots)
        typer.echo(f"Warning: this server has no bot that could take it: set {missing}.", err=True)
    if new.telegram_url:
        import segno  # noqa: PLC0415  # not every code has one drawn

        qr_code = io.StringIO()
        segno.make(new.telegram_url, error="l", micro=False).terminal(qr_code, compact=True, border=2)
        typer.echo(f"\nTelegram, with one tap: {new.telegram_url}\n{qr_code.getvalue()}")
