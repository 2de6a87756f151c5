"""Accounts: what a new one has, what is refused, how its channels are switched."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import Account, Category, Delivery, DeliveryStatus, Destination, Plan
from pingpilot.accounts.accounts import create_account, direct_destinations, find_account, set_plan
from pingpilot.accounts.email_address import checked_local_part, normal_email, split_address
from pingpilot.accounts.preferences import AccountChange, ChannelChange, change_account
from pingpilot.errors import AlreadyExists, InvalidInput, NotFound
from tests.support.accounts import new_account
from tests.support.clock import ManualClock
from tests.support.events import accept


async def test_a_new_account_has_a_key_and_the_starter_categories(database: str, clock: ManualClock) -> None:
    new = await create_account(
        " Alice@Example.com ", plan=Plan.FREE, monthly_events=None, channels=["email"], now=clock.now()
    )

    categories = await Category.filter(account_id=new.account.id).order_by("name")
    assert new.account.email == "alice@example.com"
    assert new.api_key.startswith("pp_")
    assert [(each.name, each.emoji, each.color) for each in categories] == [
        ("bug", "🐛", "#ff6b6b"),
        ("question", "🤔", "#6c5ce7"),
        ("sale", "💰", "#ffeb3b"),
    ]


async def test_only_the_named_channels_are_switched_on(database: str, clock: ManualClock) -> None:
    account = await new_account(clock, channels=["telegram", "email"])

    channels = await direct_destinations(account)

    assert [(each.channel, each.enabled) for each in channels] == [
        ("discord", False),
        ("telegram", True),
        ("email", True),
    ]
    assert channels[2].address == account.email


async def test_an_address_has_one_account(database: str, clock: ManualClock) -> None:
    await new_account(clock, "alice@example.com")

    with pytest.raises(AlreadyExists, match=r"alice@example\.com"):
        await new_account(clock, "ALICE@example.com")

    assert await Account.all().count() == 1


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "alice",
            "alice@",
            "@example.com",
            "a b@example.com",
            "a@b@c.d",
            "ä@x_.de",
            f"{'a' * 250}@x.de",
        ),
        *("a..b@x.de", ".a@x.de", "a.@x.de", "a@-x.de", "a@x..de"),
    ],
)
async def test_what_is_no_address_is_refused(sqlite: str, clock: ManualClock, text: str) -> None:
    with pytest.raises(InvalidInput, match=r"alice@example\.com"):
        await new_account(clock, text)

    assert not await Account.exists()


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("Ada@Bücher.Example", "ada@xn--bcher-kva.example"),
        ("Jürgen@example.org", "jürgen@example.org"),
        ("ops@localhost", "ops@localhost"),
        ("ops@mail.internal", "ops@mail.internal"),
    ],
)
async def test_addresses_of_any_script_and_of_ones_own_network_are_taken(
    sqlite: str, clock: ManualClock, text: str, stored: str
) -> None:
    account = await new_account(clock, text)

    assert account.email == stored


async def test_an_unknown_channel_is_refused_with_the_known_ones(sqlite: str, clock: ManualClock) -> None:
    with pytest.raises(InvalidInput, match="discord, telegram, email"):
        await new_account(clock, channels=["pigeon"])

    assert not await Account.exists()


async def test_a_negative_limit_is_refused(sqlite: str, clock: ManualClock) -> None:
    account = await new_account(clock)

    with pytest.raises(InvalidInput, match="whole number"):
        await set_plan(account, Plan.PRO, -1)

    assert (await Account.get(id=account.id)).plan == Plan.FREE


async def test_an_account_is_found_by_its_address_however_written(sqlite: str, clock: ManualClock) -> None:
    account = await new_account(clock, "alice@example.com")

    found = await find_account(" Alice@EXAMPLE.com")

    assert found.id == account.id


async def test_an_unknown_address_is_named(sqlite: str) -> None:
    with pytest.raises(NotFound, match=r"bob@example\.com"):
        await find_account("bob@example.com")


async def test_switching_channels_on_lifts_a_suspension_and_keeps_the_link(
    database: str, clock: ManualClock
) -> None:
    account = await new_account(clock, channels=["telegram"])
    await Destination.link(account.id, "telegram", address="7", user_id="7", username="alice", at=clock.now())
    await Destination.suspend(account.id, "telegram", address="7", reason="Blocked.")

    on = ChannelChange(enabled=True)
    await change_account(account, AccountChange(channels={"telegram": on, "email": on}), clock.now())

    _, telegram, email = await direct_destinations(account)
    assert telegram.enabled
    assert telegram.address == "7"
    assert telegram.suspended_reason is None
    assert email.enabled


async def test_a_channel_newer_than_the_account_can_be_switched_on(database: str, clock: ManualClock) -> None:
    account = await new_account(clock)
    await Destination.filter(account_id=account.id, channel__in=["email", "discord"]).delete()

    on = ChannelChange(enabled=True)
    change = AccountChange(channels={"discord": on, "email": on})
    await change_account(account, change, clock.now())
    await change_account(account, change, clock.now())

    shown = [(row.channel, row.enabled, row.address) for row in await direct_destinations(account)]
    assert shown == [("discord", True, None), ("telegram", False, None), ("email", True, account.email)]


async def test_a_channel_newer_than_the_account_can_be_switched_off(sqlite: str, clock: ManualClock) -> None:
    account = await new_account(clock)
    await Destination.filter(account_id=account.id, channel="email").delete()

    off = AccountChange(channels={"email": ChannelChange(enabled=False)})
    await change_account(account, off, clock.now())

    row = await Destination.get(account_id=account.id, channel="email")
    assert (row.enabled, row.address) == (False, account.email)


async def test_switching_a_channel_has_what_it_holds_looked_at_anew(
    database: str, clock: ManualClock
) -> None:
    account = await new_account(clock, channels=["email"])
    await accept(account, clock, "sale")
    held = Delivery.filter(account_id=account.id)
    await held.update(status=DeliveryStatus.HELD, next_attempt_at=clock.now() + timedelta(hours=8))

    off = AccountChange(channels={"email": ChannelChange(enabled=False)})
    await change_account(account, off, clock.now())

    assert [each.next_attempt_at for each in await held] == [clock.now()]


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("alice@localhost", "alice@localhost"),
        ("alice@mail.home.local", "alice@mail.home.local"),
        ("alice@shop.test", "alice@shop.test"),
        ("O'Hara+shop@Example.COM", "o'hara+shop@example.com"),
        ("alice@bücher.example", "alice@xn--bcher-kva.example"),
    ],
)
def test_addresses_of_networks_of_ones_own_are_as_good_as_others(text: str, stored: str) -> None:
    assert normal_email(text) == stored


@given(st.text(alphabet="ab9_+-.", min_size=1, max_size=70))
def test_the_quick_check_of_an_address_says_what_the_thorough_one_says(local: str) -> None:
    try:
        expected = checked_local_part(local)
    except ValueError:
        with pytest.raises(ValueError, match=r"\w"):
            split_address(f"{local}@example.com")
    else:
        assert split_address(f"{local}@example.com") == (expected, "example.com")


@pytest.mark.parametrize("text", ['"a b"@x.de', "Al <al@x.de>", "al@[192.0.2.1]", f"{'a' * 65}@x.de"])
def test_an_address_that_not_every_mail_server_takes_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="is not an e-mail address"):
        normal_email(text)
