"""Claiming: what is due is leased to this daemon, for all channels that ask at once."""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from models.database import connection, in_one_go
from models.delivery import with_statuses
from models.sql import as_uuid, is_postgres
from models.work import Ask, Work
from pingpilot.batching import Batcher
from pingpilot.delivery.attempts import HOLDS_BACK
from pingpilot.delivery.claims import Claim, Companion, claim_over, companions_wanted
from pingpilot.delivery.due import DueDelivery, Place, Way, read_due

LEASE = timedelta(minutes=3)
"""Longer than any send takes with its wait for a turn: a lease that runs out belongs to a dead daemon."""
MOST_COMBINED = 500
"""Deliveries that one round of claims adds to those it found due: of 2,000, the daemon kept 2 MB more."""
MOST_SEEN = 128
"""Destinations with something due that one look at the queue finds; the next look goes on behind them."""
_MOST_OF_AN_ACCOUNT = 50  # of them: one that has very many hides no other

_WAITING = f"channel = ? AND lane = ? AND status = :pending AND attempts <= {HOLDS_BACK}"
_FIRST = "ORDER BY account_id, destination, id LIMIT 1"
_IS_FREE = """
CASE WHEN d.next_attempt_at <= ? AND NOT EXISTS (
    SELECT 1 FROM deliveries busy WHERE busy.channel = ? AND busy.status = :sending
        AND busy.account_id = d.account_id AND busy.destination = d.destination
) THEN 1 ELSE 0 END
"""
_BUSY = """
(SELECT COUNT(DISTINCT busy.destination) FROM deliveries busy
 WHERE busy.channel = ? AND busy.status = :sending AND busy.account_id = {account}) AS busy
"""
# From the oldest waiting delivery of one destination to that of the next, each found by the index: what it
# costs grows with the destinations it passes, and not with what waits for them. It begins behind the account
# where the last look ended, goes round once, and ends when it has found enough. A delivery that waits for an
# early retry holds back what waits behind it; one that has stepped aside is found by the query below.
_WALK = with_statuses(f"""
WITH RECURSIVE walk (id, account_id, destination, next_attempt_at, is_free, before, found, is_round) AS (
    SELECT d.id, d.account_id, d.destination, d.next_attempt_at, {_IS_FREE}, 0, 0,
        CASE WHEN d.account_id <= ? THEN 1 ELSE 0 END
    FROM deliveries d WHERE d.id = COALESCE(
        (SELECT id FROM deliveries WHERE {_WAITING} AND account_id > ? {_FIRST}),
        (SELECT id FROM deliveries WHERE {_WAITING} {_FIRST})
    )
    UNION ALL
    SELECT d.id, d.account_id, d.destination, d.next_attempt_at, {_IS_FREE},
        CASE WHEN d.account_id = walk.account_id THEN walk.before + walk.is_free ELSE 0 END,
        walk.found + walk.is_free,
        CASE WHEN walk.is_round = 1
            OR (d.account_id, d.destination) <= (walk.account_id, walk.destination) THEN 1 ELSE 0 END
    FROM walk JOIN deliveries d ON d.id = COALESCE(
        (SELECT id FROM deliveries WHERE {_WAITING} AND account_id = walk.account_id
            AND destination > walk.destination
            AND walk.before + walk.is_free < {_MOST_OF_AN_ACCOUNT} {_FIRST}),
        (SELECT id FROM deliveries WHERE {_WAITING} AND account_id > walk.account_id {_FIRST}),
        (SELECT id FROM deliveries WHERE {_WAITING} AND walk.is_round = 0 {_FIRST})
    )
    WHERE walk.found + walk.is_free < {MOST_SEEN} AND NOT (walk.is_round = 1 AND walk.account_id > ?)
)
SELECT id, account_id, destination, next_attempt_at, {_BUSY.format(account="walk.account_id")} FROM walk
WHERE is_free = 1 AND NOT (is_round = 1 AND account_id > ?) ORDER BY found
""")  # noqa: S608
_ASIDE = with_statuses(f"""
SELECT d.id, d.account_id, d.destination, d.next_attempt_at, {_BUSY.format(account="d.account_id")}
FROM deliveries d
WHERE d.channel = ? AND d.lane = ? AND d.status = :pending AND d.attempts > {HOLDS_BACK} AND {_IS_FREE} = 1
ORDER BY d.id
""")  # noqa: S608
_RELEASE = with_statuses("""
UPDATE deliveries SET status = :pending
WHERE channel = ? AND status = :held AND next_attempt_at <= ? RETURNING id
""")
_CHANGE_LANE = with_statuses("""
UPDATE deliveries SET lane = ? WHERE id = ANY(?) AND status = :pending RETURNING id
""")
_LEASE = with_statuses("""
UPDATE deliveries SET status = :sending, leased_by = ?, lease_until = ?
WHERE id = ANY(?) AND status = :pending RETURNING id
""")
# Each by the name of its channel's term. Two daemons that read at the same time may have chosen two
# deliveries of one destination, where a transaction of one of them has made another one due. Whoever got the
# lock on the destination, with the deliveries', sees here what the one before it has leased.
_LEASE_AMONG_MANY = with_statuses("""
UPDATE deliveries d SET status = :sending, leased_by = given.name, lease_until = ?
FROM unnest(CAST(? AS BIGINT[]), CAST(? AS TEXT[])) AS given (id, name)
WHERE d.id = given.id AND d.status = :pending AND NOT EXISTS (
    SELECT 1 FROM deliveries busy WHERE busy.channel = d.channel AND busy.status = :sending
        AND busy.account_id = d.account_id AND busy.destination = d.destination
) RETURNING d.id
""")
# What waits behind a claimed delivery and can go out with it: for a first attempt all that is due and was
# never sent, for another one the set that went out together before, so that the platform knows the message
# again. An attempt that was interrupted counts for nothing; it is told by the error it left.
_COMPANIONS = with_statuses("""
SELECT w.id, w.event_id, e.category, (e.notice OR COALESCE(c.urgent, FALSE)) AS passes FROM deliveries w
JOIN events e ON e.id = w.event_id
LEFT JOIN categories c ON c.account_id = w.account_id AND c.name = e.category
WHERE w.channel = ? AND w.lane = ? AND w.status = :pending AND w.account_id = ? AND w.destination = ?
    AND w.attempts = ?
    AND w.next_attempt_at <= ? AND (w.next_attempt_at = ? OR ? AND w.last_error IS NULL)
ORDER BY w.account_id, w.destination, w.id LIMIT ?
""")  # in the index's order, lest PostgreSQL walk through all deliveries by their ids


@dataclass(frozen=True, slots=True)
class Wish:
    """What a channel's bot asks for: up to so many messages of what is due `now`, to be leased by that name.

    `lane` is the bot's, 0 where the channel has one. `releases` has those put back in the queue first whose
    quiet hours are over.
    """

    channel: str
    leased_by: str
    most: int
    now: datetime
    releases: bool = False
    lane: int = 0

    @property
    def way(self) -> Way:
        """By which bot of which channel it goes."""
        return self.channel, self.lane


class Claimer:
    """Leases what is due to one daemon: one transaction for all channels that ask in the same moment.

    On SQLite a lease is not synced: a power cut that loses it ends the daemon as well, and what it was
    sending is pending again, as it is wherever a daemon dies.
    """

    def __init__(self) -> None:
        self._ends: defaultdict[Way, int] = defaultdict(int)  # the account where a look ended
        self._wishes: Batcher[Wish, list[Claim]] = Batcher(self._claim)

    async def claim(self, wish: Wish) -> list[Claim]:
        """Lease what is due, one message a destination at a time, oldest first; return what to send.

        Raises `DatabaseUnavailable`; some of it may be leased all the same then.
        """
        return await self._wishes.submit(wish)

    async def _claim(self, wishes: list[Wish]) -> list[list[Claim] | Exception]:
        return await in_one_go(self._claiming(wishes, is_postgres(connection())), durable=False)

    def _claiming(self, wishes: Sequence[Wish], locks: bool) -> Work[list[list[Claim] | Exception]]:
        chosen: list[int] = []
        for wish in sorted(wishes, key=lambda each: each.way):  # two daemons in the same order
            if wish.releases:
                yield Ask(_RELEASE, [wish.channel, wish.now])
            chosen += yield from self._choose(wish)
        claims: defaultdict[Way, list[Claim]] = defaultdict(list)
        if chosen:
            now = max(wish.now for wish in wishes)
            names = {wish.way: wish.leased_by for wish in wishes}
            heads = yield from read_due(chosen, now, locks=locks)
            heads = yield from _own_heads(heads, names)
            leased = yield from _lease([(head.id, names[head.way]) for head in heads], now, locks)
            heads = [head for head in heads if head.id in leased]
            behind = yield from self._lease_companions(heads, now, names)
            last = [companions[-1].id for companions in behind.values()]
            newest = {each.place: each for each in (yield from read_due(last, now))} if last else {}
            for head in heads:
                shown, older = head, list[DueDelivery | Companion]()
                if companions := behind.get(head.place):
                    shown, older = newest[head.place], [head, *companions[:-1]]
                name = names[head.way]
                claims[head.way].append(claim_over(shown, older, now, leased_by=name))
        return [claims.pop(wish.way, []) for wish in wishes]

    def _choose(self, wish: Wish) -> Work[list[int]]:
        """Return the deliveries to lease: one of each destination that has none being sent.

        No account's second before all others' first, those being sent counted: slow destinations, of which
        one may have many, leave slots to the other accounts, however much waits for them.
        """
        name, way, now, end = wish.channel, wish.way, wish.now, self._ends[wish.way]
        values = [now, name, end, *way, end, *way, now, name, *way, *way, *way, end, name, end]
        walked = yield Ask(_WALK, values)
        aside = yield Ask(_ASIDE, [name, *way, now, name])
        heads: dict[Place, Any] = {}
        for row in (*walked, *aside):
            place = (name, row["account_id"], row["destination"])
            if place not in heads or row["id"] < heads[place]["id"]:
                heads[place] = row
        places: Counter[int] = Counter()
        turns: dict[int, int] = {}
        for row in sorted(heads.values(), key=lambda row: row["id"]):
            places[row["account_id"]] += 1
            turns[row["id"]] = places[row["account_id"]] + row["busy"]
        if len(walked) < MOST_SEEN:  # that was all
            order = sorted(
                heads.values(), key=lambda row: (turns[row["id"]], row["next_attempt_at"], row["id"])
            )
            self._ends[way] = 0
        else:  # the accounts in turn, as the walk goes
            order = sorted(heads.values(), key=lambda row: turns[row["id"]])
            taken = {row["id"] for row in order[: wish.most]}
            if passed := [row["account_id"] for row in walked if row["id"] in taken]:
                self._ends[way] = passed[-1]
        return [row["id"] for row in order[: wish.most]]

    def _lease_companions(
        self, heads: Sequence[DueDelivery], now: datetime, names: Mapping[Way, str]
    ) -> Work[dict[Place, list[Companion]]]:
        """Lease what goes along with the heads, one a destination; return it by destination, oldest first."""
        behind: dict[Place, list[Companion]] = {}
        chosen: list[int] = []
        leased_by = {head.place: names[head.way] for head in heads}
        for head in heads:
            wanted = companions_wanted(head, now)
            if wanted is None or len(chosen) >= MOST_COMBINED:
                continue
            values: list[Any] = [*head.way, head.account_id, head.destination, head.attempts + head.forgiven]
            values += [now, head.next_attempt_at, head.is_new]
            rows = yield Ask(_COMPANIONS, [*values, MOST_COMBINED - len(chosen)])
            found = [
                Companion(row["id"], as_uuid(row["event_id"]), row["category"], bool(row["passes"]))
                for row in rows
                if wanted.passing in (None, bool(row["passes"]))
            ]
            if len(found) >= wanted.least:
                behind[head.place] = found
                chosen += [each.id for each in found]
        if not chosen:
            return behind
        leased = set[int]()
        for name in sorted({leased_by[place] for place in behind}):
            ids = [each.id for place, found in behind.items() if leased_by[place] == name for each in found]
            leased |= {row["id"] for row in (yield Ask(_LEASE, [name, now + LEASE, ids]))}
        own = {place: [each for each in found if each.id in leased] for place, found in behind.items()}
        return {place: found for place, found in own.items() if found}


def _own_heads(heads: Sequence[DueDelivery], ways: Collection[Way]) -> Work[list[DueDelivery]]:
    """Return what can be sent by these ways; the rest, whose destination was linked with another bot since,
    goes over to that one.
    """
    strays = defaultdict[int, list[int]](list)
    for head in heads:
        if head.lane != head.lane_of_destination:
            strays[head.lane_of_destination].append(head.id)
    for lane, ids in strays.items():
        yield Ask(_CHANGE_LANE, [lane, ids])
    return [head for head in heads if head.lane == head.lane_of_destination and head.way in ways]


def _lease(named: Sequence[tuple[int, str]], now: datetime, is_shared: bool) -> Work[set[int]]:
    """Lease deliveries, each by a name; return those that are."""
    ids, names = [each for each, _ in named], [name for _, name in named]
    if is_shared:
        rows = yield Ask(_LEASE_AMONG_MANY, [now + LEASE, ids, names])
    elif ids:
        rows = yield Ask(_LEASE, [names[0], now + LEASE, ids])
    else:
        rows = []
    return {row["id"] for row in rows}
