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
from tests.cluster.faults.seen import PLACES, Counts, Refusal

BURST = 4
"""Events for one group at once, before a fault and in it. They take it a quarter of a minute."""
_SENDS_AGAIN_WITHIN = 60.0  # seconds
_CONFLICT = 409  # Telegram's answer to a poll when another one comes in; the counts have it
_LOOKS_EVERY = 0.5  # seconds
_UNDER_WAY = 0.3  # seconds in which a message may still arrive that was sent before
_ARRIVES_WITHIN = 180.0  # seconds; a delivery that failed twice is tried again after half a minute


@dataclass(frozen=True, slots=True)
class Resumption:
    """When a bot sent on after a fault, in seconds from it, and whether by another daemon."""

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
    late: int
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
    """Let one fault come over the leader of one bot, any moment, and return what came of it."""
    ended = await cluster.calm()
    bots = cluster.platforms.bots
    bot = random.choice(bots)
    doubled_before = _doubled(cluster)
    await cluster.cut_off()
    calls, refusals = len(cluster.platforms.calls), len(cluster.platforms.refusals)
    counts_before = await cluster.counts()
    cluster.load.burst(burst)
    await asyncio.sleep(random.uniform(0.5, 2.5))
    leader = cluster.leading(bot)
    before = {each: cluster.leaders.leader(each) for each in bots}
    led = [each for each, term in before.items() if term and term.daemon == leader.number]
    later = asyncio.get_running_loop().call_later(3, cluster.load.burst, burst)
    began = time.monotonic()
    struck = await kind.play(cluster, leader, random, frozen)
    ended += await cluster.revive()
    concerned = led if kind.dethrones else bots
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
        leader=f"{leader.name} ({' and '.join(_short(each, bots) for each in led)})",
        dethrones=kind.dethrones,
        resumed=resumed,
        doubled=Counter(place for place, _event in doubled.elements()),
        cut_off=Counter(each.place for each in cut_off),
        late=len(missing),
        counts=await cluster.counts() - counts_before,
        unentitled=len(unentitled),
        pause=cluster.load.longest_pause(began, settled),
        settled=settled - settling,
    )
    outcome.problems += [*ended, *await cluster.revive()]
    outcome.problems += _unexplained(doubled, cut_off)
    outcome.problems += [f"event {event} is late: {', '.join(places)}" for event, places in missing.items()]
    outcome.problems += [
        f"daemon {each.daemon} called {each.name} {each.at - struck.since:.2f} s after the fault, not leading"
        for each in unentitled
    ]
    outcome.problems += [
        f"{each.bot} was answered {each.status} on daemon {each.daemon}'s {each.name} "
        f"{each.at - struck.since:.2f} s after the fault, "
        f"after {_calls_before(cluster, each)} of these within a second: {each.body}"
        for each in refused
        if each.status != _CONFLICT
    ]
    outcome.problems += [
        f"{times} times exceeded: {limit}" for limit, times in outcome.counts.exceeded.items()
    ]
    open_still = Counter(led if kind.keeps_connections else ())
    outcome.problems += [
        f"{times} {what} of {each} too often beside another daemon's"
        for what, counts in (("polls", outcome.counts.polls), ("sessions", outcome.counts.sessions))
        for each, times in (counts - open_still).items()
    ]
    outcome.problems += [
        f"{each} did not send on within {_SENDS_AGAIN_WITHIN:g} s"
        for each, it in resumed.items()
        if not it.seconds
    ]
    return outcome


async def _resumption(cluster: Cluster, bot: str, before: Term | None, struck: Struck) -> Resumption:
    """Wait for a bot's first message after a fault: by the next leader, where there is one."""
    deadline = time.monotonic() + _SENDS_AGAIN_WITHIN
    while time.monotonic() < deadline:
        await asyncio.sleep(_LOOKS_EVERY)  # longer than the leaders are read: whoever has sent is known
        later = [each for each in cluster.leaders.terms(bot) if before and each.epoch > before.epoch]
        for term in later:
            since = max(term.earliest, struck.since)
            if (first := cluster.platforms.first_send(bot, since, by=term.daemon)) is not None:
                return Resumption(first - struck.since, moved=True)
        if not later and cluster.leaders.leader(bot):
            first = cluster.platforms.first_send(bot, struck.since + _UNDER_WAY)
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


def _short(bot: str, bots: Sequence[str]) -> str:
    """Return a bot's channel, with its place among these where there are several."""
    channel = bot.partition(":")[0]
    of_channel = [each for each in bots if each.partition(":")[0] == channel]
    return f"{channel} {of_channel.index(bot) + 1}" if len(of_channel) > 1 else channel
