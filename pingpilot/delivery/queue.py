"""The queue: what is put right in a channel's deliveries when a daemon, a lease or a clock was wrong."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from models import AttemptOutcome, DestinationKind
from models.database import connection, in_one_go, unit_of_work
from models.delivery import with_statuses
from models.sql import as_datetime, is_postgres, query
from models.work import Ask, Insert, Work
from pingpilot.clock import SKEW, Clock
from pingpilot.cluster.mandate import TERM, Mandate
from pingpilot.delivery.attempts import RETRY_DELAYS, interrupted, longest_wait
from pingpilot.delivery.claiming import LEASE
from pingpilot.delivery.due import quiet_hours_of
from pingpilot.delivery.pacing import Sent

_PUT_BACK = with_statuses("""
UPDATE deliveries SET status = :pending, leased_by = NULL, lease_until = NULL
WHERE channel = ? AND lane = ? AND status = :sending AND {own} AND NOT (id = ANY(?)) RETURNING id
""")
_BRING_FORWARD = with_statuses("""
UPDATE deliveries SET next_attempt_at = ?
WHERE channel = ? AND lane = ? AND status = :pending AND ({too_late}) RETURNING id
""")
_HELD = with_statuses("""
SELECT d.account_id, d.destination, MAX(d.next_attempt_at) AS latest, a.time_zone, a.suspended_at,
       dest.quiet_from, dest.quiet_until, dest.quiet_silently, dest.muted_until
FROM deliveries d
JOIN accounts a ON a.id = d.account_id
JOIN destinations dest ON dest.account_id = d.account_id AND dest.name = d.destination
WHERE d.channel = ? AND d.lane = ? AND d.status = :held
GROUP BY d.account_id, d.destination, a.time_zone, a.suspended_at, dest.quiet_from, dest.quiet_until,
         dest.quiet_silently, dest.muted_until
""")
_HOLD_UNTIL = with_statuses("""
UPDATE deliveries SET next_attempt_at = ?
WHERE channel = ? AND account_id = ? AND destination = ? AND status = :held AND next_attempt_at > ?
RETURNING id
""")
_TAKE_BACK = with_statuses("""
UPDATE deliveries
SET status = :pending, next_attempt_at = ?, leased_by = NULL, lease_until = NULL, last_error = ?
WHERE id IN (SELECT id FROM deliveries WHERE status = :sending AND {condition} {lock}) RETURNING id
""")
_HISTORY = ("delivery_id", "started_at", "duration_ms", "outcome", "reason")


_LONGEST_WINDOW = timedelta(minutes=1)  # in which a platform counts messages: Telegram's 20 to a group
_LONGEST_SEND = timedelta(seconds=90)
_MOST_SENT = 30_000  # of all channels: a minute of 500 mails a second hides no chat's
# What went out together is one message; one that was cut off may have gone out just before it was taken back
_SENT_LATELY = f"""
SELECT dest.address, dest.kind, a.started_at, a.duration_ms FROM (
    SELECT delivery_id, started_at, duration_ms FROM delivery_attempts ORDER BY id DESC LIMIT {_MOST_SENT}
) AS a JOIN deliveries d ON d.id = a.delivery_id
JOIN destinations dest ON dest.account_id = d.account_id AND dest.name = d.destination
    AND dest.channel = d.channel
WHERE d.channel = ? AND d.lane = ? AND a.started_at > ? AND dest.address IS NOT NULL
GROUP BY dest.address, dest.kind, a.started_at, a.duration_ms ORDER BY a.started_at
"""  # noqa: S608


class DeliveryQueue:
    """The deliveries of one channel's bot, as this daemon looks after them by its `mandate`."""

    def __init__(self, *, channel: str, mandate: Mandate, lane: int = 0) -> None:
        self._channel = channel
        self._way = (channel, lane)
        self._mandate = mandate

    async def recover(self, dead: Sequence[str], now: datetime) -> int:
        """Take back what daemons that are certainly dead were sending; return how many."""
        if not dead:
            return 0
        condition = f"channel = ? AND ({_of_daemons()})"  # by whichever bot: its token may be gone since
        return await in_one_go(_taking_back(condition, [self._channel, list(dead)], now))

    async def put_back(self, *, sparing: Sequence[int]) -> None:
        """Put back what this daemon leased and never began to send; `sparing` are those it is sending."""
        sql = _PUT_BACK.format(own=_of_daemons())
        values = [*self._way, [self._identity], list(sparing)]

        def putting_back() -> Work[None]:
            yield Ask(sql, values)

        await in_one_go(putting_back())

    async def expire_leases(self, now: datetime, *, sparing: Sequence[int]) -> int:
        """Take back what a daemon held longer than its lease; return how many.

        A lease that ends later than any can was taken when that daemon's clock was wrong; those of others
        that are known to live never run out. `sparing` are the deliveries that the caller is sending itself,
        however long that takes. Where this daemon alone sends, every other lease is of a term that is over:
        it was written late, or locked while this one began.
        """
        condition = "channel = ? AND lane = ? AND NOT (id = ANY(?)) AND (lease_until < ? OR lease_until > ?"
        values: list[Any] = [*self._way, list(sparing), now, now + LEASE + SKEW]
        if self._mandate.is_exclusive:
            condition += f" OR leased_by LIKE '%{TERM}%' AND leased_by <> ?)"
            values.append(self._mandate.name)
        elif others := set(self._mandate.living) - {self._identity}:
            condition += f") AND NOT ({_of_daemons()})"
            values.append(list(others))
        else:
            condition += ")"
        return await in_one_go(_taking_back(condition, values, now))

    @unit_of_work
    async def sent_lately(self, now: datetime) -> list[Sent]:
        """Return what was sent within the last minute, by whichever daemon, the oldest first."""
        rows = await query(connection(), _SENT_LATELY, [*self._way, now - _LONGEST_WINDOW - _LONGEST_SEND])
        sent = []
        for row in rows:
            ago = now - as_datetime(row["started_at"]) - timedelta(milliseconds=row["duration_ms"])
            if ago < _LONGEST_WINDOW:
                in_room = DestinationKind(row["kind"]) in (DestinationKind.ROOM, DestinationKind.TOPIC)
                sent.append(Sent(row["address"], in_room, max(0.0, ago.total_seconds())))
        return sent

    @unit_of_work
    async def bring_forward(self, now: datetime, *, asked_for: timedelta) -> int:
        """Make due what waits longer than it can have to: its time was set by a clock that was ahead.

        What waits because a platform asked for it is believed as far as `asked_for`. Returns how many
        deliveries changed.
        """
        parts, latest = ["attempts <= forgiven AND next_attempt_at > ?"], [now + asked_for]
        for attempts in range(1, len(RETRY_DELAYS)):
            parts.append(f"attempts - forgiven = {attempts} AND next_attempt_at > ?")
            latest.append(now + max(longest_wait(attempts), asked_for) + SKEW)
        parts.append(f"attempts - forgiven >= {len(RETRY_DELAYS)} AND next_attempt_at > ?")
        latest.append(now + max(longest_wait(len(RETRY_DELAYS)), asked_for) + SKEW)
        sql = _BRING_FORWARD.format(too_late=" OR ".join(f"({part})" for part in parts))
        changed = len(await query(connection(), sql, [now, *self._way, *latest]))
        for row in await query(connection(), _HELD, self._way):
            until = quiet_hours_of(row).quiet_until(now) or now
            if as_datetime(row["latest"]) > until:
                values = [until, self._channel, row["account_id"], row["destination"], until]
                changed += len(await query(connection(), _HOLD_UNTIL, values))
        return changed

    @property
    def _identity(self) -> str:
        return self._mandate.name.partition(TERM)[0]


def taking_over(channel: str, clock: Clock, *, lane: int = 0) -> Work[int]:
    """Take back what former leaders of a channel's bot were sending; return how many.

    Within the transaction that makes this daemon the leader. What one of them has locked just now is passed
    over: its outcome is about to be written, or it is found by `expire_leases`.
    """
    condition = f"channel = ? AND lane = ? AND leased_by LIKE '%{TERM}%'"
    return _taking_back(condition, [channel, lane], clock.now())


async def take_back_of(dead: Sequence[str], clock: Clock) -> int:
    """Take back what daemons were sending, over whatever channel, that are dead; return how many.

    Raises `DatabaseUnavailable`.
    """
    return await in_one_go(_taking_back(_of_daemons(), [list(dead)], clock.now()))


def _of_daemons() -> str:
    """Return the condition that a delivery is leased by one of several daemons, in whatever term."""
    return (
        f"split_part(leased_by, '{TERM}', 1) = ANY(?)" if is_postgres(connection()) else "leased_by = ANY(?)"
    )


def _taking_back(condition: str, values: Sequence[Any], now: datetime) -> Work[int]:
    verdict = interrupted(now)
    # Made here: what is yielded may run in the database's thread
    lock = "FOR UPDATE SKIP LOCKED" if is_postgres(connection()) else ""
    sql = _TAKE_BACK.format(condition=condition, lock=lock)

    def work() -> Work[int]:
        rows = yield Ask(sql, [now, verdict.reason, *values])
        told = [(row["id"], now, 0, AttemptOutcome.INTERRUPTED.value, verdict.reason) for row in rows]
        if told:
            yield Insert("delivery_attempts", _HISTORY, told)
        return len(told)

    return work()
