"""What an operator sees of the accounts: how they are used, and nothing of what their events say."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime

from models import Account, MonthlyUsage
from models.database import connection
from models.destination import USABLE
from models.sql import as_datetime, marks, query
from pingpilot.accounts.quota import PlanLimits, month_of

_LAST_EVENTS = """
SELECT account_id, MAX(last_event_at) AS at FROM category_usage
WHERE account_id IN ({ids}) GROUP BY account_id
"""
_STATES = f"""
SELECT account_id, COUNT(*) AS count, CASE WHEN {USABLE} THEN 'usable'
    WHEN dest.suspended_reason IS NOT NULL THEN 'suspended' ELSE 'off' END AS state
FROM destinations dest WHERE account_id IN ({{ids}}) GROUP BY account_id, state
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class AccountUse:
    """An account as an operator sees it. `limit` None: no limit; its destinations are counted by state."""

    account: Account
    used: int
    limit: int | None
    last_event_at: datetime | None
    usable: int
    suspended: int
    off: int


@dataclass(frozen=True, slots=True)
class AccountsPage:
    """Some accounts by address; `after` is where the next page begins, None on the last one."""

    accounts: list[AccountUse]
    after: str | None


async def list_accounts(
    limits: PlanLimits, now: datetime, *, containing: str = "", after: str = "", most: int
) -> AccountsPage:
    """Return a page of the accounts whose address contains a text, those that come `after` an address."""
    found = Account.filter(email__gt=after)
    if text := containing.strip().lower():
        found = found.filter(email__contains=text)
    accounts = await found.order_by("email").limit(most + 1)
    has_more, accounts = len(accounts) > most, accounts[:most]
    if not accounts:
        return AccountsPage([], None)
    ids = [each.id for each in accounts]
    usage = {
        row.account_id: row.events
        for row in await MonthlyUsage.filter(account_id__in=ids, month=month_of(now))
    }
    last = {
        row["account_id"]: as_datetime(row["at"])
        for row in await query(connection(), _LAST_EVENTS.format(ids=marks(ids)), ids)
    }
    states: defaultdict[int, dict[str, int]] = defaultdict(dict)
    for row in await query(connection(), _STATES.format(ids=marks(ids)), ids):
        states[row["account_id"]][row["state"]] = row["count"]
    shown = [
        AccountUse(
            each,
            used=usage.get(each.id, 0),
            limit=limits.limit_of(each.plan, each.monthly_events),
            last_event_at=last.get(each.id),
            usable=states[each.id].get("usable", 0),
            suspended=states[each.id].get("suspended", 0),
            off=states[each.id].get("off", 0),
        )
        for each in accounts
    ]
    return AccountsPage(shown, accounts[-1].email if has_more else None)


async def count_accounts() -> tuple[int, int]:
    """Return how many accounts there are, and how many of them are suspended."""
    return await Account.all().count(), await Account.filter(suspended_at__isnull=False).count()
