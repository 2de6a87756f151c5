"""Accounts for tests."""

from collections.abc import Collection

from models import Account, Destination, Plan
from pingpilot.accounts.accounts import create_account
from pingpilot.clock import Clock


async def new_account(
    clock: Clock,
    email: str = "alice@example.com",
    *,
    plan: Plan = Plan.FREE,
    monthly_events: int | None = None,
    channels: Collection[str] = (),
) -> Account:
    """Return a fresh account."""
    new = await create_account(
        email, plan=plan, monthly_events=monthly_events, channels=channels, now=clock.now()
    )
    return new.account


async def link_chat(
    account: Account, channel: str, clock: Clock, address: str = "4711", *, lane: int = 0
) -> None:
    """Link a chat to the account without a bot, as if with that of the lane."""
    await Destination.link(
        account.id, channel, address=address, user_id=address, username="alice", at=clock.now(), lane=lane
    )
