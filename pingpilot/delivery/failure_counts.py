"""Failures by reason over all accounts, for the operator: counted without a word of anybody's events."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from models import AttemptOutcome, DeliveryStatus
from models.database import reader
from models.failure_count import LONGEST_REASON, hour_of
from models.sql import query
from models.work import Insert, Work
from pingpilot.delivery.attempts import Attempt
from pingpilot.delivery.channel import Notification, field_text

SHOWN_FOR = timedelta(days=1)
MOST_REASONS = 100
"""Reasons of a channel that are told apart in an hour: some mail servers answer with ever new ids."""
OTHER = "Other reasons"
_COUNTED = (AttemptOutcome.FAILED, AttemptOutcome.REFUSED, AttemptOutcome.RETRY)
_GIVEN_UP = re.compile(r"^Given up after \d+ attempts: ")
# What a platform quotes may be a recipient's or a message's: in quotes, an address, a link, a long number
_QUOTED = re.compile(
    r"""https?://\S+|\S*@\S+|"[^"]*"|`[^`]*`|“[^”]*”|«[^»]*»|<[^>]*>|(?<!\w)'[^']*'(?!\w)|\b\w*\d{4}\w*\b"""
)
_WORD = re.compile(r"\w+")
_LEFT_OUT = "…"
_SHORTEST_WORD = 4
# Words of refusals that tell nothing, though an event may have them too
_PLAIN = frozenset(
    [
        "account",
        "address",
        "after",
        "again",
        "already",
        "answer",
        "answered",
        "away",
        "before",
        "blocked",
        "cannot",
        "chat",
        "channel",
        "connection",
        "could",
        "delivered",
        "delivery",
        "does",
        "domain",
        "error",
        "exist",
        "failed",
        "for",
        "forbidden",
        "found",
        "from",
        "full",
        "group",
        "have",
        "invalid",
        "mail",
        "mailbox",
        "message",
        "messages",
        "more",
        "network",
        "notification",
        "only",
        "quota",
        "rate",
        "recipient",
        "refused",
        "rejected",
        "request",
        "seconds",
        "send",
        "sender",
        "sent",
        "server",
        "service",
        "size",
        "storage",
        "such",
        "that",
        "there",
        "this",
        "time",
        "timeout",
        "timed",
        "unavailable",
        "unknown",
        "unlinked",
        "user",
        "webhook",
        "were",
        "with",
        "within",
    ]
)
_ADD = (
    "ON CONFLICT (hour, channel, final, reason) DO UPDATE SET "
    "failures = failure_counts.failures + excluded.failures"
)
_RECENT = """
SELECT channel, final, reason, SUM(failures) AS failures FROM failure_counts WHERE hour > ?
GROUP BY channel, final, reason ORDER BY final DESC, SUM(failures) DESC, channel, reason LIMIT ?
"""


@dataclass(frozen=True, slots=True)
class RecentFailures:
    """How many attempts failed for one reason. `is_final`: their deliveries were given up."""

    channel: str
    reason: str
    count: int
    is_final: bool


class FailureCounts:
    """Counts the channels' failures, in the transaction that records them."""

    def __init__(self) -> None:
        self._hour = 0
        self._reasons = defaultdict[str, set[str]](set)  # by channel, those of this hour

    def add(self, attempts: Sequence[tuple[Attempt, int]]) -> Work[None]:
        """Count attempts, each with how many deliveries shared its fate; those that did not fail are left
        out.
        """
        counts = Counter[tuple[int, str, bool, str]]()
        for attempt, deliveries in attempts:
            if attempt.verdict.outcome in _COUNTED:
                hour, is_final = hour_of(attempt.ended_at), attempt.verdict.status is DeliveryStatus.FAILED
                reason = general_reason(attempt.verdict.reason or "", attempt)
                channel = attempt.claim.channel
                counts[hour, channel, is_final, self._told_apart(hour, channel, reason)] += deliveries
        if counts:
            rows = [(*key, count) for key, count in sorted(counts.items())]  # two daemons in the same order
            yield Insert("failure_counts", ("hour", "channel", "final", "reason", "failures"), rows, _ADD)

    def _told_apart(self, hour: int, channel: str, reason: str) -> str:
        if hour != self._hour:
            self._hour = hour
            self._reasons.clear()
        known = self._reasons[channel]
        if reason not in known and len(known) >= MOST_REASONS:
            return OTHER
        known.add(reason)
        return reason


async def recent_failures(now: datetime, most: int) -> list[RecentFailures]:
    """Return what failed within `SHOWN_FOR`, what was given up first, the most frequent reasons first."""
    rows = await query(reader(), _RECENT, [hour_of(now - SHOWN_FOR), most])
    return [
        RecentFailures(row["channel"], row["reason"], int(row["failures"]), bool(row["final"]))
        for row in rows
    ]


def general_reason(reason: str, attempt: Attempt) -> str:
    """Return a failure's reason without what it says of its recipient or its message.

    Platforms repeat what they refuse, in quotes or not: any word that the event has too is left out, unless
    it is one that refusals are made of, and so is what is not plain ASCII.
    """
    claim = attempt.claim
    if claim.recipient:
        reason = claim.recipient.hidden_in(reason)
    reason = _QUOTED.sub(_LEFT_OUT, _GIVEN_UP.sub("", reason))
    own = {word.casefold() for text in _texts(claim.notification) for word in _WORD.findall(text)} - _PLAIN

    def shown(found: re.Match[str]) -> str:
        word = found[0].casefold()
        is_own = word in own and (len(word) >= _SHORTEST_WORD or not word.isalpha())
        return _LEFT_OUT if is_own or not word.isascii() else found[0]

    told = " ".join(_WORD.sub(shown, reason).split())
    told = re.sub(rf"{_LEFT_OUT}(?:\W*{_LEFT_OUT})+", _LEFT_OUT, told)
    return told if len(told) <= LONGEST_REASON else f"{told[: LONGEST_REASON - 1]}{_LEFT_OUT}"


def _texts(notification: Notification) -> Iterator[str]:
    yield notification.description
    yield notification.headline or ""
    yield notification.url or ""
    for name, value in notification.fields:
        yield name
        yield field_text(value)
