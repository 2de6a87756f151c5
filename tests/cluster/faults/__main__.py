"""Play faults over three daemons and print what came of them.

    .venv/bin/python -m tests.cluster.faults --seed 1 --faults 30
    .venv/bin/python -m tests.cluster.faults --soak 20

As root, each daemon has a network and a clock of its own (iproute2 and Debian's libfaketime); faults that
need what is not there are left out, with a sentence. It ends with 1 where something was lost, doubled
without a reason, sent by who did not lead, beyond a platform's limit or too late.
"""

import argparse
import asyncio
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random

from tests.cluster.faults import network, table
from tests.cluster.faults.cluster import Cluster, running_cluster
from tests.cluster.faults.daemons import CLOCK_CAN_BE_SET
from tests.cluster.faults.kinds import KINDS, Kind
from tests.cluster.faults.rounds import BURST, Outcome, bag, play
from tests.cluster.faults.soak import soak

_SHORT = ("leader killed", "leader frozen")
_FROZEN_SHORTLY = 8.0
"""Seconds, more than a lease lasts."""


def say(text: str) -> None:
    """Write for whoever looks."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.cluster.faults")
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    parser.add_argument("--faults", type=int, default=30)
    parser.add_argument(
        "--only", action="append", default=[], metavar="FAULT", choices=[each.name for each in KINDS]
    )
    parser.add_argument("--daemons", type=int, default=3)
    parser.add_argument("--rate", type=float, default=8.0, help="events a second")
    parser.add_argument(
        "--frozen", type=float, default=30.0, help="seconds that a frozen leader does nothing"
    )
    parser.add_argument("--within", type=float, default=10.0, help="seconds that a fail-over may take (p95)")
    parser.add_argument(
        "--soak", type=float, metavar="MINUTES", help="no faults: are memory and connections flat?"
    )
    parser.add_argument(
        "--short", action="store_true", help="two faults, less of everything: the form of the tests"
    )
    parser.add_argument("--bots", type=int, default=1, help="of each platform; accounts are with one each")
    parser.add_argument("--pooled", action="store_true", help="a PgBouncer before the database")
    parser.add_argument("--loopback", action="store_true", help="no namespaces")
    parser.add_argument("--logs", type=Path, help="a folder to keep the logs in")
    asked = parser.parse_args()
    if asked.short:
        asked.faults, asked.only, asked.frozen = len(_SHORT), list(_SHORT), _FROZEN_SHORTLY
        asked.daemons, asked.rate = 2, 5.0
    return asked


async def _run(asked: argparse.Namespace, net: network.Network, folder: Path) -> list[str]:
    """Do what is asked; return what is wrong."""
    began = time.monotonic()
    kinds = [] if asked.soak else _possible(net, asked.only, pooled=asked.pooled)
    clocks = any(each.needs_clocks for each in kinds)
    async with running_cluster(
        net,
        folder,
        events_a_second=asked.rate,
        own_clocks=clocks,
        bots=asked.bots,
        pooled=asked.pooled,
    ) as cluster:
        if asked.soak:
            return await soak(cluster, asked.soak, say)
        say(f"{asked.daemons} daemons are ready after {time.monotonic() - began:.1f} s")
        outcomes = await _play_all(cluster, asked, kinds)
        if asked.logs:
            _keep_calls(cluster, asked.logs)
        await cluster.load.finish()
        accepted = sorted(cluster.load.accepted)
        await cluster.settle(within=60)
        lost = cluster.missing(accepted)
        stored = await cluster.stored()
        say(f"\n{table.LEGEND}\n")
        say(f"seed {asked.seed}, {len(outcomes)} faults, {len(accepted)} events accepted at {asked.rate:g}/s")
        say(table.summary(outcomes, lost=len(lost)))
        say(f"posts that were tried again, by reason: {dict(cluster.load.refused)}")
        found = table.problems(outcomes, within=asked.within)
        found += [f"event {event} is lost: {', '.join(places)}" for event, places in lost.items()]
        found += [
            f"event {event} stands {stored[event]} times in the database"
            for event in accepted
            if stored[event] != 1
        ]
        return found


def _keep_calls(cluster: Cluster, folder: Path) -> None:
    """Write each call and message as it came, a line each."""
    folder.mkdir(parents=True, exist_ok=True)
    platforms = cluster.platforms
    seen = [(each.at, str(each)) for each in platforms.calls]
    seen += [(each.at, str(each)) for each in platforms.refusals]
    seen += [(each.at, str(each)) for each in platforms.arrivals]
    lines = [f"{at:.3f} {what}\n" for at, what in sorted(seen)]
    terms = [f"{each}\n" for bot in platforms.bots for each in cluster.leaders.terms(bot)]
    (folder / "seen.txt").write_text("".join([*terms, *lines]))


async def _play_all(cluster: Cluster, asked: argparse.Namespace, possible: Sequence[Kind]) -> list[Outcome]:
    randomly = Random(asked.seed)
    kinds = bag(possible, randomly)
    say(table.head())
    outcomes = []
    for number in range(1, asked.faults + 1):
        outcome = await play(
            cluster, number, next(kinds), randomly, frozen=asked.frozen, burst=0 if asked.short else BURST
        )
        say(table.row(outcome))
        for problem in outcome.problems[:5]:
            say(f"    ! {problem}")
        outcomes.append(outcome)
    return outcomes


def _possible(net: network.Network, only: Sequence[str], *, pooled: bool) -> list[Kind]:
    """Return the kinds of faults that can be played here, of those asked for."""
    possible = []
    for kind in KINDS:
        if (only and kind.name not in only) or (kind.needs_pooler and not pooled):
            continue
        if kind.needs_namespaces and not net.is_apart:
            say(f"Left out: '{kind.name}', which needs network namespaces")
        elif kind.needs_clocks and not CLOCK_CAN_BE_SET:
            say(f"Left out: '{kind.name}', which needs Debian's libfaketime")
        else:
            possible.append(kind)
    return possible


def main() -> None:
    """Do what the command line asks for."""
    asked = _arguments()
    if not asked.loopback and not network.is_inside():
        if (reason := network.why_not_apart()) is None:
            again = [*sys.argv[1:], "--seed", str(asked.seed)]
            network.go_inside(sys.executable, "-m", "tests.cluster.faults", *again)
        say(f"All daemons are on the loopback: {reason}")
    places = network.loopback if asked.loopback or not network.is_inside() else network.namespaces
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="pingpilot-faults-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        try:
            with places(asked.daemons) as net:
                found = asyncio.run(_run(asked, net, folder))
        finally:
            if asked.logs:
                asked.logs.mkdir(parents=True, exist_ok=True)
                for log in folder.glob("**/*.log"):
                    shutil.copy(log, asked.logs / f"{log.parent.name}-{log.name}")
    say(f"{(time.monotonic() - began) / 60:.1f} minutes")
    for problem in found:
        say(f"! {problem}")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
