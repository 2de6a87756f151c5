"""What came of all faults, as a table, and what of it must not be."""

import math
from collections.abc import Iterable, Sequence

from tests.cluster.faults.rounds import Outcome
from tests.cluster.faults.seen import LED

_HEAD = (
    f"{'':>2}  {'fault':<18}  {'how':<24}  {'leader':<31}  {'telegram':>9}  {'discord':>9}  "
    f"{'doubled':>7}  {'cut off':>7}  {'late':>4}  "
    f"{'over':>4}  {'polls':>5}  {'sessions':>8}  {'not led':>7}  {'pause':>5}  {'all in':>6}"
)
LEGEND = """\
telegram, discord: seconds from the fault (from the database's return) to the next message, * of another term;
of several bots, the last one's
doubled / cut off: messages that came twice / attempts whose end nobody knows, over all places
late: accepted events that had not arrived three minutes later; over: limits of the platforms exceeded
polls, sessions: begun while another daemon's was open, as platforms see it; a frozen leader's is, once
not led: calls of a daemon that did not lead
pause: the longest time in which no event was accepted; all in: seconds until all had arrived"""


def head() -> str:
    """Return the table's first line."""
    return _HEAD


def row(outcome: Outcome) -> str:
    """Return a fault's line."""
    resumed = [_seconds(outcome, channel) for channel in LED]
    return (
        f"{outcome.number:>2}  {outcome.kind:<18}  {outcome.how:<24}  {outcome.leader:<31}  "
        f"{resumed[0]:>9}  {resumed[1]:>9}  {outcome.doubled.total():>7}  {outcome.cut_off.total():>7}  "
        f"{outcome.late:>4}  {outcome.counts.exceeded.total():>4}  {outcome.counts.polls.total():>5}  "
        f"{outcome.counts.sessions.total():>8}  {outcome.unentitled:>7}  "
        f"{outcome.pause:>5.1f}  {outcome.settled:>6.1f}"
    )


def fail_overs(outcomes: Iterable[Outcome]) -> list[float]:
    """Return the seconds of all fail-overs, sorted; infinite ones are those that never came."""
    return sorted(
        math.inf if each.seconds is None else each.seconds
        for outcome in outcomes
        if outcome.dethrones
        for each in outcome.resumed.values()
    )


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest of sorted values that so large a share does not exceed."""
    return values[max(0, math.ceil(share * len(values)) - 1)]


def summary(outcomes: Sequence[Outcome], *, lost: int) -> str:
    """Return what it all comes to; `lost` events have not arrived by the end."""
    lines = []
    if times := fail_overs(outcomes):
        lines.append(
            f"fail-over of {len(times)} leaderships: p50 {percentile(times, 0.5):.1f} s, "
            f"p95 {percentile(times, 0.95):.1f} s, longest {times[-1]:.1f} s"
        )
        for kind in sorted({each.kind for each in outcomes if each.dethrones}):
            of_kind = fail_overs(each for each in outcomes if each.kind == kind)
            lines.append(f"  {kind}: {', '.join(f'{each:.1f}' for each in of_kind)}")
    lines.append(
        f"doubled {sum(each.doubled.total() for each in outcomes)}, "
        f"cut off {sum(each.cut_off.total() for each in outcomes)}, "
        f"late {sum(each.late for each in outcomes)}, lost {lost}, "
        f"limits exceeded {sum(each.counts.exceeded.total() for each in outcomes)}, "
        f"calls of who did not lead {sum(each.unentitled for each in outcomes)}"
    )
    return "\n".join(lines)


def problems(outcomes: Sequence[Outcome], *, within: float) -> list[str]:
    """Return what must not be, with the fault's number; the fail-over's 95th percentile is to be `within`."""
    found = [f"{each.number} ({each.kind}): {problem}" for each in outcomes for problem in each.problems]
    times = fail_overs(outcomes)
    if times and (reached := percentile(times, 0.95)) > within:
        found.append(f"The fail-over's 95th percentile is {reached:.1f} s, over {within:g} s")
    return found


def _seconds(outcome: Outcome, channel: str) -> str:
    found = [each for bot, each in outcome.resumed.items() if bot.partition(":")[0] == channel]
    if not found:
        return "-"
    last = max(found, key=lambda each: math.inf if each.seconds is None else each.seconds)
    return "never" if last.seconds is None else f"{last.seconds:.1f}{'*' if last.moved else ' '}"
