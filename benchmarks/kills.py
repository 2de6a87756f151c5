"""Events posted while the daemon is ended again and again: how many are lost, how many come twice.

    .venv/bin/python -m benchmarks.kills [EVENTS] [KILLS] [SEED] [SIGNAL]

The daemon runs on SQLite with stand-ins for all platforms. Several clients post, each trying until its
event is accepted; SIGKILL comes at random moments, or SIGTERM where SIGNAL is `term`. An event may come
twice where a kill cut its send off; Discord alone can tell such a repetition. For PostgreSQL, and with
the same figures: `KILLS=20 .venv/bin/pytest -s tests/process/test_kills.py`.
"""

import asyncio
import random
import sys
import tempfile
from pathlib import Path

from pingpilot.channels import direct_channels
from tests.support.kills import kill, post_among_ends, terminate


def main(events: int, kills: int, seed: int, signal: str) -> None:
    print(f"{events} events, {kills} times SIG{signal.upper()}, seed {seed}")
    with tempfile.TemporaryDirectory() as name:
        report = asyncio.run(
            post_among_ends(
                {"kill": kill, "term": terminate}[signal],
                database_url=f"sqlite://{name}/bench.sqlite3",
                folder=Path(name),
                events=events,
                times=kills,
                seed=seed,
            )
        )
    print(report)
    if any(report.lost(channel) for channel in direct_channels()):
        sys.exit("Events that were accepted are lost.")


if __name__ == "__main__":
    given = sys.argv[1:]
    defaults = ["300", "5", str(random.randrange(2**32)), "kill"]  # noqa: S311
    events, kills, seed, signal = [*given, *defaults[len(given) :]]
    main(int(events), int(kills), int(seed), signal)
