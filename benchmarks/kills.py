"""Events posted while the daemon is killed again and again: how many are lost, how many come twice.

    .venv/bin/python -m benchmarks.kills [EVENTS] [KILLS] [SEED]

The daemon runs on SQLite with stand-ins for all platforms. Several
clients post, each trying until its event is accepted; SIGKILL comes at random moments. An event may
come twice where a kill cut its send off; Discord alone can tell such a repetition.
"""

import asyncio
import random
import sys
import tempfile
from pathlib import Path

from pingpilot.channels import CHANNELS
from tests.support.kills import Report, post_among_kills


def main(events: int, kills: int, seed: int) -> None:
    print(f"{events} events, {kills} kills, seed {seed}")
    with tempfile.TemporaryDirectory() as name:
        report = asyncio.run(
            post_among_kills(
                database_url=f"sqlite://{name}/bench.sqlite3",
                folder=Path(name),
                events=events,
                kills=kills,
                seed=seed,
            )
        )
    _show(report)
    if any(report.lost(channel) for channel in CHANNELS):
        sys.exit("Events that were accepted are lost.")


def _show(report: Report) -> None:
    print(f"accepted {len(report.accepted)}, stored {report.stored.total()}")
    for channel in CHANNELS:
        print(
            f"{channel}: lost {len(report.lost(channel))}, duplicates {report.doubled(channel).total()}, "
            f"sends cut off by a kill {report.interrupted[channel].total()}"
        )


if __name__ == "__main__":
    given = [int(text) for text in sys.argv[1:]]
    main(*(*given, *(300, 5, random.randrange(2**32))[len(given) :]))  # noqa: S311
