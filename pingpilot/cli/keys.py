"""`pingpilot key …`."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from models import ApiKey, KeyScope
from pingpilot.accounts import keys
from pingpilot.accounts.accounts import find_account
from pingpilot.cli.runtime import ACCOUNT, AS_JSON, day, print_json, print_table, with_database
from pingpilot.config import Settings

app = typer.Typer(help="Create, list, rotate and revoke API keys.", no_args_is_help=True)

KEY = typer.Argument(metavar="KEY", help="The key's id, name or prefix.")


@app.command("create")
def create_command(
    account: Annotated[str, ACCOUNT],
    name: Annotated[str, typer.Option(help="What the key is for.")] = "key",
    scope: Annotated[
        KeyScope | None,
        typer.Option(
            help="'send' may post events and nothing else, 'manage' everything. "
            "[default: manage, with --category send]"
        ),
    ] = None,
    category: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Post to this one only. Repeat for more. [default: all]"),
    ] = None,
    as_json: Annotated[bool, AS_JSON] = False,
) -> None:
    """Create an API key and show it, this once."""

    async def create(_settings: Settings) -> tuple[ApiKey, str]:
        usual = KeyScope.SEND if category else KeyScope.MANAGE
        rights = keys.KeyRights(scope or usual, category or None)
        return await keys.create_key(await find_account(account), name, datetime.now(UTC), rights)

    row, key = with_database(create)
    if as_json:
        print_json({**_identity(row), "apiKey": key})
        return
    typer.echo(f"API key '{row.name}': {key}")
    rights = "do everything" if row.scope == KeyScope.MANAGE else "only send events"
    if row.scope != KeyScope.MANAGE and row.category_names:
        rights += f" of {', '.join(row.category_names)}"
    typer.echo(f"It may {rights}. Keep the key: it is shown this once.")


@app.command("list")
def list_command(account: Annotated[str, ACCOUNT], as_json: Annotated[bool, AS_JSON] = False) -> None:
    """List an account's keys by name and prefix."""

    async def read(_settings: Settings) -> list[ApiKey]:
        return await keys.list_keys(await find_account(account))

    rows = with_database(read)
    if as_json:
        print_json([_row(key) for key in rows])
        return
    now = datetime.now(UTC)
    print_table(
        ("ID", "NAME", "KEY", "SCOPE", "CATEGORIES", "CREATED", "LAST USED", "STATE"),
        [
            (
                each.id,
                each.name,
                f"{keys.KEY_PREFIX}{each.prefix}…",
                each.scope,
                each.categories or "all",
                day(each.created_at),
                day(each.last_used_at),
                _state(each, now),
            )
            for each in rows
        ],
        "No keys yet: make one with `pingpilot key create`.",
    )


@app.command("rotate")
def rotate_command(
    key: Annotated[str, KEY],
    account: Annotated[str, ACCOUNT],
    overlap: Annotated[
        str,
        typer.Option(metavar="TIME", help="How long the old key keeps working: 30m, 24h, 7d; 0 ends it now."),
    ] = "24h",
    as_json: Annotated[bool, AS_JSON] = False,
) -> None:
    """Replace a key by a new one of the same name, scope and categories."""
    how_long = keys.parse_overlap(overlap)

    async def rotate(_settings: Settings) -> keys.Rotation:
        owner, now = await find_account(account), datetime.now(UTC)
        old = await keys.find_key(owner, key, now, newest=True)
        return await keys.rotate_key(owner, old.id, how_long, now)

    rotated = with_database(rotate)
    if as_json:
        print_json({**_identity(rotated.row), "apiKey": rotated.key, "replaces": _row(rotated.old)})
        return
    typer.echo(f"API key '{rotated.row.name}': {rotated.key}")
    until = f"works until {day(rotated.old.expires_at)}" if how_long else "is revoked"
    typer.echo(f"The old one {until}. Keep the key: it is shown this once.")


@app.command("revoke")
def revoke_command(key: Annotated[str, KEY], account: Annotated[str, ACCOUNT]) -> None:
    """Revoke a key; it is refused from the next request on."""

    async def revoke(_settings: Settings) -> tuple[ApiKey, bool]:
        owner = await find_account(account)
        return await keys.revoke_key(owner, key, datetime.now(UTC)), await keys.is_manageable(owner)

    row, manageable = with_database(revoke)
    typer.echo(f"The key '{row.name}' is revoked.")
    if not manageable:
        typer.echo(
            "No key is left that can manage the account: "
            f"make one with `pingpilot key create --account {account} --scope manage`."
        )


def _state(key: ApiKey, now: datetime) -> str:
    if key.revoked_at:
        return f"revoked {day(key.revoked_at)}"
    if key.expires_at:
        return f"rotated, {'ended' if key.expires_at <= now else 'works until'} {day(key.expires_at)}"
    return "in force"


def _identity(key: ApiKey) -> dict[str, object]:
    names = key.category_names
    return {"id": key.id, "name": key.name, "scope": key.scope, "categories": names and list(names)}


def _row(key: ApiKey) -> dict[str, object]:
    return {
        **_identity(key),
        "prefix": f"{keys.KEY_PREFIX}{key.prefix}",
        "createdAt": key.created_at.isoformat(),
        "lastUsedAt": key.last_used_at and key.last_used_at.isoformat(),
        "expiresAt": key.expires_at and key.expires_at.isoformat(),
        "revokedAt": key.revoked_at and key.revoked_at.isoformat(),
    }
