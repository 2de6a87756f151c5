"""Offering channels that this server was set up for after an account was made."""

from collections.abc import Collection
from datetime import datetime

from models import Account, Destination
from models.database import connection, transaction, unit_of_work
from models.destination import USABLE
from models.sql import insert_rows, query
from pingpilot.accounts.accounts import new_direct
from pingpilot.channels import CHANNELS, ChannelKind
from pingpilot.events.notices import post_notice

_UNDECIDED = f"""
SELECT a.id FROM accounts a
WHERE NOT EXISTS (SELECT 1 FROM destinations own WHERE own.account_id = a.id AND own.name = ?)
  AND EXISTS (SELECT 1 FROM destinations dest WHERE dest.account_id = a.id AND {USABLE})
ORDER BY a.id
"""  # noqa: S608


async def offer_channels(configured: Collection[str], now: datetime) -> int:
    """Tell each account, once, of the channels it can have now and could not when it was made.

    They stay off: where notifications go is for their owner to say. An account without any usable channel
    can't be told; the doctor names it, and the offer waits until it can be. Returns how many were told.
    """
    told = 0
    for name in configured:
        if not CHANNELS[name].has_direct:
            continue
        for row in await query(connection(), _UNDECIDED, [name]):
            told += await _offer(await Account.get(id=row["id"]), CHANNELS[name], now)
    return told


@unit_of_work
async def _offer(account: Account, kind: ChannelKind, now: datetime) -> bool:
    """Store that the channel is off and tell the account of it; False where another daemon was first."""
    new = new_direct(account, kind)
    async with transaction() as connection:
        made = await insert_rows(
            connection,
            Destination._meta.db_table,
            ("account_id", "channel", "kind", "name", "enabled", "address"),
            [(account.id, new.channel, new.kind, new.name, False, new.address)],
            "ON CONFLICT (account_id, name) DO NOTHING RETURNING id",
        )
        if not made:
            return False
        how = f"To get notifications there, run `pingpilot account set {account.email} --channels …`"
        if kind.needs_link:
            how = f"To get notifications there, link a chat: `pingpilot link-code --account {account.email}`"
        await post_notice(account.id, f"{kind.label} is available now. {how}.", now=now)
    return True
