"""`pingpilot key …`."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from models import ApiKey
from pingpilot import keys
from pingpilot.accounts import find_account
from pingpilot.cli.runtime import ACCOUNT, AS_JSON, day, print_json, print_table, with_database
from pingpilot.config import Settings

app = typer.Typer(help="Create, list and revoke API keys.", no_args_is_help=True)


@app.command("create")
def create_command(
    account: Annotated[str, ACCOUNT],
    name: Annotated[str, typer.Option(help="What the key is for.")] = "key",
    as_json: Annotated[bool, AS_JSON] = False,
) -> None:
    """Create an API key and show it, this once."""

    async def create(_settings: Settings) -> tuple[ApiKey, str]:
        return await keys.create_key(await find_account(account), name, datetime.now(UTC))

    row, key = with_database(create)
    if as_json:
        print_json({"id": row.id, "name": row.name, "apiKey": key})
        return
    typer.echo(f"API key '{row.name}': {key}")
    typer.echo("Keep the key: it is shown this once.")


@app.command("list")
def list_command(account: Annotated[str, ACCOUNT], as_json: Annotated[bool, AS_JSON] = False) -> None:
    """List an account's keys by name and prefix."""

    async def read(_settings: Settings) -> list[ApiKey]:
        return await keys.list_keys(await find_account(account))

    rows = with_database(read)
    if as_json:
        print_json([_row(key) for key in rows])
        return
    print_table(
        ("ID", "NAME", "KEY", "CREATED", "LAST USED", "REVOKED"),
        [
            (
                each.id,
                each.name,
                f"{keys.KEY_PREFIX}{each.prefix}…",
                day(each.created_at),
                day(each.last_used_at),
                day(each.revoked_at),
            )
            for each in rows
        ],
        "No keys yet: make one with `pingpilot key create`.",
    )


@app.command("revoke")
def revoke_command(
    key: Annotated[str, typer.Argument(help="The key's id, name or prefix.")],
    account: Annotated[str, ACCOUNT],
) -> None:
    """Revoke a key; it is refused from the next request on."""

    async def revoke(_settings: Settings) -> ApiKey:
        return await keys.revoke_key(await find_account(account), key, datetime.now(UTC))

    row = with_database(revoke)
    typer.echo(f"The key '{row.name}' is revoked.")


def _row(key: ApiKey) -> dict[str, object]:
    return {
        "id": key.id,
        "name": key.name,
        "prefix": f"{keys.KEY_PREFIX}{key.prefix}",
        "createdAt": key.created_at.isoformat(),
        "lastUsedAt": key.last_used_at and key.last_used_at.isoformat(),
        "revokedAt": key.revoked_at and key.revoked_at.isoformat(),
    }
