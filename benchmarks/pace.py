"""How much of a platform's limit is used: messages a second to 200 chats on Telegram and on Discord at once.

    .venv/bin/python -m benchmarks.pace [SECONDS [BOTS]]

With several bots, the chats are spread over them, and each has the platform's limit for itself. Both
stand-ins enforce the platforms' limits and answer with 429 beyond them, of which there must be none, nor
while the daemon starts. The backlog is longer than what may be sent meanwhile, and nothing is combined. The
rounds are equal parts of the time, which begins when the daemon has been up for some seconds.
"""

import sys
import tempfile
import time
from pathlib import Path

from benchmarks import processes
from benchmarks.backlog import Waiting, fill
from benchmarks.figures import Figure
from benchmarks.platforms import Received, platforms
from pingpilot.channels import CHANNELS

CHATS = 200
LIMITS = {"telegram": 30, "discord": 50}
"""Messages a second that the platforms take from each bot."""
SHARE = 0.95
_START = 6.0  # seconds until the daemon is up and its start is over, for which it keeps some of its pace back


def main(seconds: float = 60, bots: float = 1) -> None:
    for figure in measure(seconds=seconds, bots=int(bots)):
        print(figure)


def measure(*, rounds: int = 5, seconds: float = 60, bots: int = 1) -> list[Figure]:
    """Return a figure for each channel: the share of its limit, in each of so many parts of the time."""
    with tempfile.TemporaryDirectory() as name, platforms(CHATS, bots=bots) as there:
        database = Path(name) / "bench.sqlite3"
        variables = processes.environment(database) | dict(there.settings)
        each = int(max(LIMITS.values()) * bots * (seconds + 2 * _START) / CHATS) + 1
        fill(f"sqlite://{database}", Waiting(CHATS, each, list(LIMITS), chats=there.chats, bots=bots))
        with processes.process(processes.DAEMON, variables, processes.url_of(variables)) as pid:
            time.sleep(_START)
            there.received()
            began, before = time.monotonic(), processes.processor_seconds(pid)
            time.sleep(seconds)
            cores = (processes.processor_seconds(pid) - before) / seconds
            received = there.received()
    return [
        _figure(
            channel, received[channel], bots=bots, began=began, rounds=rounds, seconds=seconds, cores=cores
        )
        for channel in LIMITS
    ]


def _figure(
    channel: str, received: Received, *, bots: int, began: float, rounds: int, seconds: float, cores: float
) -> Figure:
    limit, part = LIMITS[channel] * bots, seconds / rounds
    if received.throttled:
        sys.exit(f"{CHANNELS[channel].label} answered with 429 {received.throttled} times.")
    counts = [0] * rounds
    for at, _, _ in received.messages:
        if 0 <= at - began < seconds:
            counts[int((at - began) / part)] += 1
    return Figure(
        name=f"Pace of {CHANNELS[channel].label}, {CHATS} chats" + (f", {bots} bots" if bots > 1 else ""),
        unit=f"of {limit} messages/s",
        rounds=tuple(count / part / limit for count in counts),
        target=SHARE,
        bound=f"The platform's limit. The daemon uses {cores:.0%} of a core for both channels at once.",
        details={"messages/s": sum(counts) / seconds, "429 answers": received.throttled},
    )


if __name__ == "__main__":
    main(*map(float, sys.argv[1:]))
