"""How long other accounts' events take while one account's storm goes to its Telegram chat.

    .venv/bin/python -m benchmarks.storm [ROUNDS] [SECONDS]

Two daemons on SQLite, each with a Telegram of its own that enforces the real limits. In one, thousands of
events of one account wait for a chat that takes one a second, none combined, and more of them come meanwhile.
In the other all is calm. In each round 100 other accounts post single events to the calm daemon, then to the
stormy one; a time is from before the POST to the message at the platform. A round's figure is the 95th
percentile in the storm over that of the calm.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import ClientSession

from benchmarks import processes
from benchmarks.backlog import Waiting, fill
from benchmarks.figures import Figure
from benchmarks.platforms import Platforms, platforms

OTHERS = 100
WAITING = 5000
SINGLES_A_SECOND = 20
"""Of the 30 messages that Telegram takes from a bot; the storm has one."""
STORM_A_SECOND = 100
TARGET = 2.0
_SETTLING = 6.0  # seconds until the daemons are up and their start is over
_PATIENCE = 30.0


@dataclass(frozen=True, slots=True)
class Place:
    """A daemon with its Telegram, and the keys: of the others, and of the storm where there is one."""

    url: str
    telegram: Platforms
    others: Sequence[str]
    storm: str | None


def main(rounds: int, seconds: float) -> None:
    for figure in measure(rounds=rounds, seconds=seconds):
        print(figure)


def measure(*, rounds: int = 5, seconds: float = 6) -> list[Figure]:
    """Return the figure of the others' events."""
    calm, stormy = [], []
    with _place(0) as without, _place(WAITING) as place:
        time.sleep(_SETTLING)
        for _ in range(rounds):
            calm.append(asyncio.run(_times(without, seconds)))
            stormy.append(asyncio.run(_times(place, seconds)))
    ratios = [_late(storm) / _late(peace) for peace, storm in zip(calm, stormy, strict=True)]
    return [
        Figure(
            name="Singles beside a storm to one chat",
            unit="of p95 without",
            rounds=tuple(ratios),
            target=TARGET,
            less_is_better=True,
            bound="Claims go round the accounts: what waits for one chat takes one slot, no turn of others.",
            details={
                "p95 ms without": statistics.median(map(_late, calm)),
                "p95 ms in the storm": statistics.median(map(_late, stormy)),
                "p50 ms without": statistics.median(map(statistics.median, calm)),
                "p50 ms in the storm": statistics.median(map(statistics.median, stormy)),
                "longest ms in the storm": max(map(max, stormy)),
            },
        )
    ]


@contextmanager
def _place(waiting: int) -> Iterator[Place]:
    with tempfile.TemporaryDirectory() as name, platforms(OTHERS + 1) as there:
        database = Path(name) / "bench.sqlite3"
        variables = processes.environment(database)
        variables |= {name: value for name, value in there.settings.items() if "TELEGRAM" in name}
        first, *chats = there.chats["telegram"]
        [storm], others = fill(
            f"sqlite://{database}",
            Waiting(1, waiting, ["telegram"], chats={"telegram": [first]}, name="storm"),
            Waiting(OTHERS, 0, ["telegram"], chats={"telegram": chats}, name="single"),
        )
        with processes.daemon(variables) as url:
            yield Place(url, there, others, storm if waiting else None)


async def _times(place: Place, seconds: float) -> list[float]:
    """Return how many milliseconds each single event took."""
    place.telegram.received()
    sent: dict[str, float] = {}
    async with ClientSession() as session:

        async def post(key: str, description: str) -> None:
            body = {"category": "sale", "description": description}
            headers = {"Authorization": f"Bearer {key}"}
            async with session.post(f"{place.url}/api/v1/event", json=body, headers=headers) as answer:
                answer.raise_for_status()

        async def single(number: int) -> None:
            sent[f"single {number}."] = time.monotonic()
            await post(place.others[number % OTHERS], f"single {number}.")

        async with asyncio.TaskGroup() as posts:
            ticks = round(seconds * STORM_A_SECOND)
            for tick in range(ticks):
                if tick % (STORM_A_SECOND // SINGLES_A_SECOND) == 0:
                    posts.create_task(single(tick))
                if place.storm:
                    posts.create_task(post(place.storm, "storm"))
                await asyncio.sleep(1 / STORM_A_SECOND)
    return await _arrived(place, sent)


async def _arrived(place: Place, sent: dict[str, float]) -> list[float]:
    times: dict[str, float] = {}
    until = time.monotonic() + _PATIENCE
    while len(times) < len(sent):
        if time.monotonic() > until:
            sys.exit(f"Only {len(times)} of {len(sent)} single events came.")
        received = place.telegram.received()["telegram"]
        if received.throttled:
            sys.exit("Telegram answered with 429.")
        for at, _, text in received.messages:
            if (name := text.rpartition("\n")[2]) in sent:
                times[name] = (at - sent[name]) * 1000
        await asyncio.sleep(0.1)
    return list(times.values())


def _late(times: Sequence[float]) -> float:
    return statistics.quantiles(times, n=20)[-1]


if __name__ == "__main__":
    rounds, seconds = (*sys.argv[1:], *("5", "6")[len(sys.argv) - 1 :])
    main(int(rounds), float(seconds))
