"""A round: the load goes on, a fault comes, and then it is counted what came of it."""

import asyncio
import time
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random

from tests.cluster.faults.cluster import Cluster, CutOff
from tests.cluster.faults.kinds import Kind, Struck
from tests.cluster.faults.leaders import Term
from tests.cluster.faults.seen import LED, PLACES, Counts, Refusal

BURST = 4
"""Events for one group at once, before a fault and in it. They take it a quarter of a minute."""
_SENDS_AGAIN_WITHIN = 60.0  # seconds
_CONFLICT = 409  # Telegram's answer to a poll when another one comes in; the counts have it
_LOOKS_EVERY = 0.5  # seconds
_UNDER_WAY = 0.3  # seconds in which a message may still arrive that was sent before
_ARRIVES_WITHIN = 240.0  # seconds; a delivery that failed twice is tried again after half a minute


@dataclass(frozen=True, slots=True)
class Resumption:
    """When a channel was sent on after a fault, in seconds from it, and whether by another daemon."""

    seconds: float | None
    moved: bool


@dataclass(slots=True)
class Outcome:
    """What came of one fault. `problems` are what must not be."""

    number: int
    kind: str
    how: str
    leader: str
    dethrones: bool
    resumed: dict[str, Resumption]
    doubled: Counter[str]
    cut_off: Counter[str]
    missing: int
    counts: Counts
    unentitled: int
    pause: float
    settled: float
    problems: list[str] = field(default_factory=list)


def bag(kinds: Sequence[Kind], random: Random) -> Iterator[Kind]:
    """Give kinds without end, each as often as any other, in any order."""
    while True:
        yield from random.sample(kinds, len(kinds))


async def play(
    cluster: Cluster, number: int, kind: Kind, random: Random, *, frozen: float, burst: int
) -> Outcome:
    """Let one fault come over the leader of one channel, any moment, and return what came of it."""
    ended = await cluster.calm()
    channel = random.choice(LED)
    doubled_before = _doubled(cluster)
    await cluster.cut_off()
    calls, refusals = len(cluster.platforms.calls), len(cluster.platforms.refusals)
    counts_before = await cluster.counts()
    cluster.load.burst(burst)
    await asyncio.sleep(random.uniform(0.5, 2.5))
    leader = cluster.leading(channel)
    before = {each: cluster.leaders.leader(each) for each in LED}
    led = [each for each, term in before.items() if term and term.daemon == leader.number]
    later = asyncio.get_running_loop().call_later(3, cluster.load.burst, burst)
    began = time.monotonic()
    struck = await kind.play(cluster, leader, random, frozen)
    ended += await cluster.revive()
    concerned = led if kind.dethrones else LED
    resumed = {each: await _resumption(cluster, each, before[each], struck) for each in concerned}
    later.cancel()
    settling = time.monotonic()
    missing = await cluster.settle(within=_ARRIVES_WITHIN)
    settled = time.monotonic()
    doubled, cut_off = _doubled(cluster) - doubled_before, await cluster.cut_off()
    refused = cluster.platforms.refusals[refusals:]
    unentitled = cluster.leaders.unentitled(cluster.platforms.calls[calls:])
    outcome = Outcome(
        number=number,
        kind=kind.name,
        how=struck.how,
        leader=f"{leader.name} ({' and '.join(led)})",
        dethrones=kind.dethrones,
        resumed=resumed,
        doubled=Counter(place for place, _event in doubled.elements()),
        cut_off=Counter(each.place for each in cut_off),
        missing=len(missing),
        counts=await cluster.counts() - counts_before,
        unentitled=len(unentitled),
        pause=cluster.load.longest_pause(began, settled),
        settled=settled - settling,
    )
    outcome.problems += [*ended, *await cluster.revive()]
    outcome.problems += _unexplained(doubled, cut_off)
    outcome.problems += [
        f"event {event} has not arrived: {', '.join(places)}" for event, places in missing.items()
    ]
    outcome.problems += [
        f"daemon {each.daemon} called {each.name} {each.at - struck.since:.2f} s after the fault, not leading"
        for each in unentitled
    ]
    outcome.problems += [
        f"{each.platform} answered {each.status} to daemon {each.daemon}'s {each.name} "
        f"{each.at - struck.since:.2f} s after the fault, "
        f"after {_calls_before(cluster, each)} of these within a second: {each.body}"
        for each in refused
        if each.status != _CONFLICT
    ]
    outcome.problems += [
        f"{times} times exceeded: {limit}" for limit, times in outcome.counts.exceeded.items()
    ]
    allowed = int(kind.keeps_connections)
    if outcome.counts.polls > allowed or outcome.counts.sessions > allowed:
        outcome.problems.append(
            f"{outcome.counts.polls} polls and {outcome.counts.sessions} sessions beside another daemon's"
        )
    outcome.problems += [
        f"{each} was not sent on within {_SENDS_AGAIN_WITHIN:g} s"
        for each, it in resumed.items()
        if not it.seconds
    ]
    return outcome


async def _resumption(cluster: Cluster, channel: str, before: Term | None, struck: Struck) -> Resumption:
    """Wait for the first message on a channel after a fault: of the next leader, where there is one."""
    deadline = time.monotonic() + _SENDS_AGAIN_WITHIN
    while time.monotonic() < deadline:
        await asyncio.sleep(_LOOKS_EVERY)  # longer than the leaders are read: whoever has sent is known
        later = [each for each in cluster.leaders.terms(channel) if before and each.epoch > before.epoch]
        for term in later:
            since = max(term.earliest, struck.since)
            if (first := cluster.platforms.first_send(channel, since, by=term.daemon)) is not None:
                return Resumption(first - struck.since, moved=True)
        if not later and cluster.leaders.leader(channel):
            first = cluster.platforms.first_send(channel, struck.since + _UNDER_WAY)
            if first is not None:
                return Resumption(first - struck.since, moved=False)
    return Resumption(None, moved=False)


def _calls_before(cluster: Cluster, refusal: Refusal) -> int:
    """Return how many calls of that name came within the second before, from any daemon."""
    begin = refusal.at - 1
    return sum(
        each.name == refusal.name and begin < each.at <= refusal.at for each in cluster.platforms.calls
    )


def _doubled(cluster: Cluster) -> Counter[tuple[str, int]]:
    """Return how many times too often each event has arrived at each place."""
    return Counter(
        {
            (place, event): times - 1
            for place in PLACES
            for event, times in cluster.platforms.arrived[place].items()
            if times > 1
        }
    )


def _unexplained(doubled: Counter[tuple[str, int]], cut_off: Collection[CutOff]) -> list[str]:
    """Return what is wrong with what came twice: only a send that was cut off may be repeated."""
    explained = Counter((each.place, each.event) for each in cut_off)
    return [
        f"event {event} came {times} times too often to {place}, {explained[place, event]} sends cut off"
        for (place, event), times in doubled.items()
        if times > explained[place, event] or place == "discord"  # its nonce tells a repetition
    ]
