"""The journal: writes down what came of each attempt, and what follows for the delivery and its recipient."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from models import AttemptOutcome, DeliveryStatus, Destination
from models.activity import slot_of
from models.database import connection, in_one_go, transaction, unit_of_work, within
from models.delivery import OF_DESTINATION, WAITING_STATUSES, select_with_statuses, with_statuses
from models.destination import USABLE
from models.sql import as_datetime, as_uuid, is_postgres, query
from models.work import Ask, Insert, Work
from pingpilot.batching import Batcher
from pingpilot.channels import CHANNELS, direct_channels
from pingpilot.delivery.attempts import Attempt
from pingpilot.delivery.failure_counts import FailureCounts
from pingpilot.errors import RecipientMoved
from pingpilot.events import notices

# A statement of its own: SQLite uses no index on texts for what stands behind RETURNING
_FOLLOWED = with_statuses("""
SELECT d.id FROM deliveries d WHERE d.id = ANY(?) AND EXISTS (
    SELECT 1 FROM deliveries w WHERE w.channel = d.channel AND w.lane = d.lane AND w.status = :pending
        AND w.account_id = d.account_id AND w.destination = d.destination
)
""")
_DELIVERED = with_statuses("""
UPDATE deliveries SET status = :delivered, attempts = attempts + 1, next_attempt_at = NULL, leased_by = NULL,
    lease_until = NULL, last_error = NULL, delivered_at = ?
WHERE id = ANY(?) AND status <> :delivered AND (leased_by IS NULL OR leased_by = ?) RETURNING id
""")
# On PostgreSQL, where each statement is a way to the server and back, one for all of a batch
_ALL_DELIVERED = with_statuses("""
UPDATE deliveries d SET status = :delivered, attempts = d.attempts + 1, next_attempt_at = NULL,
    leased_by = NULL, lease_until = NULL, last_error = NULL, delivered_at = given.at
FROM unnest(CAST(? AS BIGINT[]), CAST(? AS TIMESTAMPTZ[]), CAST(? AS TEXT[])) AS given (id, at, name)
WHERE d.id = given.id AND d.status <> :delivered AND (d.leased_by IS NULL OR d.leased_by = given.name)
RETURNING d.id
""")
_UPDATE = with_statuses("""
UPDATE deliveries SET status = ?, attempts = attempts + ?, next_attempt_at = ?, leased_by = NULL,
    lease_until = NULL, last_error = CASE WHEN ? THEN ? ELSE last_error END, delivered_at = NULL
WHERE id = ANY(?) AND status = :sending AND leased_by = ? RETURNING id
""")
_FAIL_WAITING = with_statuses(f"""
UPDATE deliveries SET status = :failed, next_attempt_at = NULL, last_error = ?
WHERE id IN (
    SELECT id FROM ({select_with_statuses("id", WAITING_STATUSES, OF_DESTINATION)}) AS waiting
    ORDER BY id LIMIT ?
) RETURNING id, event_id
""")  # noqa: S608
# In one transaction, whose time is limited; those beyond fail one by one when it is their turn
MOST_FAILED_AT_ONCE = 5000
# One an event: two destinations may fail at the same time. Notices go to every one anyway.
_ADD_FALLBACKS = with_statuses(f"""
INSERT INTO deliveries
  (event_id, account_id, channel, lane, destination, status, attempts, forgiven, next_attempt_at,
   stands_in_for)
SELECT e.id, e.account_id, dest.channel, dest.lane, dest.name, :pending, 0, 0, e.created_at, MIN(d.id)
FROM deliveries d
JOIN events e ON e.id = d.event_id
JOIN categories c ON c.account_id = e.account_id AND c.name = e.category
JOIN destinations dest ON dest.account_id = e.account_id AND dest.name = c.fallback
WHERE d.id = ANY(?) AND d.status = :failed AND NOT e.notice AND {USABLE}
  AND NOT EXISTS (
    SELECT 1 FROM deliveries other WHERE other.event_id = e.id AND other.destination = c.fallback
  )
GROUP BY e.id, e.account_id, dest.channel, dest.lane, dest.name, e.created_at
RETURNING id
""")  # noqa: S608
_DUE_WHERE_REMOVED = with_statuses("""
UPDATE deliveries SET next_attempt_at = ?
WHERE id = ANY(?) AND status = :pending AND NOT EXISTS (
    SELECT 1 FROM destinations dest
    WHERE dest.account_id = deliveries.account_id AND dest.name = deliveries.destination
      AND dest.channel = deliveries.channel
) RETURNING id
""")
_LOCK_EVENTS = """
SELECT id FROM events WHERE id IN (SELECT event_id FROM deliveries WHERE id = ANY(?))
ORDER BY id FOR NO KEY UPDATE
"""

# In the order of the counters, lest two daemons wait for each other
_COUNT = with_statuses("""
INSERT INTO delivery_activity (account_id, slot, category, destination, delivered, failed)
SELECT e.account_id, CAST(? AS BIGINT), e.category, d.destination,
    COUNT(CASE WHEN d.status = :delivered THEN 1 END), COUNT(CASE WHEN d.status = :failed THEN 1 END)
FROM deliveries d JOIN events e ON e.id = d.event_id
WHERE d.id = ANY(?) AND NOT e.notice
GROUP BY e.account_id, e.category, d.destination ORDER BY e.account_id, e.category, d.destination
ON CONFLICT (account_id, slot, category, destination) DO UPDATE SET
    delivered = delivery_activity.delivered + excluded.delivered,
    failed = delivery_activity.failed + excluded.failed
""")
_EXISTING = "SELECT id FROM deliveries WHERE id = ANY(?)"
_HISTORY = ("delivery_id", "started_at", "duration_ms", "outcome", "reason")

_GONE_AFTER_DAYS = 3
"""A recipient who was refused on so many days, with nothing delivered in between, counts as gone."""
_REFUSED_BEFORE = with_statuses("""
SELECT a.started_at FROM delivery_attempts a
JOIN deliveries d ON d.id = a.delivery_id
WHERE d.channel = ? AND d.status = :failed AND d.account_id = ? AND d.destination = ?
  AND a.outcome = ? AND a.started_at < ?
  AND NOT EXISTS (
    SELECT 1 FROM deliveries taken WHERE taken.channel = d.channel AND taken.status = :delivered
      AND taken.account_id = d.account_id AND taken.destination = d.destination
      AND taken.delivered_at > a.started_at
  )
""")


_APART = 0.045
"""Seconds between commits while events are being stored: the outcomes of a long queue would take each second
turn at the database from the intake, whose senders wait for it."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What an attempt's record did: the events whose deliveries it changed, and whether there may be more to
    send to the same destination now.
    """

    changed: set[UUID]
    is_followed: bool


class Journal:
    """Records the attempts of all of a daemon's channels, many a commit.

    While it `gives_way`, commits are fewer and larger.
    """

    def __init__(self, *, gives_way: Callable[[], bool] = lambda: False) -> None:
        self._failures = FailureCounts()
        self._commits: Batcher[Attempt, Recorded] = Batcher(self._commit, apart=_APART, gives_way=gives_way)

    async def record(self, attempt: Attempt) -> Recorded:
        """Write down what the attempt means for its deliveries.

        A recipient that is gone, or was refused on three days, has its destination suspended, what waits
        for it failed, and the owner told on the channels that still work. What failed goes out again over its
        category's fallback. Raises `DatabaseUnavailable`, or `IntegrityConflict` where an account is
        being deleted just now; nothing is recorded then.
        """
        return await self._commits.submit(attempt)

    async def idle(self) -> None:
        """Return when everything handed in is recorded."""
        await self._commits.idle()

    @unit_of_work
    async def _commit(self, attempts: list[Attempt]) -> list[Recorded | Exception]:
        locks = is_postgres(connection())
        waiting: list[dict[int, UUID]] = [{} for _ in attempts]
        if any(map(_concerns_the_destination, attempts)):
            async with transaction():
                changed, followed = await within(self._update(attempts, locks))
                for place, attempt in enumerate(attempts):
                    if moved := attempt.verdict.moved_to:
                        await self._move(attempt, moved)
                    if attempt.verdict.recipient_gone or await self._is_refused_for_days(attempt):
                        waiting[place] = await self._suspend(attempt)
                await within(self._follow(attempts, changed, waiting, locks))
        else:
            followed = await in_one_go(self._record_plainly(attempts, waiting, locks))
        return [
            Recorded(attempt.claim.event_ids | set(also.values()), is_followed)
            for attempt, also, is_followed in zip(attempts, waiting, followed, strict=True)
        ]

    def _record_plainly(
        self, attempts: Sequence[Attempt], waiting: Sequence[Mapping[int, UUID]], locks: bool
    ) -> Work[list[bool]]:
        changed, followed = yield from self._update(attempts, locks)
        yield from self._follow(attempts, changed, waiting, locks)
        return followed

    def _update(self, attempts: Sequence[Attempt], at_once: bool) -> Work[tuple[set[int], list[bool]]]:
        """Let the deliveries be what the verdicts say.

        With `at_once`, those that were delivered by one statement. Returns those that were not so yet, and
        for each attempt whether more may wait for its destination.
        A lease may have run out meanwhile; what was delivered is so even then, unless somebody is sending it
        again just now.
        """
        changed: set[int] = set()
        if at_once and (taken := [each for each in attempts if _is_delivered(each)]):
            given = [
                (each, attempt.ended_at, attempt.claim.leased_by)
                for attempt in taken
                for each in attempt.claim.delivery_ids
            ]
            rows = yield Ask(_ALL_DELIVERED, [list(column) for column in zip(*given, strict=True)])
            changed = {row["id"] for row in rows}
        for attempt in attempts:
            claim, verdict = attempt.claim, attempt.verdict
            if _is_delivered(attempt):
                if at_once:
                    continue
                rows = yield Ask(_DELIVERED, [attempt.ended_at, claim.delivery_ids, claim.leased_by])
            else:
                told = bool(verdict.outcome or verdict.reason)
                values: list[Any] = [verdict.status.value, int(verdict.counted), verdict.next_attempt_at]
                values += [told, verdict.reason, claim.delivery_ids, claim.leased_by]
                rows = yield Ask(_UPDATE, values)
            changed |= {row["id"] for row in rows}
            if verdict.status is DeliveryStatus.PENDING and claim.destination not in direct_channels():
                # Due at once what was being sent while its destination was removed, so that it fails
                yield Ask(_DUE_WHERE_REMOVED, [attempt.ended_at, claim.delivery_ids])
        delivered = [each.claim.delivery_id for each in attempts if _is_delivered(each)]
        followed = {row["id"] for row in (yield Ask(_FOLLOWED, [delivered]))} if delivered else set()
        return changed, [
            each.claim.delivery_id in followed if _is_delivered(each) else True for each in attempts
        ]

    def _follow(
        self,
        attempts: Sequence[Attempt],
        changed: set[int],
        waiting: Sequence[Mapping[int, UUID]],
        locks: bool,
    ) -> Work[None]:
        """Write down what follows: history, counts and fallbacks.

        `changed` are the deliveries whose status is new, `waiting` those that failed with each attempt.
        """
        yield from _write_history(attempts, changed)
        failed = [each for also in waiting for each in also]
        delivered: list[int] = []
        for attempt in attempts:
            own = [each for each in attempt.claim.delivery_ids if each in changed]
            if attempt.verdict.status is DeliveryStatus.FAILED:
                failed += own
            elif _is_delivered(attempt):
                delivered += own
        if settled := delivered + failed:
            yield Ask(_COUNT, [slot_of(attempts[-1].ended_at), settled])
        if failed:
            yield from fallback_deliveries(failed, locks)
        fates = [
            (attempt, len(attempt.claim.deliveries) + len(also))
            for attempt, also in zip(attempts, waiting, strict=True)
        ]
        yield from self._failures.add(fates)  # last: all daemons share its rows

    async def _move(self, attempt: Attempt, moved: RecipientMoved) -> None:
        """Let all destinations that led there lead to the new address; tell their owner of a lost topic."""
        recipient = attempt.claim.recipient
        if recipient is None:
            return
        lost_topic = recipient.topic if moved.topic is None else None
        if moved.address != recipient.address:  # the whole room moved, and its topics with it
            await Destination.move_room(attempt.claim.channel, recipient.address, to=moved.address)
        elif lost_topic is not None and await Destination.leave_topic(
            attempt.claim.channel, recipient.address, lost_topic
        ):
            text = (
                f"{moved.reason} What goes to '{recipient.destination}' comes to the whole room from now on."
            )
            await notices.post_notice(attempt.claim.account_id, text, now=attempt.ended_at)

    async def _is_refused_for_days(self, attempt: Attempt) -> bool:
        if attempt.verdict.outcome is not AttemptOutcome.REFUSED:
            return False
        today = attempt.started_at.replace(hour=0, minute=0, second=0, microsecond=0)
        claim = attempt.claim
        own = [claim.channel, claim.account_id, claim.destination]
        values = [*own, AttemptOutcome.REFUSED.value, today]
        before = await query(connection(), _REFUSED_BEFORE, values)
        days = {as_datetime(row["started_at"]).date() for row in before}
        return len(days) + 1 >= _GONE_AFTER_DAYS

    async def _suspend(self, attempt: Attempt) -> dict[int, UUID]:
        """Suspend the destination; return what waited for it and failed with it: ids with events."""
        claim, reason = attempt.claim, attempt.verdict.reason or ""
        if not reason.endswith((".", "!", "?")):  # a platform's words; others follow them
            reason += "."
        if claim.recipient is None or not await Destination.suspend(
            claim.account_id, claim.destination, address=claim.recipient.address, reason=reason
        ):
            return {}
        waiting = await query(
            connection(),
            _FAIL_WAITING,
            [
                reason,
                *[claim.channel, claim.lane, claim.account_id, claim.destination] * len(WAITING_STATUSES),
                MOST_FAILED_AT_ONCE,
            ],
        )
        label = CHANNELS[claim.channel].label
        what = f"{label} is suspended for your account"
        if claim.destination not in direct_channels():
            what = f"The destination '{claim.destination}' ({label}) is suspended"
        await notices.post_notice(
            claim.account_id,
            f"{what}: {reason} Link or switch it on again to go on.",
            now=attempt.ended_at,
        )
        return {row["id"]: as_uuid(row["event_id"]) for row in waiting}


def _is_delivered(attempt: Attempt) -> bool:
    return attempt.verdict.status is DeliveryStatus.DELIVERED


def _concerns_the_destination(attempt: Attempt) -> bool:
    verdict = attempt.verdict
    is_refused = verdict.outcome is AttemptOutcome.REFUSED
    return verdict.recipient_gone or is_refused or verdict.moved_to is not None


def _write_history(attempts: Sequence[Attempt], known: set[int]) -> Work[None]:
    """Record the attempts of those deliveries that still exist: an account may be deleted at any moment.

    `known` are some that do.
    """
    told = [attempt for attempt in attempts if attempt.verdict.outcome]
    asked = [each for attempt in told for each in attempt.claim.delivery_ids if each not in known]
    if asked:
        known = known | {row["id"] for row in (yield Ask(_EXISTING, [asked]))}
    rows = [
        (
            delivery_id,
            attempt.started_at,
            round(attempt.duration / timedelta(milliseconds=1)),
            attempt.verdict.outcome.value,
            attempt.verdict.reason,
        )
        for attempt in told
        if attempt.verdict.outcome
        for delivery_id in attempt.claim.delivery_ids
        if delivery_id in known
    ]
    if rows:
        yield Insert("delivery_attempts", _HISTORY, rows)


def fallback_deliveries(failed: Sequence[int], locks: bool) -> Work[None]:
    """Queue a delivery to the fallback for each event of these deliveries that has none there yet.

    Within the transaction that failed them. The fallback's dispatcher finds what is new by itself.
    """
    if locks:  # on PostgreSQL, two channels' transactions must see each other's fallback deliveries
        yield Ask(_LOCK_EVENTS, [list(failed)])
    yield Ask(_ADD_FALLBACKS, [list(failed)])
