"""`pingpilot deliveries …`."""

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from models import DeliveryStatus
from models.ids import event_id_text
from pingpilot.accounts.accounts import find_account
from pingpilot.channels import check_channels
from pingpilot.cli.runtime import AS_JSON, day, print_json, print_table, with_database
from pingpilot.config import Settings
from pingpilot.errors import InvalidInput
from pingpilot.events import deliveries
from pingpilot.rendering.text import clean_text

app = typer.Typer(help="List deliveries and try failed ones again.", no_args_is_help=True)

LONGEST_TEXT = 60
LARGEST_ID = 2**63 - 1  # of both databases; their drivers raise beyond

OF_ACCOUNT = typer.Option("--account", metavar="EMAIL", help="Those of one account. [default: all]")
IDS = typer.Argument(metavar="[ID]…", min=1, max=LARGEST_ID, help="Deliveries by id.")
OF_CHANNEL = typer.Option("--channel", metavar="NAME", help="Those of one channel. [default: all]")


@app.command("list")
def list_command(
    account: Annotated[str | None, OF_ACCOUNT] = None,
    channel: Annotated[str | None, OF_CHANNEL] = None,
    failed: Annotated[bool, typer.Option("--failed", help="Only those that failed for good.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=deliveries.MOST_LISTED, help="The newest so many.")] = 50,
    as_json: Annotated[bool, AS_JSON] = False,
) -> None:
    """List deliveries, newest first."""
    status = DeliveryStatus.FAILED if failed else None

    async def read(_settings: Settings) -> list[deliveries.DeliveryReport]:
        selection = await _selection(account, channel, status=status)
        return await deliveries.list_deliveries(selection, most=limit)

    rows = with_database(read)
    if as_json:
        print_json([_row(each) for each in rows])
        return
    print_table(
        ("ID", "DESTINATION", "STATUS", "ATTEMPTS", "CREATED", "EVENT", "LAST ERROR"),
        [
            (
                each.id,
                each.destination,
                each.status,
                each.attempts,
                day(each.created_at),
                _short(f"{each.category}: {each.summary}"),
                _short(each.last_error or "–"),
            )
            for each in rows
        ],
        "No such deliveries.",
    )


@app.command("retry")
def retry_command(
    ids: Annotated[list[int] | None, IDS] = None,
    account: Annotated[str | None, OF_ACCOUNT] = None,
    channel: Annotated[str | None, OF_CHANNEL] = None,
    failed: Annotated[bool, typer.Option("--failed", help="All that failed, of those chosen.")] = False,
) -> None:
    """Try failed deliveries again, each with a whole round of attempts; their history stays."""
    if not (ids or failed or account or channel):
        raise InvalidInput(
            "Name the deliveries by their ids, or choose what failed with --channel, --account or --failed."
        )

    async def retry(_settings: Settings) -> int:
        selection = await _selection(account, channel, ids=ids or [])
        return sum((await deliveries.retry_deliveries(selection, datetime.now(UTC))).values())

    count = with_database(retry)
    typer.echo(f"{count} {'delivery is' if count == 1 else 'deliveries are'} tried again.")


async def _selection(
    account: str | None, channel: str | None, *, status: str | None = None, ids: list[int] | None = None
) -> deliveries.Selection:
    if channel is not None:
        check_channels([channel])
    account_id = (await find_account(account)).id if account else None
    return deliveries.Selection(account_id, status=status, channel=channel, delivery_ids=ids or ())


def _short(text: str) -> str:
    line = " ".join("".join(char if char.isprintable() else " " for char in clean_text(text)).split())
    return line if len(line) <= LONGEST_TEXT else f"{line[: LONGEST_TEXT - 1]}…"


def _row(report: deliveries.DeliveryReport) -> dict[str, Any]:
    return {
        "id": report.id,
        "eventId": event_id_text(report.event_id),
        "category": report.category,
        "channel": report.channel,
        "destination": report.destination,
        "status": report.status,
        "attempts": report.attempts,
        "lastError": report.last_error,
        "createdAt": report.created_at.isoformat(),
    }
