"""Accounts: creating, finding and changing them."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from models import (
    Account,
    Destination,
    DestinationKind,
    Plan,
    SignUpLink,
)
from models.backends.errors import IntegrityConflict
from models.database import connection, transaction, unit_of_work
from models.destination import USABLE
from models.sql import is_postgres, marks, query
from pingpilot.accounts.categories import STARTERS, add_category
from pingpilot.accounts.email_address import normal_email
from pingpilot.accounts.keys import create_key
from pingpilot.accounts.quiet_hours import reconsider
from pingpilot.channels import CHANNELS, AddressSource, ChannelKind, check_direct
from pingpilot.errors import AlreadyExists, InvalidInput, NotFound


@dataclass(frozen=True, slots=True)
class NewAccount:
    """A fresh account and its first API key, which is shown this once; '' where it was to have none."""

    account: Account
    api_key: str


@unit_of_work
async def create_account(
    email: str,
    *,
    plan: Plan,
    monthly_events: int | None,
    channels: Collection[str],
    now: datetime,
    undecided: Collection[str] = (),
    is_operator: bool = False,
    with_key: bool = True,
) -> NewAccount:
    """Return a new account with the starter categories, one key and the named channels switched on.

    The first account of an installation is its operator in any case. Nobody has said yes or no to the
    `undecided` channels, which the server is not set up for: they are offered
    once it is (`pingpilot.events.offers`).
    Raises `InvalidInput`, or `AlreadyExists` where the address has an account.
    """
    address = normal_email(email)
    check_direct(channels)
    check_monthly_events(monthly_events)
    async with transaction() as database:
        if is_postgres(database):  # one at a time, since only one is the first; SQLite has it so anyway
            await query(database, "SELECT pg_advisory_xact_lock(hashtextextended('new account', 0))")
        try:
            account = await Account.create(
                email=address,
                plan=plan,
                monthly_events=monthly_events,
                time_zone="UTC",
                is_operator=is_operator,
                created_at=now,
            )
        except IntegrityConflict:
            raise AlreadyExists(f"There is an account for {address} already.") from None
        # Written first, then read: SQLite can't turn a read into a write while another process writes
        if not is_operator and not await Account.exclude(id=account.id).exists():
            account.is_operator = True
            await account.save(update_fields=["is_operator"])
        # What an operator may have seen is no way into the account
        await SignUpLink.filter(email=address, is_invitation=True).delete()
        for kind in CHANNELS.values():
            if kind.name in undecided or not kind.has_direct:
                continue  # no row: `direct_destinations` shows it as off
            row = new_direct(account, kind)
            row.enabled = kind.name in channels
            await row.save()
        for name, emoji, color in STARTERS:
            await add_category(account, name, color=color, emoji=emoji, now=now)
        key = (await create_key(account, "default", now))[1] if with_key else ""
    return NewAccount(account, key)


async def find_account(email: str) -> Account:
    """Return the account of an address. Raises `NotFound`."""
    try:
        account = await Account.get_or_none(email=normal_email(email))
    except InvalidInput:
        account = None
    if account is None:
        raise NotFound(f"There is no account for {email}: see `pingpilot account list`.")
    return account


async def set_plan(account: Account, plan: Plan, monthly_events: int | None) -> None:
    """Move the account to a plan; `monthly_events` is a limit of its own, None the plan's."""
    check_monthly_events(monthly_events)
    account.plan, account.monthly_events = plan, monthly_events
    await account.save(update_fields=["plan", "monthly_events"])


async def set_combine(account: Account, combine: bool) -> None:
    """Let many deliveries that wait for one recipient go out as one message, or each by itself."""
    account.combine = combine
    await account.save(update_fields=["combine"])


async def set_operator(account: Account, *, is_operator: bool) -> bool:
    """Make the account an operator, or no longer; return whether there is one left."""
    account.is_operator = is_operator
    await account.save(update_fields=["is_operator"])
    return await has_operator()


async def has_operator() -> bool:
    """Whether any account may look after the server in the dashboard."""
    return await Account.filter(is_operator=True, suspended_at__isnull=True).exists()


async def suspend_account(account: Account, now: datetime) -> bool:
    """Let nobody in with the account's keys and sessions, and hold what waits; False where that was so."""
    return bool(await Account.filter(id=account.id, suspended_at__isnull=True).update(suspended_at=now))


async def resume_account(account: Account, now: datetime) -> bool:
    """End a suspension, and let what was held be looked at anew; False where there was none.

    What is held goes out in its order, or waits for quiet hours to end. The dispatchers find it by
    themselves.
    """
    resumed = Account.filter(id=account.id, suspended_at__isnull=False)
    if not await resumed.update(suspended_at=None):
        return False
    await reconsider(account, None, now)
    return True


def suspended_words(email: str, contact: str) -> str:
    """Return what anybody is told who comes with a key, a session or a chat of a suspended account."""
    return f"The account {email} is suspended: ask {contact}. What waits is kept, and goes out afterwards."


async def accounts_without_channel(configured: Collection[str]) -> list[str]:
    """Return the addresses of accounts whose events go nowhere: no channel is on, linked and sending, or
    this server is set up for none of those.
    """
    sql = (
        "SELECT a.email FROM accounts a WHERE NOT EXISTS (SELECT 1 FROM destinations dest "  # noqa: S608
        f"WHERE dest.account_id = a.id AND {USABLE} AND dest.channel IN ({marks([*configured, ''])})) "
        "ORDER BY a.email"
    )
    return [row["email"] for row in await query(connection(), sql, [*configured, ""])]


async def direct_destinations(account: Account) -> list[Destination]:
    """Return the account's direct destinations, one a channel in the customary order; one it never had is
    off, and not stored.
    """
    rows = {
        row.channel: row
        for row in await Destination.filter(account_id=account.id, kind=DestinationKind.DIRECT)
    }
    return [rows.get(kind.name) or new_direct(account, kind) for kind in CHANNELS.values() if kind.has_direct]


def new_direct(account: Account, kind: ChannelKind) -> Destination:
    """Return a direct destination the account does not have yet, off and not stored."""
    address = account.email if kind.address is AddressSource.ACCOUNT_EMAIL else None
    return Destination(
        account_id=account.id,
        channel=kind.name,
        kind=DestinationKind.DIRECT,
        name=kind.name,
        enabled=False,
        address=address,
    )


def check_monthly_events(limit: int | None) -> None:
    """Raise `InvalidInput` unless it is a limit, or None."""
    if limit is not None and not 0 <= limit < 2**53:
        raise InvalidInput("A monthly limit is a whole number from 0 up.")
