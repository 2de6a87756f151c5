"""Who is calling: an API key becomes a `Caller`, many keys a query."""

import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from models import ApiKey, KeyScope
from models.database import reader
from models.names import split
from models.sql import Row, as_datetime, marks, query
from pingpilot.accounts.keys import key_hash, key_prefix, looks_like_key
from pingpilot.accounts.quota import PlanLimits, month_of
from pingpilot.batching import Batcher
from pingpilot.channels import CHANNELS
from pingpilot.clock import Clock

_USE_RECORDED_EVERY = timedelta(minutes=1)
_CALLERS = """
SELECT k.id AS key_id, k.hash, k.scope, k.categories, k.last_used_at, a.id AS account_id, a.email, a.plan,
       a.monthly_events, u.events, c.channel, c.address, c.suspended_reason
FROM api_keys k
JOIN accounts a ON a.id = k.account_id
LEFT JOIN monthly_usage u ON u.account_id = a.id AND u.month = ?
LEFT JOIN account_channels c ON c.account_id = a.id AND c.enabled
WHERE k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > ?) AND k.prefix IN ({prefixes})
"""


@dataclass(frozen=True, slots=True)
class Caller:
    """The account behind a valid key, as it stood when the request came in.

    `scope` is what the key allows, `categories` are the only ones it may post to (None: all). `limit`
    None: no limit. Of the channels that are switched on, `unlinked` lack a link, `suspended` lost their
    recipient, and `channels` can be used.
    """

    key_id: int
    scope: KeyScope
    categories: tuple[str, ...] | None
    account_id: int
    email: str
    plan: str
    limit: int | None
    events_used: int
    unlinked: tuple[str, ...]
    suspended: tuple[str, ...]
    channels: tuple[str, ...]

    def may(self, scope: KeyScope) -> bool:
        """Whether the key allows what needs this scope: `manage` includes `send`."""
        return self.scope in (scope, KeyScope.MANAGE)

    def may_post_to(self, category: str) -> bool:
        """Whether the key allows events of this category, which need not exist."""
        return self.categories is None or category in self.categories


class Authenticator:
    """Turns API keys into callers. Nothing is cached: a key revoked elsewhere is refused at once."""

    def __init__(self, *, limits: PlanLimits, clock: Clock) -> None:
        self._limits = limits
        self._clock = clock
        self._lookups: Batcher[str, Caller | None] = Batcher(self._look_up)

    async def caller_of(self, key: str) -> Caller | None:
        """Return who the key belongs to, None for one that is malformed, unknown, revoked or expired."""
        return await self._lookups.submit(key) if looks_like_key(key) else None

    async def _look_up(self, keys: list[str]) -> list[Caller | Exception | None]:
        prefixes = sorted({key_prefix(key) for key in keys})
        now = self._clock.now()
        sql = _CALLERS.format(prefixes=marks(prefixes))
        rows = await query(reader(), sql, [month_of(now), now, *prefixes])
        found = {key: self._caller(key, rows) for key in set(keys)}
        used = {caller.key_id for caller in found.values() if caller}
        await _record_use([row for row in rows if row["key_id"] in used], now)
        return [found[key] for key in keys]

    def _caller(self, key: str, rows: Iterable[Row]) -> Caller | None:
        digest = key_hash(key)
        own = [row for row in rows if hmac.compare_digest(row["hash"], digest)]
        if not own:
            return None
        first = own[0]
        rows_by_name = {row["channel"]: row for row in own if row["channel"]}
        channels = [rows_by_name[name] for name in CHANNELS if name in rows_by_name]
        return Caller(
            key_id=first["key_id"],
            scope=KeyScope(first["scope"]),
            categories=split(first["categories"]),
            account_id=first["account_id"],
            email=first["email"],
            plan=first["plan"],
            limit=self._limits.limit_of(first["plan"], first["monthly_events"]),
            events_used=first["events"] or 0,
            unlinked=tuple(row["channel"] for row in channels if not row["address"]),
            suspended=tuple(row["channel"] for row in channels if row["suspended_reason"]),
            channels=tuple(
                row["channel"] for row in channels if row["address"] and not row["suspended_reason"]
            ),
        )


async def _record_use(rows: Iterable[Row], now: datetime) -> None:
    stale = {row["key_id"] for row in rows if _is_stale(row["last_used_at"], now)}
    if stale:
        await ApiKey.filter(id__in=stale).update(last_used_at=now)


def _is_stale(last_used_at: datetime | str | None, now: datetime) -> bool:
    return last_used_at is None or now - as_datetime(last_used_at) >= _USE_RECORDED_EVERY
