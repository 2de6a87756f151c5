"""Who is calling: an API key becomes a `Caller`, many keys a query."""

import asyncio
import hmac
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple, TypeAlias

from models import Account, ApiKey, Destination, KeyScope, MonthlyUsage
from models.api_key import latest_expiry
from models.database import reader, unit_of_work
from models.destination import DestinationKind, Obstacle, obstacle_to
from models.names import split
from models.sql import as_datetime, marks, query
from models.work import Ask, Rows
from pingpilot.accounts.keys import key_hash, key_prefix, looks_like_key
from pingpilot.accounts.quota import PlanLimits, month_of
from pingpilot.batching import Batcher
from pingpilot.channels import CHANNELS
from pingpilot.clock import Clock

_USE_RECORDED_EVERY = timedelta(minutes=1)
_NOTED_WITHIN = 0.25  # seconds that a caller waits for that
_IN_FORCE = "k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > ? AND k.expires_at <= ?)"
_KEYS = f"""
SELECT k.id, k.hash, k.scope, k.categories, k.last_used_at, a.id AS account_id, a.email, a.plan,
       a.suspended_at, a.monthly_events, u.events, d.channel, d.name, d.kind, d.address,
       d.suspended_reason, d.lane
FROM api_keys k
JOIN accounts a ON a.id = k.account_id
LEFT JOIN monthly_usage u ON u.account_id = a.id AND u.month = ?
LEFT JOIN destinations d ON d.account_id = a.id AND d.enabled
WHERE {_IN_FORCE} AND k.prefix IN ({{prefixes}})
ORDER BY d.name
"""  # noqa: S608
_COMPARED = (
    *("scope", "categories", "plan", "suspended_at", "monthly_events"),
    *("channel", "name", "kind", "address", "suspended_reason", "lane"),
)
_STILL = f"""
SELECT k.id, k.scope, k.categories, a.plan, a.suspended_at, a.monthly_events,
       d.channel, d.name, d.kind, d.address, d.suspended_reason, d.lane
FROM api_keys k
JOIN accounts a ON a.id = k.account_id
LEFT JOIN destinations d ON d.account_id = a.id AND d.enabled
WHERE {_IN_FORCE} AND k.id = ANY(?)
ORDER BY d.name
"""  # noqa: S608
_MOST_REMEMBERED = 2048


class Target(NamedTuple):
    """A destination that events may go to: its name, the channel that leads there, its bot's lane."""

    name: str
    channel: str
    is_direct: bool = True
    lane: int = 0


@dataclass(frozen=True, slots=True)
class _KeyInForce:
    """A key with its account and month. `obstacles` are the destinations that are on, None: usable."""

    id: int
    hash: str
    scope: KeyScope
    categories: tuple[str, ...] | None
    last_used_at: datetime | None
    account_id: int
    email: str
    is_suspended: bool
    plan: str
    monthly_events: int | None
    events_used: int
    obstacles: dict["Target", Obstacle | None]
    rows: list[tuple[Any, ...]]


async def _read_keys(prefixes: list[str], now: datetime) -> list[_KeyInForce]:
    """Return the keys in force that begin so: one row a key and destination, one key of these."""
    sql = _KEYS.format(prefixes=marks(prefixes))
    keys: dict[int, _KeyInForce] = {}
    for row in await query(reader(), sql, [month_of(now), now, latest_expiry(now), *prefixes]):
        if row["id"] not in keys:
            keys[row["id"]] = _KeyInForce(
                id=row["id"],
                hash=row["hash"],
                scope=KeyScope(row["scope"]),
                categories=split(row["categories"]),
                last_used_at=as_datetime(row["last_used_at"]) if row["last_used_at"] else None,
                account_id=row["account_id"],
                email=row["email"],
                is_suspended=row["suspended_at"] is not None,
                plan=row["plan"],
                monthly_events=row["monthly_events"],
                events_used=row["events"] or 0,
                obstacles={},
                rows=[],
            )
        keys[row["id"]].rows.append(tuple(row[column] for column in _COMPARED))
        if name := row["name"]:
            is_direct = row["kind"] == DestinationKind.DIRECT
            target = Target(name, row["channel"], is_direct, row["lane"])
            keys[row["id"]].obstacles[target] = obstacle_to(
                enabled=True, address=row["address"], suspended_reason=row["suspended_reason"]
            )
    return list(keys.values())


@dataclass(frozen=True, slots=True)
class Caller:
    """The account behind a valid key, or with its owner signed in, as it was when the request came in.

    `scope` is what the key allows, `categories` are the only ones it may post to (None: all). `limit`
    None: no limit. Of the destinations that are switched on, the direct ones of the channels `unlinked` lack
    a link, the `suspended` lost their recipient, and the `targets` can be used. An account that
    `is_suspended` may do nothing. `key_id` is 0 for an owner. `as_read` is what the database said of one who
    is remembered, for `still_as_read`.
    """

    key_id: int
    scope: KeyScope
    categories: tuple[str, ...] | None
    account_id: int
    email: str
    is_suspended: bool
    limit: int | None
    events_used: int
    unlinked: tuple[str, ...]
    suspended: tuple[Target, ...]
    targets: tuple[Target, ...]
    as_read: "AsRead | None" = None

    def may(self, scope: KeyScope) -> bool:
        """Whether the key allows what needs this scope: `manage` includes `send`."""
        return self.scope in (scope, KeyScope.MANAGE)

    def may_post_to(self, category: str) -> bool:
        """Whether the key allows events of this category, which need not exist."""
        return self.categories is None or category in self.categories


AsRead: TypeAlias = tuple[tuple[Any, ...], ...]


def still_as_read(callers: Iterable[Caller], now: datetime) -> Ask | None:
    """Return what asks the database again of callers who are remembered, None where nobody is.

    `by_key` makes of its rows what each one's `as_read` is compared with.
    """
    keys = {each.key_id for each in callers if each.as_read is not None}
    return Ask(_STILL, [now, latest_expiry(now), [*keys]]) if keys else None


def by_key(rows: Rows) -> Mapping[int, AsRead]:
    """Return what the database says of keys; nothing where one is not in force."""
    found: defaultdict[int, AsRead] = defaultdict(tuple)
    for key_id, *said in rows:
        found[key_id] += (tuple(said),)
    return found


@unit_of_work
async def _write_use(key_ids: set[int], now: datetime) -> int:
    return await ApiKey.filter(id__in=key_ids).update(last_used_at=now)


class Authenticator:
    """Turns API keys into callers.

    Who was found is remembered for a minute, for those alone who then ask the database, with `still_as_read`
    and in the transaction that depends on it: a key revoked elsewhere is refused at once.
    """

    def __init__(self, *, limits: PlanLimits, clock: Clock) -> None:
        self._limits = limits
        self._clock = clock
        self._lookups: Batcher[str, Caller | None] = Batcher(self._look_up)
        self._noting: asyncio.Future[int] | None = None
        self._remembered: dict[str, tuple[Caller, float]] = {}

    def remembered(self, key: str) -> Caller | None:
        """Return who the key belonged to when it was looked up last, None where that is too long ago."""
        caller, until = self._remembered.get(key_hash(key), (None, 0.0))
        return caller if self._clock.monotonic() < until else None

    async def caller_of(self, key: str) -> Caller | None:
        """Return who the key belongs to, None for one that is malformed, unknown, revoked or expired."""
        return await self._lookups.submit(key) if looks_like_key(key) else None

    async def owner_of(self, account: Account) -> Caller:
        """Return an account's owner, who is signed in: a caller that may do everything, without a key."""
        now = self._clock.now()
        usage = await MonthlyUsage.get_or_none(account_id=account.id, month=month_of(now))
        rows = await Destination.filter(account_id=account.id, enabled=True).order_by("name")
        return self._caller(
            _KeyInForce(
                id=0,
                hash="",
                scope=KeyScope.MANAGE,
                categories=None,
                last_used_at=now,
                account_id=account.id,
                email=account.email,
                is_suspended=account.suspended_at is not None,
                plan=account.plan,
                monthly_events=account.monthly_events,
                events_used=usage.events if usage else 0,
                obstacles={
                    Target(row.name, row.channel, row.kind == DestinationKind.DIRECT, row.lane): obstacle_to(
                        enabled=True, address=row.address, suspended_reason=row.suspended_reason
                    )
                    for row in rows
                },
                rows=[],
            )
        )

    async def _look_up(self, keys: list[str]) -> list[Caller | Exception | None]:
        now = self._clock.now()
        known = await _read_keys(sorted({key_prefix(key) for key in keys}), now)
        found: dict[str, Caller | None] = {}
        stale: set[int] = set()
        for key in set(keys):
            digest = key_hash(key)
            own = next((each for each in known if hmac.compare_digest(each.hash, digest)), None)
            found[key] = self._caller(own) if own else None
            self._remember(digest, own, found[key], now)
            if own and (own.last_used_at is None or abs(now - own.last_used_at) >= _USE_RECORDED_EVERY):
                stale.add(own.id)
        if stale:
            await self._note_use(stale, now)
        return [found[key] for key in keys]

    def _remember(self, digest: str, own: _KeyInForce | None, caller: Caller | None, now: datetime) -> None:
        """Remember a caller until its use is to be written down again, and a look-up does that."""
        self._remembered.pop(digest, None)
        if own is None or caller is None:
            return
        if len(self._remembered) >= _MOST_REMEMBERED:
            del self._remembered[next(iter(self._remembered))]  # looked up longest ago
        used = abs(now - own.last_used_at) if own.last_used_at else _USE_RECORDED_EVERY
        left = (_USE_RECORDED_EVERY - used) if used < _USE_RECORDED_EVERY else _USE_RECORDED_EVERY
        until = self._clock.monotonic() + left.total_seconds()
        self._remembered[digest] = (replace(caller, as_read=tuple(own.rows)), until)

    async def _note_use(self, key_ids: set[int], now: datetime) -> None:
        """Write down when keys were used. A database that is locked or full refuses no good key for that."""
        if self._noting and not self._noting.done():
            return
        self._noting = asyncio.ensure_future(_write_use(key_ids, now))
        self._noting.add_done_callback(lambda done: done.cancelled() or done.exception())
        await asyncio.wait([self._noting], timeout=_NOTED_WITHIN)

    def _caller(self, key: _KeyInForce) -> Caller:
        # In the channels' order, each with its direct destination first
        states = {
            target: key.obstacles[target]
            for channel in CHANNELS
            for target in sorted(key.obstacles, key=lambda each: not each.is_direct)
            if target.channel == channel
        }
        return Caller(
            key_id=key.id,
            scope=key.scope,
            categories=key.categories,
            account_id=key.account_id,
            email=key.email,
            is_suspended=key.is_suspended,
            limit=self._limits.limit_of(key.plan, key.monthly_events),
            events_used=key.events_used,
            unlinked=tuple(
                each.channel
                for each, state in states.items()
                if state is Obstacle.UNLINKED and each.is_direct
            ),
            suspended=tuple(each for each, state in states.items() if state is Obstacle.SUSPENDED),
            targets=tuple(each for each, state in states.items() if state is None),
        )
