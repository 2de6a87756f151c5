"""`pingpilot daemons`."""

from typing import Annotated

import typer

from pingpilot.cli.runtime import AS_JSON, day, print_json, print_table, with_database
from pingpilot.cluster.roster import Roster, place_of, read_roster, start_of
from pingpilot.config import Settings
from pingpilot.database_url import sqlite_path


def daemons_command(as_json: Annotated[bool, AS_JSON] = False) -> None:
    """List the daemons of a PostgreSQL, who of them leads which bot, and since when."""

    async def read(settings: Settings) -> tuple[Roster, bool]:
        return await read_roster(settings.bots), bool(sqlite_path(settings.database))

    roster, is_sqlite = with_database(read)
    if as_json:
        print_json(
            {
                "daemons": [
                    {
                        "id": start_of(each.identity),
                        "place": each.place,
                        "version": each.version,
                        "startedAt": each.started_at.isoformat(),
                        "seenAt": each.seen_at.isoformat(),
                        "alive": each.is_alive,
                    }
                    for each in roster.daemons
                ],
                "leaders": [
                    {
                        "bot": each.bot,
                        "daemon": start_of(each.leader) or None,
                        "since": each.since and each.since.isoformat(),
                        "epoch": each.epoch,
                    }
                    for each in roster.bots
                ],
            }
        )
        return
    if is_sqlite:
        typer.echo("An SQLite file takes one daemon: `pingpilot doctor` says whether it runs.")
        return
    print_table(
        ("DAEMON", "ID", "VERSION", "STARTED", "LAST SEEN", ""),
        [
            (
                each.place,
                start_of(each.identity),
                each.version,
                day(each.started_at),
                f"{each.seen_ago.total_seconds():.0f} s ago" if each.is_alive else day(each.seen_at),
                "running" if each.is_alive else "not seen any more",
            )
            for each in roster.daemons
        ],
        "No daemon runs on this database.",
    )
    if roster.bots:
        typer.echo()
        print_table(
            ("BOT", "LED BY", "SINCE", "TERM"),
            [
                (each.bot, place_of(each.leader) or "nobody", day(each.since), each.epoch or "–")
                for each in roster.bots
            ],
            "",
        )
