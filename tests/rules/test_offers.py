"""Channels that the server is set up for after an account was made are offered to it, once."""

from models import Delivery, Destination, Event, Plan
from pingpilot.accounts.accounts import accounts_without_channel, create_account
from pingpilot.channels import CHANNELS
from pingpilot.events.offers import offer_channels
from tests.support.accounts import link_chat, new_account
from tests.support.clock import ManualClock


async def notices() -> list[str]:
    return [event.description for event in await Event.filter(notice=True).order_by("id")]


async def test_a_channel_nobody_decided_on_is_offered_once_and_stays_off(
    database: str, clock: ManualClock
) -> None:
    new = await create_account(
        "alice@example.com",
        plan=Plan.FREE,
        monthly_events=None,
        channels=["telegram"],
        undecided=["email"],
        now=clock.now(),
    )
    await link_chat(new.account, "telegram", clock)

    told = [await offer_channels([*CHANNELS], clock.now()) for _ in range(2)]

    assert told == [1, 0]
    [notice] = await notices()
    assert notice.startswith("E-mail is available now.")
    assert "`pingpilot account set alice@example.com --channels …`" in notice
    assert [each.channel for each in await Delivery.all()] == ["telegram"]
    email = await Destination.get(account_id=new.account.id, channel="email")
    assert (email.enabled, email.address) == (False, "alice@example.com")


async def test_what_was_switched_off_on_purpose_is_not_offered(database: str, clock: ManualClock) -> None:
    account = await new_account(clock, channels=["telegram"])
    await link_chat(account, "telegram", clock)

    assert await offer_channels([*CHANNELS], clock.now()) == 0
    assert await notices() == []


async def test_who_cannot_be_told_is_offered_the_channel_later(sqlite: str, clock: ManualClock) -> None:
    new = await create_account(
        "alice@example.com",
        plan=Plan.FREE,
        monthly_events=None,
        channels=[],
        undecided=["telegram", "email"],
        now=clock.now(),
    )

    before = await offer_channels([*CHANNELS], clock.now())
    await link_chat(new.account, "telegram", clock)
    after = await offer_channels([*CHANNELS], clock.now())

    assert (before, after) == (0, 1)


async def test_accounts_whose_events_go_nowhere_are_known(database: str, clock: ManualClock) -> None:
    await new_account(clock, "off@example.com")
    await new_account(clock, "unlinked@example.com", channels=["telegram"])
    await new_account(clock, "mailed@example.com", channels=["email"])
    suspended = await new_account(clock, "gone@example.com", channels=["email"])
    await Destination.filter(account_id=suspended.id).update(suspended_reason="No such mailbox.")

    with_all = await accounts_without_channel([*CHANNELS])
    without_mail = await accounts_without_channel(["discord"])
    with_none = await accounts_without_channel([])

    assert with_all == ["gone@example.com", "off@example.com", "unlinked@example.com"]
    assert without_mail == with_none == sorted([*with_all, "mailed@example.com"])
