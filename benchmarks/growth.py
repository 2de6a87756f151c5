"""How the cost of an event grows with what is in the database already.

    .venv/bin/python -m benchmarks.growth [ROUNDS]

Needs `wrk` and 4 GB of disk, and takes a quarter of an hour with the five rounds that are the default. A
round goes through all sizes of benchmarks/sizes.py, each with a daemon of its own on a fresh copy, so that
what disturbs the machine meets all; long histories are not copied, since what a round adds to them is little.
A size is compared with the empty database of the same kind and round.

Events go to Telegram, which the daemon has no token for: they are stored with their deliveries, and nothing
is sent. Five rounds or more are kept, in benchmarks/growth.json and docs/performance.md.
"""

import asyncio
import json
import re
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from http.client import HTTPConnection
from itertools import cycle
from pathlib import Path
from time import monotonic, perf_counter
from urllib.parse import urlsplit

from benchmarks import page, postgres, processes
from benchmarks.figures import Figure
from benchmarks.machine import this_commit, this_machine
from benchmarks.results import GROWTH, OF_EMPTY, Results, Section
from benchmarks.runner import ROUNDS
from benchmarks.sizes import EMPTY, WAITS_FOR, Made, Size, databases
from benchmarks.wrk import program
from models.database import open_database
from pingpilot.cluster.mandate import Always
from pingpilot.delivery.claiming import Claimer, Wish
from pingpilot.delivery.queue import DeliveryQueue

_SENDERS = 1000  # accounts at most that send
_WARM_UP, _SECONDS = 1, 2
_ALONE, _CLAIMS, _A_PAGE = 0.7, 100, 50
_BODY = {"description": "Somebody bought a lamp", "fields": {"amount": 99.99}}
RATE, PROCESSOR, SINGLE = "64 connections", "processor", "one connection"
NEWEST, QUOTA, CLAIM = "page of events", "quota", "claim"
"""What is measured; docs/performance.md tells what each is."""

Costs = dict[str, float]


def main(rounds: int) -> None:
    """Measure, show, and keep what is more than a trial."""
    machine = this_machine()
    print("\n".join([*machine.lines(), *(f"Mind: {line}" for line in machine.warnings())]), flush=True)
    began = datetime.now(UTC)
    results = Results(
        date=began, commit=this_commit(), machine=machine, sections=tuple(measure(rounds=rounds))
    )
    print("\n".join(page.growth_table(results)))
    print(f"{results.seconds / 60:.1f} minutes, without making the databases.")
    if rounds >= ROUNDS:
        results.save(GROWTH)
        page.update()


def measure(*, rounds: int = ROUNDS) -> list[Section]:
    """Return a section a database, in which each cost is a figure."""
    wrk = program()
    costs: defaultdict[tuple[str, str], list[Costs]] = defaultdict(list)
    seconds: defaultdict[tuple[str, str], float] = defaultdict(float)
    with tempfile.TemporaryDirectory() as name, postgres.running(Path(name)) as server:
        made = list(databases(Path(name), server))
        for number in range(1, rounds + 1):
            for each in made:
                began, of = monotonic(), (each.name, each.kind)
                costs[of].append(_costs(each, wrk, Path(name)))
                seconds[of] += monotonic() - began
                shown = ", ".join(f"{cost} {value:,.3f}" for cost, value in costs[of][-1].items())
                print(f"round {number}, {each.name}, {each.kind}: {shown}", flush=True)
    return [
        Section(
            module=f"{size}, {kind}",
            seconds=seconds[size, kind],
            figures=tuple(_figures(rows, costs[EMPTY, kind])),
        )
        for (size, kind), rows in costs.items()
    ]


def _figures(costs: Sequence[Costs], empty: Sequence[Costs]) -> Iterator[Figure]:
    for cost in costs[0]:
        ratios = [each[cost] / beside[cost] for each, beside in zip(costs, empty, strict=True)]
        yield Figure(
            name=cost,
            unit={RATE: "events/s", PROCESSOR: "µs"}.get(cost, "ms"),
            rounds=tuple(each[cost] for each in costs),
            less_is_better=cost != RATE,
            details={OF_EMPTY: statistics.median(ratios)},
        )


def _costs(made: Made, wrk: str, folder: Path) -> Costs:
    with made.fresh() as database:
        own = {"PINGPILOT_DATABASE_URL": database, "PINGPILOT_LOG_LEVEL": "ERROR"}
        variables = processes.environment(folder) | own
        url = processes.url_of(variables)
        with processes.process(processes.DAEMON, variables, url) as pid:
            requests = list(_requests(made.size, made.keys))
            costs = _of_many(wrk, requests, url, pid, folder / "post.lua")
            costs |= _of_one(requests, urlsplit(url).netloc)
        costs[CLAIM] = asyncio.run(_claim(database))
    return costs


def _requests(size: Size, keys: Sequence[str]) -> Iterator[tuple[dict[str, str], bytes]]:
    """Yield header and body of as many events as accounts send: of each sender, category after category."""
    senders = keys[:: max(1, len(keys) // _SENDERS)][:_SENDERS]
    pairs = cycle([(key, name) for name in size.category_names for key in senders])
    for _ in range(_SENDERS):
        key, category = next(pairs)
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        yield headers, json.dumps(_BODY | {"category": category}).encode()


def _of_many(
    wrk: str, requests: Sequence[tuple[dict[str, str], bytes]], url: str, pid: int, script: Path
) -> Costs:
    """Return the rate at 64 connections, and what an event then costs the daemon."""
    whole = [
        "\r\n".join(
            [
                "POST /api/v1/event HTTP/1.1",
                "Host: 127.0.0.1",
                *(f"{name}: {value}" for name, value in headers.items()),
                f"Content-Length: {len(body)}",
                "",
                body.decode(),
            ]
        )
        for headers, body in requests
    ]
    script.write_text(
        f"local all, n = {{{', '.join(map(json.dumps, whole))}}}, 0\n"
        "request = function() n = n % #all + 1; return all[n] end\n"
    )
    _answered(wrk, script, url, _WARM_UP)
    before = processes.processor_seconds(pid)
    rate, events = _answered(wrk, script, url, _SECONDS)
    return {RATE: rate, PROCESSOR: (processes.processor_seconds(pid) - before) / events * 1e6}


def _answered(wrk: str, script: Path, url: str, seconds: int) -> tuple[float, int]:
    """Return the answers a second and how many there were; exit where one was not 200."""
    command = [wrk, "-t1", "-c64", f"-d{seconds}s", "-s", str(script), url]
    report = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in report or "Socket errors" in report:
        sys.exit(f"Not every request was answered with 200:\n{report}")
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", report)[1])  # type: ignore[index]
    return rate, int(re.search(r"(\d+) requests in", report)[1])  # type: ignore[index]


def _of_one(requests: Sequence[tuple[dict[str, str], bytes]], address: str) -> Costs:
    """Return how long answers take where one is asked for at a time."""
    events, reader = cycle(requests), requests[0][0]
    with closing(HTTPConnection(address, timeout=30)) as connection:

        def ask(method: str, path: str, headers: Mapping[str, str], body: bytes | None = None) -> None:
            connection.request(method, path, body=body, headers=dict(headers))
            answer = connection.getresponse()
            text = answer.read()
            if answer.status != 200:
                sys.exit(f"{method} {path} was answered with {answer.status}: {text.decode()}")

        for _ in range(_A_PAGE):  # whose page is read then
            ask("POST", "/api/v1/event", *requests[0])
        return {
            SINGLE: _p50_ms(lambda: ask("POST", "/api/v1/event", *next(events))),
            NEWEST: _p50_ms(lambda: ask("GET", "/api/v1/events", reader)),
            QUOTA: _p50_ms(lambda: ask("GET", "/api/v1/quota", reader)),
        }


def _p50_ms(ask: Callable[[], None]) -> float:
    """Return what one takes, of those that fit into a little while."""
    taken, until = list[float](), monotonic() + _ALONE
    while monotonic() < until:
        began = perf_counter()
        ask()
        taken.append((perf_counter() - began) * 1000)
    return statistics.median(taken)


async def _claim(url: str) -> float:
    """Return how long the queue takes to lease one delivery with all that is needed to send it, in ms."""
    async with open_database(url):
        claimer, taken = Claimer(), list[float]()
        queue = DeliveryQueue(channel=WAITS_FOR, mandate=Always("growth"))
        for _ in range(_CLAIMS):
            began = perf_counter()
            claims = await claimer.claim(Wish(WAITS_FOR, "growth", 1, datetime.now(UTC)))
            taken.append((perf_counter() - began) * 1000)
            if len(claims) != 1:
                sys.exit("There was nothing to claim.")
            await queue.put_back(sparing=())
    return statistics.median(taken)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS)
